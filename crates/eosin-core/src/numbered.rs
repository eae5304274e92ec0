// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::HashMap;

/// A number for each name, the same for the same, and the names by their numbers, which are in the
/// order in which names first occur.
///
/// ```
/// let (numbers, names) = eosin_core::numbered(["b", "a", "b"]);
/// assert_eq!((numbers, names), (vec![0, 1, 0], vec!["b", "a"]));
/// ```
pub fn numbered<'a>(names: impl IntoIterator<Item = &'a str>) -> (Vec<u32>, Vec<&'a str>) {
    let mut index: HashMap<&str, u32> = HashMap::new();
    let mut known = Vec::new();
    let number = |name: &'a str| {
        *index.entry(name).or_insert_with(|| {
            known.push(name);
            known.len() as u32 - 1
        })
    };
    (names.into_iter().map(number).collect(), known)
}
