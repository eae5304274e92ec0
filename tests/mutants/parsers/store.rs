// SPDX-License-Identifier: MIT OR Apache-2.0

//! The files of an embedding store.

use std::path::{Path, PathBuf};

use eosin::crates::core::{Contract, EmbeddingStore, Fingerprint, NoProgress, Result};
use eosin::crates::store::ParquetStore;
use eosin_testkit::conformance;
use eosin_testkit::mutants::{Alphabet, MutantParser, Seed};
use serde_json::Value;
use tempfile::TempDir;

/// A store of one set, with two commits.
pub struct SmallStore {
    pub folder: TempDir,
    pub store: ParquetStore,
    pub set: Fingerprint,
}

pub fn small_store() -> SmallStore {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ParquetStore::open(folder.path().join("store")).expect("a store");
    let contract = conformance::contract("any");
    for first in [0, 40] {
        let mut writer = store.writer(&contract).expect("a writer");
        writer.append(conformance::embedding_batch(&contract, first, 30)).expect("rows");
        writer.commit().expect("a commit");
    }
    SmallStore { folder, store, set: contract.fingerprint() }
}

impl SmallStore {
    fn set_folder(&self) -> PathBuf {
        self.store.root().join(self.set.as_str())
    }

    /// The files of a folder of the set, in order.
    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let entries =
            std::fs::read_dir(self.set_folder().join(folder)).expect("a folder of the set");
        let mut files: Vec<PathBuf> = entries.map(|e| e.expect("a file").path()).collect();
        files.sort();
        files
    }
}

/// Everything that is read of a store.
fn read_store(store: &ParquetStore, set: &Fingerprint) -> Result<()> {
    let sets = store.sets().map(drop);
    let verified = store.verify(set, &NoProgress).map(drop);
    let committed = store.committed(set).map(drop);
    let rows = store.read_rows(set, &[0, 3]).map(drop);
    let scanned = store.scan(set, &mut |_| Ok(()));
    let all = store.read_all(set).map(drop);
    sets.and(verified).and(committed).and(rows).and(scanned).and(all)
}

/// Shards, under the name and with the length that the log says.
pub fn shard() -> MutantParser {
    let small = small_store();
    let shards =
        small.files("shards").into_iter().filter(|p| p.extension().is_some_and(|e| e == "parquet"));
    let seeds: Vec<Seed> = shards.map(|path| Seed::file(&path)).collect();
    let entry_path = small.files("_log").swap_remove(0);
    let entry: Value = serde_json::from_slice(&std::fs::read(&entry_path).unwrap()).unwrap();
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: &[
            b"PAR1",
            b"\x15\x00",
            b"\x15\x02",
            b"\x2c",
            b"\x19\x4c",
            b"eosin.contract",
            b"eosin.format",
            b"\xff\xff\xff\x7f",
            b"tile_id",
        ],
        seeds,
        read: Box::new(move |_, bytes| {
            let copy = tempfile::tempdir().expect("a folder");
            let set = copy.path().join(small.set.as_str());
            for folder in ["shards", "_log"] {
                std::fs::create_dir_all(set.join(folder)).expect("a folder");
            }
            std::fs::copy(small.set_folder().join("contract.json"), set.join("contract.json"))
                .expect("a copy");
            let digest = blake3::hash(bytes).to_hex().to_string();
            let mut entry = entry.clone();
            let add = &mut entry["adds"][0];
            add["bytes"] = Value::from(bytes.len());
            add["name"] = Value::from(&digest[..32]);
            add["blake3"] = Value::from(digest.as_str());
            let logged = set.join("_log").join(entry_path.file_name().expect("a name"));
            std::fs::write(logged, entry.to_string()).expect("room for an entry");
            let shard = set.join("shards").join(format!("{}.parquet", &digest[..32]));
            std::fs::write(shard, bytes).expect("room for a shard");
            read_store(&ParquetStore::open(copy.path())?, &small.set)
        }),
    }
}

/// Entries of the log, in place of the second.
pub fn log() -> MutantParser {
    let small = small_store();
    let entries = small.files("_log");
    let last = entries[1].clone();
    let seeds = vec![Seed::file(&last)];
    MutantParser {
        alphabet: Alphabet::Text,
        words: &[
            b"\"format\"",
            b"\"version\"",
            b"\"adds\"",
            b"\"removes\"",
            b"\"order\"",
            b"\"name\"",
            b"\"rows\"",
            b"\"bytes\"",
            b"\"blake3\"",
            b"\"dtype\"",
            b"\"cold\"",
            b"true",
            b"\"f32\"",
            b"2",
            b"../",
            b"30",
            b"4294967295",
        ],
        seeds,
        read: Box::new(move |_, text| {
            // The whole store is kept, its folder too.
            let small = &small;
            std::fs::write(&last, text).expect("room for an entry");
            read_store(&small.store, &small.set)
        }),
    }
}

/// Contracts, in the folder of their fingerprint where they have one.
pub fn contract() -> MutantParser {
    let small = small_store();
    let seeds = vec![Seed::file(&small.set_folder().join("contract.json"))];
    MutantParser {
        alphabet: Alphabet::Text,
        words: &[
            b"\"dim\"",
            b"4294967295",
            b"0",
            b"\"tile_um\"",
            b"null",
            b"1e400",
            b"\"version\"",
            b"\"architecture\"",
            b"{}",
            b"\"view\"",
        ],
        seeds,
        read: Box::new(move |_, text| {
            let known = serde_json::from_slice::<Contract>(text).map(|c| c.fingerprint());
            let set = known.unwrap_or_else(|_| small.set.clone());
            let copy = tempfile::tempdir().expect("a folder");
            copy_folder(&small.set_folder(), &copy.path().join(set.as_str()));
            std::fs::write(copy.path().join(set.as_str()).join("contract.json"), text)
                .expect("room");
            let store = ParquetStore::open(copy.path())?;
            // Of another contract than its shards', a set is refused where its rows are read.
            let sets = store.sets().map(drop);
            let _ = read_store(&store, &set);
            sets
        }),
    }
}

/// Training caches, which are made from shards and trusted no more than these.
pub fn cache() -> MutantParser {
    let small = small_store();
    small.store.training_cache(&small.set).expect("a cache");
    let file = small.files("cache").swap_remove(0);
    let seeds = vec![Seed::file(&file)];
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: &[b"ARROW1\0\0", b"\xff\xff\xff\xff", b"\x10\0\0\0", b"\0\0\x0a\0"],
        seeds,
        read: Box::new(move |_, bytes| {
            // The whole store is kept, its folder too.
            let small = &small;
            // Whatever was put in its place: a damaged cache is made anew.
            let _ = std::fs::remove_file(&file);
            std::fs::write(&file, bytes).expect("room for a cache");
            small.store.training_cache(&small.set)?.into_matrix().map(drop)
        }),
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder to copy") {
        let entry = entry.expect("a file");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
