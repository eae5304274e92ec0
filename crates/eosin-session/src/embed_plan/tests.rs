// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eosin_core::{Contract, Fingerprint, TileMeta};
use eosin_store::{RowKey, imported_contract};

use super::{EmbedPlan, Planned, asks_to_replace};

fn set() -> Fingerprint {
    Contract::fingerprint(&imported_contract("test", "test", 1))
}

fn tile(id: &str, source: &str, digest: &str) -> TileMeta {
    TileMeta { source: source.into(), source_digest: digest.into(), ..TileMeta::named(id, 1) }
}

fn committed(rows: &[(&str, &str, &str)]) -> BTreeMap<RowKey, Arc<str>> {
    rows.iter()
        .map(|(id, source, digest)| (RowKey::new(*id, *digest, 0), Arc::from(*source)))
        .collect()
}

fn plan(tiles: &[TileMeta], committed: &BTreeMap<RowKey, Arc<str>>) -> EmbedPlan {
    EmbedPlan::new(&Planned { tiles, only: None, n_views: 1, batch_size: 2, committed })
}

#[test]
fn a_tile_is_there_by_its_id_and_content_wherever_it_lies() {
    let there = committed(&[("x", "/a/x", "d1"), ("y", "/a/y", "d2")]);
    let moved = plan(&[tile("x", "/b/x", "d1"), tile("y", "/b/y", "d2")], &there);
    assert_eq!((moved.n_kept, moved.batches.len(), moved.n_replaced), (2, 0, 0));
    let other = plan(&[tile("x", "/b/x", "d3")], &there);
    assert_eq!((other.n_kept, other.batches, other.n_replaced), (0, vec![vec![0]], 0));
}

#[test]
fn rows_of_a_changed_file_go_with_their_successors_and_those_of_lost_tiles_with_the_last() {
    let there = committed(&[
        ("s:0", "/s", "old"),
        ("s:1", "/s", "old"),
        ("s:2", "/s", "old"),
        ("s:0", "/elsewhere/s", "other"),
    ]);
    let found = plan(&[tile("s:0", "/s", "new"), tile("s:1", "/s", "new")], &there);
    assert_eq!(found.n_replaced, 3);
    let row = |id: &str, digest: &str| RowKey::new(id, digest, 0);
    assert_eq!(found.superseded[&row("s:0", "new")], [row("s:0", "old")]);
    let last: BTreeSet<_> = found.superseded[&row("s:1", "new")].iter().cloned().collect();
    assert_eq!(last, BTreeSet::from([row("s:1", "old"), row("s:2", "old")]));
    assert!(found.outdated.is_empty());
}

#[test]
fn rows_of_a_file_whose_successors_are_there_are_outdated() {
    let there = committed(&[("x", "/x", "old"), ("x", "/copy/x", "new")]);
    let found = plan(&[tile("x", "/x", "new")], &there);
    assert_eq!((found.n_kept, found.batches.len()), (1, 0));
    assert_eq!(found.outdated, BTreeSet::from([RowKey::new("x", "old", 0)]));
}

#[test]
fn a_file_that_cannot_be_read_makes_nothing_stale() {
    let there = committed(&[("x", "/a/x", "d1"), ("x", "/b/x", "d2"), ("y", "/gone/y", "d3")]);
    let tiles = [tile("x", "/a/x", ""), tile("y", "/here/y", ""), tile("z", "/a/z", "")];
    let found = plan(&tiles, &there);
    // By its own path; by the only rows of its id; and not at all.
    let expected = [("x".to_string(), "d1".to_string()), ("y".to_string(), "d3".to_string())];
    assert_eq!(found.kept_as, BTreeMap::from(expected));
    assert_eq!((found.n_kept, found.batches, found.n_replaced), (2, vec![vec![2]], 0));
    let ambiguous = plan(&[tile("x", "/c/x", "")], &there);
    assert_eq!(ambiguous.n_kept, 0);
}

#[test]
fn a_file_that_still_is_at_its_path_is_not_taken_for_one_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("x");
    std::fs::write(&theirs, "theirs").unwrap();
    let there = committed(&[("x", theirs.to_str().unwrap(), "d1")]);
    assert_eq!(plan(&[tile("x", "/ours/x", "")], &there).n_kept, 0);
}

#[test]
fn many_rows_are_replaced_by_leave_alone() {
    let rows = |n: usize, digest: &str| -> Vec<TileMeta> {
        (0..n).map(|i| tile(&format!("t{i}"), &format!("/t{i}"), digest)).collect()
    };
    let there: BTreeMap<RowKey, Arc<str>> =
        rows(300, "old").iter().map(|t| (RowKey::of(t, 0), Arc::from(t.source.as_str()))).collect();
    let check = |n_changed: usize, n: usize| {
        let mut tiles = rows(n, "old");
        tiles.iter_mut().take(n_changed).for_each(|t| t.source_digest = "new".into());
        let plan = plan(&tiles, &there);
        assert_eq!(plan.n_replaced, n_changed);
        assert!(plan.check_replaced(&set(), true).is_ok());
        plan.check_replaced(&set(), false)
    };
    assert!(check(19, 19).is_ok(), "a few");
    assert!(check(30, 300).is_ok(), "a tenth");
    let refused = check(31, 300).unwrap_err();
    assert!(asks_to_replace(&refused));
    let said = format!("{refused} {}", refused.hint());
    assert!(said.contains("31 of 300") && said.contains("--replace"), "{said}");
    assert!(check(20, 20).is_err());
}
