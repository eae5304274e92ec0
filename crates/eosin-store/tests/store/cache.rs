// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs;
use std::path::Path;
use std::time::Duration;

use eosin_core::Fingerprint;
use eosin_store::ParquetStore;

use crate::support::{commit, contract, rows};

fn caches(root: &Path, set: &Fingerprint) -> usize {
    fs::read_dir(root.join(set.as_str()).join("cache")).unwrap().count()
}

#[test]
fn the_cache_holds_what_a_scan_gives() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(7);
    let set = contract.fingerprint();
    commit(&store, &contract, rows(&contract, "a", 0..100));
    commit(&store, &contract, rows(&contract, "b", 0..11));
    let all = store.read_embeddings(&set).unwrap();
    for _ in ["made", "opened again"] {
        let cache = store.training_cache(&set).unwrap();
        assert_eq!((cache.n_rows(), cache.dim()), (111, 7));
        assert_eq!(cache.values(), all.values());
        assert_eq!(cache.row(105), all.row(105));
        assert_eq!(cache.into_matrix().unwrap(), all);
    }
    assert_eq!(caches(folder.path(), &set), 1);
}

#[test]
fn a_stale_cache_is_not_used_and_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(7);
    let set = contract.fingerprint();
    commit(&store, &contract, rows(&contract, "a", 0..10));
    let old = store.training_cache(&set).unwrap();
    commit(&store, &contract, rows(&contract, "b", 0..10));
    assert_eq!(store.training_cache(&set).unwrap().n_rows(), 20);
    assert_eq!(caches(folder.path(), &set), 2);
    store.gc(&set, Duration::ZERO).unwrap();
    assert_eq!(caches(folder.path(), &set), 1);
    // What is mapped stays readable although its file is gone.
    assert_eq!(old.values().len(), 70);
    assert_eq!(store.training_cache(&set).unwrap().n_rows(), 20);
}

#[test]
fn a_damaged_cache_is_refused_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(7);
    let set = contract.fingerprint();
    commit(&store, &contract, rows(&contract, "a", 0..10));
    drop(store.training_cache(&set).unwrap());
    let path = fs::read_dir(folder.path().join(set.as_str()).join("cache"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let sound = fs::read(&path).unwrap();
    for keep in 0..sound.len() {
        fs::write(&path, &sound[..keep]).unwrap();
        let error = store.training_cache(&set).unwrap_err();
        assert!(error.to_string().contains(".arrow"), "{error}");
    }
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 0xFF;
        fs::write(&path, bytes).unwrap();
        if let Ok(cache) = store.training_cache(&set) {
            assert_eq!(cache.values().len(), 70);
        }
    }
}
