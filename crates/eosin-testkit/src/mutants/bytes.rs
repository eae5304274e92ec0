// SPDX-License-Identifier: MIT OR Apache-2.0

use super::random::Random;

/// Numbers at which sizes, offsets and counts break.
const NUMBERS: [u64; 14] = [
    0,
    1,
    2,
    0x7F,
    0xFF,
    0x100,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    0x1_0000_0000,
    0x7FFF_FFFF_FFFF_FFFF,
    0xFFFF_FFFF_FFFF_FFFF,
];

/// A damaged copy: cut, with parts taken out, repeated or taken from `other`, or with single
/// numbers changed, mostly where headers lie.
pub(super) fn mutate_bytes(
    bytes: &[u8],
    other: &[u8],
    words: &[&[u8]],
    random: &mut Random,
) -> Vec<u8> {
    let mut out = bytes.to_vec();
    match random.below(12) {
        0 => {
            out.truncate(random.below(out.len()));
            return out;
        }
        1 => drop(out.drain(random.range(bytes.len()))),
        2 => {
            let part = bytes[random.range(bytes.len())].to_vec();
            insert(&mut out, random.below(bytes.len()), &part);
        }
        3 => {
            let part = other[random.range(other.len())].to_vec();
            insert(&mut out, random.below(bytes.len()), &part);
        }
        _ => {}
    }
    for _ in 0..=random.below(6) {
        change(&mut out, words, random);
    }
    out
}

/// Changes one place.
fn change(out: &mut Vec<u8>, words: &[&[u8]], random: &mut Random) {
    let len = out.len();
    if len == 0 {
        return;
    }
    // Headers lie at both ends: damage there is what parsers must survive.
    let places = [0..len.min(64), 0..len.min(512), len.saturating_sub(2048)..len, 0..len];
    let place = random.one_of(&places).clone();
    let at = place.start + random.below(place.len());
    match random.below(7) {
        0 => out[at] ^= 1 << random.below(8),
        1 => out[at] = *random.one_of(&[0, 1, 0x7F, 0x80, 0xFF]),
        2 => out[at] = random.below(256) as u8,
        3 => out[at] = out[at].wrapping_add(*random.one_of(&[1, 2, 255, 254])),
        4 if !words.is_empty() => {
            let word = *random.one_of(words);
            if random.once_in(2) {
                insert(out, at, word);
            } else {
                overwrite(out, at, word);
            }
        }
        _ => {
            // A whole number at once: sizes and offsets have 2, 4 or 8 bytes of either order.
            let (number, width) = (*random.one_of(&NUMBERS), *random.one_of(&[2, 4, 4, 8]));
            let little = number.to_le_bytes();
            let big = number.to_be_bytes();
            let number = if random.once_in(2) { &little[..width] } else { &big[8 - width..] };
            overwrite(out, at, number);
        }
    }
}

fn overwrite(out: &mut [u8], at: usize, part: &[u8]) {
    for (target, byte) in out[at..].iter_mut().zip(part) {
        *target = *byte;
    }
}

pub(super) fn insert(out: &mut Vec<u8>, at: usize, part: &[u8]) {
    out.splice(at..at, part.iter().copied());
}
