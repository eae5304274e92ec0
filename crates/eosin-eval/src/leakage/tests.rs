// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

fn tile<'a>(
    id: &'a str,
    group: &'a str,
    split: &'a str,
    label: &'a str,
    digest: &'a str,
) -> TileRow<'a> {
    TileRow { id, group, split, label, digest: (!digest.is_empty()).then_some(digest) }
}

#[test]
fn a_clean_split_passes() {
    let report = check(&[
        tile("a", "p1", "train", "x", "1"),
        tile("b", "p1", "train", "x", "1"),
        tile("c", "p2", "test", "y", "2"),
        tile("d", "p3", "test", "y", ""),
        tile("e", "p4", "train", "x", ""),
    ]);
    assert!(report.is_clean());
    report.ensure_clean().unwrap();
    assert!(report.describe().is_empty());
}

#[test]
fn a_group_in_two_splits_is_named_with_rows() {
    let report = check(&[
        tile("a", "p1", "train", "x", ""),
        tile("b", "p1", "test", "x", ""),
        tile("c", "p1", "test", "x", ""),
    ]);
    assert_eq!(report.shared_groups[0].splits, ["test", "train"]);
    assert_eq!(report.shared_groups[0].counts, [2, 1]);
    let error = report.ensure_clean().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("group p1") && text.contains("a (train)") && text.contains("b (test)"),
        "{text}"
    );
}

#[test]
fn identical_tiles_across_splits_are_found() {
    let report = check(&[
        tile("a", "p1", "train", "x", "d"),
        tile("b", "p2", "test", "x", "d"),
        tile("c", "p3", "test", "x", "e"),
    ]);
    assert_eq!(report.shared_tiles[0].rows, ["a", "b"]);
    assert!(report.conflicting_labels.is_empty());
    assert!(report.ensure_clean().unwrap_err().to_string().contains("the same tile"));
}

#[test]
fn identical_tiles_with_two_labels_are_found_within_a_split() {
    let report = check(&[tile("a", "p1", "test", "x", "d"), tile("b", "p1", "test", "y", "d")]);
    assert!(report.shared_tiles.is_empty());
    assert_eq!(report.conflicting_labels[0].labels, ["x", "y"]);
    let text = report.ensure_clean().unwrap_err().to_string();
    assert!(text.contains("a (x), b (y)"), "{text}");
    assert_eq!(report.describe().len(), 1);
}
