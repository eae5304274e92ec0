// SPDX-License-Identifier: MIT OR Apache-2.0

/// Whether `length` bytes from the first of `starts` lie in a file of `file_bytes`, and the other
/// starts too.
///
/// What a file's own directory says is checked with it before the file is read: damaged numbers may
/// be negative or larger than any file, on which readers panic.
pub fn lies_inside(file_bytes: u64, starts: &[i64], length: i64) -> bool {
    let inside = |at: i64| u64::try_from(at).is_ok_and(|at| at <= file_bytes);
    let first = starts.first().copied().unwrap_or(0);
    length >= 0
        && starts.iter().all(|start| inside(*start))
        && first.checked_add(length).is_some_and(inside)
}

#[cfg(test)]
mod tests {
    use super::lies_inside;

    #[test]
    fn parts_outside_the_file_are_told() {
        assert!(
            lies_inside(10, &[0], 10) && lies_inside(10, &[4, 10], 6) && lies_inside(0, &[], 0)
        );
        let outside: [(&[i64], i64); 6] =
            [(&[1], 10), (&[-1], 1), (&[1], -1), (&[2, -1], 1), (&[2, 11], 1), (&[i64::MAX], 1)];
        for (starts, length) in outside {
            assert!(!lies_inside(10, starts, length), "{starts:?} {length}");
        }
    }
}
