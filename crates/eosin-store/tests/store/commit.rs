// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs;

use eosin_core::EmbeddingStore;
use eosin_store::{MemoryStore, ParquetStore};

use crate::support::{commit, contract, files, rows, scan};

#[test]
fn nothing_is_visible_before_the_commit_and_all_of_it_after() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(4);
    let stores: [&dyn EmbeddingStore; 2] =
        [&MemoryStore::new(), &ParquetStore::open(folder.path()).unwrap()];
    for store in stores {
        let mut writer = store.writer(&contract).unwrap();
        writer.append(rows(&contract, "a", 0..3)).unwrap();
        writer.append(rows(&contract, "b", 0..2)).unwrap();
        assert!(store.sets().unwrap().is_empty());
        assert_eq!(writer.commit().unwrap(), 1);
        assert_eq!(store.sets().unwrap()[0].n_rows, 5);
        assert_eq!(writer.commit().unwrap(), 1, "an empty commit is none");
        writer.append(rows(&contract, "c", 0..1)).unwrap();
        assert_eq!(writer.commit().unwrap(), 2);
        assert_eq!(scan(store, &contract.fingerprint()).unwrap().metas.len(), 6);
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path().join("new")).unwrap();
    let contract = contract(4);
    let mut writer = store.writer(&contract).unwrap();
    writer.append(rows(&contract, "a", 0..9000)).unwrap();
    drop(writer);
    assert!(files(folder.path()).is_empty());
    assert!(store.sets().unwrap().is_empty());
}

#[test]
fn writers_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(4);
    let set = contract.fingerprint();
    let (n_writers, n_commits) = (4, 25);
    std::thread::scope(|scope| {
        for w in 0..n_writers {
            let (contract, root) = (contract.clone(), folder.path());
            scope.spawn(move || {
                let store = ParquetStore::open(root).unwrap();
                let mut writer = store.writer(&contract).unwrap();
                for c in 0..n_commits {
                    writer.append(rows(&contract, &format!("w{w}c{c}"), 0..3)).unwrap();
                    writer.commit().unwrap();
                    // A reader in between sees whole commits only.
                    let rows = scan(&store, &contract.fingerprint()).unwrap().metas.len();
                    assert_eq!(rows % 3, 0);
                }
            });
        }
    });
    let store = ParquetStore::open(folder.path()).unwrap();
    assert_eq!(store.read_all(&set).unwrap().metas.len(), n_writers * n_commits * 3);
    assert_eq!(store.sets().unwrap()[0].version, (n_writers * n_commits) as u64);
    assert!(store.verify(&set, &eosin_core::NoProgress).unwrap().is_clean());
}

#[test]
fn two_writers_of_the_same_rows_keep_them_once() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(4);
    let store = ParquetStore::open(folder.path()).unwrap();
    let mut writers = [store.writer(&contract).unwrap(), store.writer(&contract).unwrap()];
    for writer in &mut writers {
        writer.append(rows(&contract, "a", 0..3)).unwrap();
    }
    let versions = writers.map(|mut w| w.commit().unwrap());
    assert_eq!(versions, [1, 2]);
    assert_eq!(scan(&store, &contract.fingerprint()).unwrap().metas.len(), 3);
}

#[test]
fn the_same_work_gives_the_same_files() {
    let contract = contract(6);
    let work = || {
        let folder = tempfile::tempdir().unwrap();
        let store = ParquetStore::open(folder.path()).unwrap();
        commit(&store, &contract, rows(&contract, "a", 0..100));
        commit(&store, &contract, rows(&contract, "b", 0..50));
        files(folder.path())
    };
    assert_eq!(work(), work());
}

#[test]
fn the_contract_can_be_read_from_its_file_and_from_every_shard() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(6);
    let store = ParquetStore::open(folder.path()).unwrap();
    commit(&store, &contract, rows(&contract, "a", 0..2));
    let set = contract.fingerprint();
    let text = fs::read_to_string(folder.path().join(set.as_str()).join("contract.json")).unwrap();
    assert_eq!(text, contract.canonical());
    let shard = fs::read(crate::support::first_shard(folder.path(), &set)).unwrap();
    let holds = |text: &str| shard.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(holds(&contract.canonical()) && holds(set.as_str()));
}

#[test]
fn a_file_where_the_store_should_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "text").unwrap();
    let error = ParquetStore::open(&path).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
    let store = ParquetStore::open(path.join("below")).unwrap();
    let contract = contract(1);
    assert!(store.writer(&contract).is_err());
}
