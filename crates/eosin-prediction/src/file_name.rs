// SPDX-License-Identifier: MIT OR Apache-2.0

use sha2::{Digest, Sha256};

/// Bytes of a name that are kept: with the digest and an ending it fits every file system.
const MAX_BYTES: usize = 120;

/// A slide's name as the name of a file: letters, digits, spaces and `-_.,+()`, no sign that parts
/// folders, nothing that hides the file or that a shell takes for an option.
///
/// A name that had to be changed gets the beginning of its digest, so that different slides have
/// different files.
///
/// ```
/// use eosin_prediction::file_name;
/// assert_eq!(file_name("TCGA-CR-7395 (1)"), "TCGA-CR-7395 (1)");
/// assert!(file_name("../x").starts_with("__x-"));
/// assert_ne!(file_name("a/b"), file_name("a:b"));
/// ```
pub fn file_name(slide: &str) -> String {
    let is_kept = |c: char| c.is_alphanumeric() || " -_.,+()".contains(c);
    let mut name: String = slide.chars().map(|c| if is_kept(c) { c } else { '_' }).collect();
    // What stands first may hide a file, name the folder above, or look like an option.
    let start = name.find(|c: char| !".- +".contains(c)).unwrap_or(name.len());
    name.replace_range(..start, if start > 0 { "_" } else { "" });
    while name.len() > MAX_BYTES || name.ends_with(['.', ' ']) {
        name.pop();
    }
    if name == slide && !name.is_empty() {
        return name;
    }
    let digest = Sha256::digest(slide.as_bytes());
    let [a, b, c, d, ..] = <[u8; 32]>::from(digest);
    format!("{name}-{:08x}", u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn hostile_names_are_names_of_files() {
        for name in
            ["../x", "/etc/x", "=cmd", "<script>", ".", "..", "", "a\0b", "-rf", "C:\\x", "\n"]
        {
            let file = file_name(name);
            assert!(!file.contains(['/', '\\', '\0', '\n', ':', '<', '=']), "{name:?} {file:?}");
            assert!(!file.starts_with(['.', '-']) || name.is_empty(), "{name:?} {file:?}");
            assert!(file.len() > 8, "{name:?} {file:?}");
        }
        let long = "ä".repeat(500);
        assert!(file_name(&long).len() < 140);
        assert_ne!(file_name(&long), file_name(&"ä".repeat(501)));
    }

    #[test]
    fn ordinary_names_stay() {
        for name in ["CMU-1", "S 12.3", "Präparat 4", "a+b", "slide.v2"] {
            assert_eq!(file_name(name), name);
        }
    }
}
