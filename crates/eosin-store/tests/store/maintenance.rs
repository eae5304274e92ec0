// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use eosin_core::{EmbeddingStore, Matrix, NoProgress};
use eosin_store::{GcReport, MIN_AGE, ParquetStore, RowKey, StoreOptions};

use crate::support::{commit, contract, meta, rows, scan, value};

fn key(slide: &str, i: usize) -> RowKey {
    RowKey::of(&meta(slide, i), 0)
}

#[test]
fn removed_rows_are_gone_and_the_others_stay_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(3);
    let set = contract.fingerprint();
    for slide in ["a", "b", "c"] {
        commit(&store, &contract, rows(&contract, slide, 0..4));
    }
    let gone = BTreeSet::from([key("a", 1), key("b", 0), key("b", 1), key("b", 2), key("b", 3)]);
    assert_eq!(store.remove_rows(&set, &gone).unwrap(), 5);
    assert_eq!(store.remove_rows(&set, &gone).unwrap(), 0);
    let left = scan(&store, &set).unwrap();
    let expected = [("a", 0), ("a", 2), ("a", 3), ("c", 0), ("c", 1), ("c", 2), ("c", 3)];
    assert_eq!(left.metas.len(), expected.len());
    for (row, (slide, i)) in expected.into_iter().enumerate() {
        assert_eq!(left.metas[row], meta(slide, i));
        assert_eq!(left.embeddings.row(row)[1].to_bits(), value(slide, i, 1).to_bits());
    }
    assert_eq!(store.sets().unwrap()[0].version, 4);
    // The rows come back as if they had never been there.
    commit(&store, &contract, rows(&contract, "b", 0..4));
    assert_eq!(scan(&store, &set).unwrap().metas.len(), 11);
    assert!(store.verify(&set, &NoProgress).unwrap().is_clean());
}

#[test]
fn removing_all_rows_leaves_an_empty_set_that_can_be_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(3);
    let set = contract.fingerprint();
    commit(&store, &contract, rows(&contract, "a", 0..2));
    store.remove_rows(&set, &BTreeSet::from([key("a", 0), key("a", 1)])).unwrap();
    assert_eq!(store.read_all(&set).unwrap().metas.len(), 0);
    commit(&store, &contract, rows(&contract, "a", 0..2));
    assert_eq!(store.read_all(&set).unwrap().metas.len(), 2);
}

#[test]
fn compacting_keeps_rows_and_order_and_drops_what_was_superseded() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { min_shard_rows: 50, max_shard_rows: 120, ..StoreOptions::default() };
    let store = ParquetStore::open_with(folder.path(), options).unwrap();
    let contract = contract(3);
    let set = contract.fingerprint();
    for first in (0..300).step_by(10) {
        commit(&store, &contract, rows(&contract, "a", first..first + 10));
        if first == 150 {
            commit(&store, &contract, rows(&contract, "big", 0..100));
        }
    }
    let before = store.read_all(&set).unwrap();
    let mut newer = rows(&contract, "a", 5..6);
    newer.embeddings = Matrix::new(1, 3, vec![1.0, 2.0, 3.0]).unwrap();
    commit(&store, &contract, newer);
    let report = store.compact(&set).unwrap();
    assert_eq!((report.shards_before, report.rows_dropped), (32, 1));
    assert!(report.shards_after <= 5, "{report:?}");
    let after = scan(&store, &set).unwrap();
    // The superseded row is gone from its old place; its successor is where it was committed.
    let mut expected = before.metas.clone();
    let moved = expected.remove(5);
    expected.push(moved);
    assert_eq!(after.metas, expected);
    assert_eq!(after.embeddings.row(399), [1.0, 2.0, 3.0]);
    assert!(store.verify(&set, &NoProgress).unwrap().is_clean());
    let again = store.compact(&set).unwrap();
    assert_eq!(again.shards_before, again.shards_after);
}

#[test]
fn compacting_makes_cold_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(256);
    let set = contract.fingerprint();
    let store = ParquetStore::open(folder.path()).unwrap();
    commit(&store, &contract, rows(&contract, "a", 0..5000));
    commit(&store, &contract, rows(&contract, "b", 0..3000));
    let (before, warm) = (scan(&store, &set).unwrap(), store.sets().unwrap()[0].n_bytes);
    let options = StoreOptions { cold: true, ..StoreOptions::default() };
    let cold = ParquetStore::open_with(folder.path(), options).unwrap();
    assert_eq!(cold.compact(&set).unwrap().shards_after, 2);
    assert!(cold.sets().unwrap()[0].n_bytes < warm * 9 / 10, "{warm} bytes before");
    // Whoever reads or compacts without the option leaves it as it is.
    assert_eq!(scan(&store, &set).unwrap(), before);
    assert_eq!(store.compact(&set).unwrap(), cold.compact(&set).unwrap());
    assert_eq!(
        store.read_rows(&set, &[7, 4999, 5000]).unwrap(),
        before.embeddings.select(&[7, 4999, 5000])
    );
    let cache = store.training_cache(&set).unwrap();
    assert_eq!(cache.values(), before.embeddings.values());
    assert!(store.verify(&set, &NoProgress).unwrap().is_clean());
    assert_eq!(store.sets().unwrap()[0].version, 3, "one change, after two commits");
}

#[test]
fn gc_sweeps_what_is_not_live_and_nothing_young() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(3);
    let set = contract.fingerprint();
    for first in [0, 10, 20] {
        commit(&store, &contract, rows(&contract, "a", first..first + 10));
    }
    let before = store.read_all(&set).unwrap();
    store.compact(&set).unwrap();
    let paths = folder.path().join(set.as_str());
    fs::write(paths.join(".tmp-1-0"), "cut off").unwrap();
    fs::write(paths.join("_log/.tmp-1-1"), "cut off").unwrap();
    fs::write(paths.join("notes.txt"), "not ours").unwrap();
    assert_eq!(store.gc(&set, MIN_AGE).unwrap(), GcReport::default());
    let report = store.gc(&set, Duration::ZERO).unwrap();
    assert_eq!(report.files, 5);
    assert_eq!(fs::read_dir(paths.join("shards")).unwrap().count(), 1);
    assert!(paths.join("notes.txt").exists());
    assert_eq!(store.read_all(&set).unwrap(), before);
    assert_eq!(store.gc(&set, Duration::ZERO).unwrap(), GcReport::default());
}

#[test]
fn compacting_and_appending_at_once_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(3);
    let set = contract.fingerprint();
    let store = ParquetStore::open(folder.path()).unwrap();
    commit(&store, &contract, rows(&contract, "first", 0..5));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let store = ParquetStore::open(folder.path()).unwrap();
            for c in 0..30 {
                commit(&store, &contract, rows(&contract, &format!("c{c}"), 0..5));
            }
        });
        scope.spawn(|| {
            for _ in 0..10 {
                // Under constant commits it may give up; it must not lose a row.
                let _ = store.compact(&set);
            }
        });
    });
    assert_eq!(store.read_all(&set).unwrap().metas.len(), 155);
    assert!(store.verify(&set, &NoProgress).unwrap().is_clean());
}
