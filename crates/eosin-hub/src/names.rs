// SPDX-License-Identifier: MIT OR Apache-2.0

//! Names that become parts of addresses and of paths: nothing in them may leave the repository.

use eosin_core::{Error, Result};

/// Refuses names of repositories, revisions and files that are none.
pub fn check(repo: &str, revision: &str, file: &str) -> Result<()> {
    let parts: Vec<&str> = repo.split('/').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_plain(part)) {
        return Err(refused("repository", "owner/name", repo));
    }
    if !revision.split('/').all(is_plain) {
        return Err(refused("revision", "a branch, tag or commit", revision));
    }
    if !file.split('/').all(is_plain) {
        return Err(refused("file", "a path within the repository", file));
    }
    Ok(())
}

/// Whether a name is one part of a path and no way out of it.
pub fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "-_.+ @=".contains(c);
    !name.is_empty()
        && name != "."
        && name.len() <= 200
        && !name.starts_with("..")
        && name.chars().all(allowed)
}

/// Whether a revision is a commit's whole name, which no hub gives to anything else.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A path in an address: every byte that is not plain there is written in hexadecimal.
pub fn escaped(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            other => {
                text.push('%');
                for digit in [other >> 4, other & 15] {
                    text.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
    }
    text
}

fn refused(what: &str, expected: &str, found: &str) -> Error {
    Error::input(
        format!("{what} on the hub"),
        expected,
        format!("`{found}`"),
        "write it as the hub's page shows it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_repository() {
        assert!(check("MahmoodLab/UNI2-h", "main", "sub folder/model+1.bin").is_ok());
        assert!(check("gpt2", "refs/pr/1", "a").is_ok());
        for (repo, revision, file) in [
            ("a/b/c", "main", "f"),
            ("../b", "main", "f"),
            ("a/b", "..", "f"),
            ("a/b", ".", "f"),
            ("a/b", "main", "../f"),
            ("a/b", "main", "/etc/passwd"),
            ("a/b", "main", "a\\b"),
            ("a/b", "main", "a?b"),
            ("", "main", "f"),
            ("a/b", "", "f"),
        ] {
            assert!(check(repo, revision, file).is_err(), "{repo} {revision} {file}");
        }
    }

    #[test]
    fn addresses_are_escaped() {
        assert_eq!(escaped("sub folder/modèle+1.bin"), "sub%20folder/mod%C3%A8le%2B1.bin");
    }
}
