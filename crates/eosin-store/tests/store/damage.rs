// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs;
use std::path::Path;

use eosin_core::{EmbeddingStore, Fingerprint, NoProgress};
use eosin_store::{ParquetStore, RowKey};

use crate::support::{commit, contract, first_shard, rows, scan};

fn damaged_store(root: &Path) -> (ParquetStore, Fingerprint) {
    let store = ParquetStore::open(root).unwrap();
    let contract = contract(16);
    commit(&store, &contract, rows(&contract, "a", 0..500));
    commit(&store, &contract, rows(&contract, "b", 0..500));
    (store, contract.fingerprint())
}

#[test]
fn a_sound_set_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let (store, set) = damaged_store(folder.path());
    let report = store.verify(&set, &NoProgress).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.n_shards, report.n_rows, report.version), (2, 1000, 2));
}

#[test]
fn a_flipped_bit_anywhere_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (store, set) = damaged_store(folder.path());
    let shard = first_shard(folder.path(), &set);
    let sound = fs::read(&shard).unwrap();
    for at in (0..sound.len()).step_by(sound.len() / 97) {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&shard, bytes).unwrap();
        let report = store.verify(&set, &NoProgress).unwrap();
        assert_eq!(report.problems.len(), 1, "byte {at}");
        assert_eq!(report.problems[0].path, shard);
        assert!(report.problems[0].what.contains("BLAKE3"));
        // A scan may succeed with other numbers or fail, but must not panic.
        let _ = scan(&store, &set);
        let _ = store.committed(&set);
    }
}

#[test]
fn a_truncated_shard_is_named_by_readers_and_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let (store, set) = damaged_store(folder.path());
    let shard = first_shard(folder.path(), &set);
    let sound = fs::read(&shard).unwrap();
    for keep in [0, 3, sound.len() / 2, sound.len() - 1] {
        fs::write(&shard, &sound[..keep]).unwrap();
        let report = store.verify(&set, &NoProgress).unwrap();
        assert_eq!(report.problems.len(), 1);
        assert_eq!(report.problems[0].path, shard);
        let error = scan(&store, &set).unwrap_err().to_string();
        let name = shard.file_name().unwrap().to_str().unwrap();
        assert!(error.contains(name) && error.contains(&keep.to_string()), "{error}");
    }
    fs::remove_file(&shard).unwrap();
    let report = store.verify(&set, &NoProgress).unwrap();
    assert_eq!(report.problems[0].path, shard);
}

#[test]
fn a_damaged_log_is_an_error_that_names_the_entry() {
    type Damage = fn(&Path);
    let cases: [(Damage, &str, &str); 5] = [
        (|log| fs::remove_file(log.join(format!("{:020}.json", 1))).unwrap(), "00001.json", "none"),
        (|log| fs::write(log.join(format!("{:020}.json", 2)), "{").unwrap(), "00002.json", "EOF"),
        (
            |log| {
                let entry = r#"{"format":3,"version":2,"adds":[],"removes":[]}"#;
                fs::write(log.join(format!("{:020}.json", 2)), entry).unwrap();
            },
            "00002.json",
            "format 3",
        ),
        (
            |log| {
                let entry = r#"{"format":2,"version":2,"adds":[{"name":"../../x","rows":1,"bytes":1,"blake3":"","dtype":"f16"}],"removes":[]}"#;
                fs::write(log.join(format!("{:020}.json", 2)), entry).unwrap();
            },
            "00002.json",
            "../../x",
        ),
        (
            |log| {
                let entry = r#"{"format":2,"version":2,"adds":[],"removes":[],"order":[]}"#;
                fs::write(log.join(format!("{:020}.json", 2)), entry).unwrap();
            },
            "00002.json",
            "order",
        ),
    ];
    for (damage, file, says) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (store, set) = damaged_store(folder.path());
        damage(&folder.path().join(set.as_str()).join("_log"));
        for error in [store.sets().unwrap_err(), store.verify(&set, &NoProgress).unwrap_err()] {
            let text = error.to_string();
            assert!(text.contains(file) && text.contains(says), "{text}");
        }
    }
}

#[test]
fn a_changed_contract_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, set) = damaged_store(folder.path());
    let path = folder.path().join(set.as_str()).join("contract.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"mean\"", "\"cls\"");
    fs::write(&path, text).unwrap();
    assert!(store.sets().unwrap_err().to_string().contains("contract.json"));
}

#[test]
fn a_shard_of_another_set_is_refused_with_the_fields_that_differ() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let (ours, mut theirs) = (contract(16), contract(16));
    theirs.pooling = "cls".into();
    for contract in [&ours, &theirs] {
        commit(&store, contract, rows(contract, "a", 0..10));
    }
    // Their shard under our log, as if somebody had copied files about.
    let our_set = folder.path().join(ours.fingerprint().as_str());
    let their_set = folder.path().join(theirs.fingerprint().as_str());
    let entry = format!("_log/{:020}.json", 1);
    fs::copy(their_set.join(&entry), our_set.join(&entry)).unwrap();
    let shard = first_shard(folder.path(), &theirs.fingerprint());
    fs::copy(&shard, our_set.join("shards").join(shard.file_name().unwrap())).unwrap();
    let error = scan(&store, &ours.fingerprint()).unwrap_err().to_string();
    assert!(error.contains("pooling"), "{error}");
}

#[test]
fn rows_committed_twice_and_equal_rows_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(4);
    let mut twins = rows(&contract, "a", 0..2);
    let first = twins.embeddings.row(0).to_vec();
    twins.embeddings.row_mut(1).copy_from_slice(&first);
    let ids: Vec<_> = twins.metas.iter().map(|m| RowKey::of(m, 0)).collect();
    commit(&store, &contract, twins);
    let report = store.verify(&contract.fingerprint(), &NoProgress).unwrap();
    assert!(report.is_clean());
    assert_eq!(report.same_content, [(ids[0].clone(), ids[1].clone())]);

    commit(&store, &contract, rows(&contract, "a", 1..3));
    let report = store.verify(&contract.fingerprint(), &NoProgress).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.committed_again.len(), 1);
    assert_eq!(report.committed_again[0].0, ids[1]);
    store.compact(&contract.fingerprint()).unwrap();
    let report = store.verify(&contract.fingerprint(), &NoProgress).unwrap();
    assert!(report.is_clean() && report.committed_again.is_empty(), "{report:?}");
}
