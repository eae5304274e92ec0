// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rows that take the place of others, and tiles of one name that are not one tile.

use std::collections::BTreeSet;

use eosin_core::{EmbeddingBatch, EmbeddingStore, NoProgress};
use eosin_store::{ParquetStore, RowKey, Superseded, TileKey};

use crate::support::{commit, contract, meta, rows, scan};

/// Rows `range` of slide a as its file has them after a change.
fn changed(contract: &eosin_core::Contract, range: std::ops::Range<usize>) -> EmbeddingBatch {
    let mut batch = rows(contract, "a", range);
    for meta in &mut batch.metas {
        meta.source_digest = "changed".into();
    }
    batch
}

/// Each changed row for the one of its tile.
fn superseded(range: std::ops::Range<usize>) -> Superseded {
    range
        .map(|i| {
            (RowKey::new(meta("a", i).tile_id, "changed", 0), vec![RowKey::of(&meta("a", i), 0)])
        })
        .collect()
}

fn keys(store: &ParquetStore, set: &eosin_core::Fingerprint) -> BTreeSet<RowKey> {
    let all = scan(store, set).unwrap();
    all.metas.iter().zip(&all.views).map(|(m, v)| RowKey::of(m, *v)).collect()
}

#[test]
fn old_rows_go_in_the_commit_that_adds_their_successors() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(3);
    let set = contract.fingerprint();
    commit(&store, &contract, rows(&contract, "a", 0..4));
    commit(&store, &contract, rows(&contract, "b", 0..4));
    let before = keys(&store, &set);

    let mut writer = store.superseding_writer(&contract, superseded(0..4)).unwrap();
    writer.append(changed(&contract, 0..3)).unwrap();
    assert_eq!(keys(&store, &set), before, "nothing goes before the commit");
    let version = writer.commit().unwrap();
    let now = keys(&store, &set);
    for i in 0..4 {
        let (old, new) =
            (RowKey::of(&meta("a", i), 0), RowKey::new(meta("a", i).tile_id, "changed", 0));
        assert_eq!(now.contains(&old), i == 3, "row {i}");
        assert_eq!(now.contains(&new), i < 3, "row {i}");
    }
    assert_eq!(now.len(), 8, "slide b is whole");
    assert_eq!(store.sets().unwrap()[0].version, version, "it is one commit");
    // What is never appended removes nothing.
    drop(writer);
    assert_eq!(keys(&store, &set), now);
    assert!(store.verify(&set, &NoProgress).unwrap().is_clean());
}

#[test]
fn writers_that_supersede_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(3);
    let set = contract.fingerprint();
    commit(&store, &contract, rows(&contract, "a", 0..40));
    std::thread::scope(|scope| {
        for half in [0..20, 20..40] {
            let (store, contract) = (&store, &contract);
            scope.spawn(move || {
                for i in half {
                    let mut writer =
                        store.superseding_writer(contract, superseded(i..i + 1)).unwrap();
                    writer.append(changed(contract, i..i + 1)).unwrap();
                    writer.commit().unwrap();
                    commit(store, contract, rows(contract, "other", i..i + 1));
                }
            });
        }
    });
    let expected: BTreeSet<RowKey> = (0..40)
        .flat_map(|i| {
            let new = RowKey::new(meta("a", i).tile_id, "changed", 0);
            [new, RowKey::of(&meta("other", i), 0)]
        })
        .collect();
    assert_eq!(keys(&store, &set), expected);
    assert_eq!(scan(&store, &set).unwrap().metas.len(), 80);
    assert!(store.verify(&set, &NoProgress).unwrap().is_clean());
}

#[test]
fn tiles_of_one_name_are_read_by_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(3);
    let set = contract.fingerprint();
    commit(&store, &contract, rows(&contract, "a", 0..2));
    let mut other = changed(&contract, 0..2);
    for row in 0..2 {
        other.embeddings.row_mut(row).fill(0.5);
    }
    commit(&store, &contract, other);
    assert_eq!(store.read_all(&set).unwrap().metas.len(), 4);
    let id = meta("a", 1).tile_id;
    let read = |digest: &str| store.read_tiles(&set, &[TileKey::new(&id, digest)]);
    assert_eq!(read("changed").unwrap().embeddings.row(0), [0.5; 3]);
    assert_ne!(read("digest of a").unwrap().embeddings.row(0), [0.5; 3]);
    let error = read("gone").unwrap_err().to_string();
    assert!(error.contains(&id) && error.contains("other content"), "{error}");
}
