// SPDX-License-Identifier: MIT OR Apache-2.0

use super::bytes::mutate_bytes;
use super::random::Random;

/// Numbers, names and marks at which readers of text break, whatever the language.
const WORDS: [&str; 22] = [
    "0",
    "-1",
    "1e18",
    "1e309",
    "NaN",
    "inf",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "null",
    "\"",
    "'",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\\",
    "\0",
    "\u{feff}",
];

/// The longest repetition of a part, in bytes: deep nesting that a parser must refuse.
const MAX_REPEATED: usize = 1 << 17;

/// A damaged copy: tokens taken out, repeated, exchanged, or spliced from `other` and from `words`;
/// sometimes damaged as bytes are.
pub(super) fn mutate_text(
    text: &[u8],
    other: &[u8],
    words: &[&[u8]],
    random: &mut Random,
) -> Vec<u8> {
    if random.once_in(6) {
        return mutate_bytes(text, other, words, random);
    }
    let mut tokens: Vec<Vec<u8>> = tokens(text).map(<[u8]>::to_vec).collect();
    let others: Vec<&[u8]> = self::tokens(other).collect();
    for _ in 0..=random.below(4) {
        let at = random.below(tokens.len() + 1).min(tokens.len());
        let word = word(&others, words, random);
        match random.below(9) {
            0 => drop(tokens.drain(random.range(tokens.len()))),
            1 => {
                let part = tokens[random.range(tokens.len())].to_vec();
                tokens.splice(at..at, part);
            }
            2 if at < tokens.len() => {
                let to = random.below(tokens.len());
                tokens.swap(at, to);
            }
            3 if at < tokens.len() => {
                let part: Vec<u8> = tokens[at..tokens.len().min(at + 1 + random.below(3))].concat();
                let times = (1 << random.below(16)).min(MAX_REPEATED / part.len().max(1));
                tokens[at] = part.repeat(times.max(1));
            }
            4 => {
                let times = (1 << random.below(16)).min(MAX_REPEATED / word.len().max(1));
                tokens.insert(at, word.repeat(times.max(1)));
            }
            5 | 6 if at < tokens.len() => tokens[at] = word,
            _ => tokens.insert(at, word),
        }
    }
    tokens.concat()
}

fn word(others: &[&[u8]], words: &[&[u8]], random: &mut Random) -> Vec<u8> {
    match random.below(3) {
        0 if !others.is_empty() => random.one_of(others).to_vec(),
        1 if !words.is_empty() => random.one_of(words).to_vec(),
        _ => random.one_of(&WORDS).as_bytes().to_vec(),
    }
}

/// Runs of letters and digits, runs of white space, and single marks.
fn tokens(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let kind = |byte: &u8| match byte {
        b'_' | b'.' | 0x80.. => 1,
        byte if byte.is_ascii_alphanumeric() => 1,
        byte if byte.is_ascii_whitespace() => 2,
        _ => 3,
    };
    text.chunk_by(move |a, b| kind(a) == kind(b) && kind(a) != 3)
}

#[cfg(test)]
mod tests {
    #[test]
    fn tokens_are_words_spaces_and_marks() {
        let found: Vec<&[u8]> = super::tokens(b"a.b >= 0  ADN((\"x\"").collect();
        let expected: [&[u8]; 12] =
            [b"a.b", b" ", b">", b"=", b" ", b"0", b"  ", b"ADN", b"(", b"(", b"\"", b"x"];
        assert_eq!(found[..12], expected);
    }
}
