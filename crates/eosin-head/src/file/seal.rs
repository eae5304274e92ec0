// SPDX-License-Identifier: MIT OR Apache-2.0

//! The checksum over a head's arrays and metadata: one flipped bit would give other scores.

use std::collections::BTreeMap;

use safetensors::tensor::{SafeTensors, TensorView};

const BEFORE: &str = "{\"blake3\":\"";
const BETWEEN: &str = "\",\"head\":";
const AFTER: &str = "}";
/// Hexadecimal digits of BLAKE3.
const DIGITS: usize = 64;

/// The metadata entry of a head: `{"blake3":"…","head":…}`, where the checksum is over `json` as it
/// stands there and over the arrays, which come sorted by name.
pub(super) fn seal<'a>(
    json: &str,
    arrays: impl Iterator<Item = (&'a str, &'a TensorView<'a>)>,
) -> String {
    let digest = digest(json, arrays);
    format!("{BEFORE}{digest}{BETWEEN}{json}{AFTER}")
}

/// The checksum of an entry and the JSON that it seals; an entry without one is that JSON itself.
pub(super) fn parts(entry: &str) -> (Option<&str>, &str) {
    let sealed = || {
        let (digest, rest) = entry.strip_prefix(BEFORE)?.split_at_checked(DIGITS)?;
        Some((digest, rest.strip_prefix(BETWEEN)?.strip_suffix(AFTER)?))
    };
    sealed().map_or((None, entry), |(digest, json)| (Some(digest), json))
}

/// What the checksum of this JSON with these arrays would be.
pub(super) fn checksum(json: &str, arrays: &SafeTensors) -> String {
    let sorted: BTreeMap<String, TensorView> = arrays.tensors().into_iter().collect();
    digest(json, sorted.iter().map(|(name, view)| (name.as_str(), view)))
}

/// BLAKE3 of the JSON, then of name, type, shape and bytes of every array, each after its length,
/// so that nothing can move from one to the next.
fn digest<'a>(json: &str, arrays: impl Iterator<Item = (&'a str, &'a TensorView<'a>)>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut put = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    put(json.as_bytes());
    for (name, view) in arrays {
        put(name.as_bytes());
        put(format!("{:?} {:?}", view.dtype(), view.shape()).as_bytes());
        put(view.data());
    }
    hasher.finalize().to_hex().to_string()
}
