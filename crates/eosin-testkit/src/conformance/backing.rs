// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_core::EmbeddingStore;
use eosin_store::{Backing, Draft, FileInfo, Listing, ParquetStore, StoreOptions};

use super::{contract, embedding_batch, embedding_store, must};

/// Longer than what is read, sent or fetched in one piece.
const LARGE: usize = 17_000_000;

/// Checks where a store's files may be; `new` gives an empty one at every call.
///
/// # Panics
///
/// When a duty of [`Backing`] is broken.
pub fn store_backing(new: &dyn Fn() -> Arc<dyn Backing>) {
    let backing = new();
    assert!(!backing.name().is_empty(), "name: expected where it is, found an empty string");
    nothing_is_there(backing.as_ref());
    what_is_there_stays(backing.as_ref());
    published_files_are_whole(backing.as_ref());
    folders_are_listed_alone(backing.as_ref());
    what_is_removed_is_gone(backing.as_ref());
    one_of_many_creates(new().as_ref());
    let store = must("a store on it", ParquetStore::on(new(), StoreOptions::default()));
    embedding_store(&store);
    what_one_commits_another_reads(&new());
}

fn nothing_is_there(backing: &dyn Backing) {
    for folder in ["", "set", "set/_log"] {
        let found = must("list", backing.list(folder));
        assert!(
            found == Listing::default(),
            "list: expected nothing in a folder that is not there, found {found:?}"
        );
    }
    let found = must("read of no file", backing.read("set/none"));
    assert!(found.is_none(), "read: expected nothing of a file that is not there");
    let found = must("open of no file", backing.open("set/none"));
    assert!(found.is_none(), "open: expected nothing of a file that is not there");
    must("remove of no file", backing.remove("set/none"));
}

fn what_is_there_stays(backing: &dyn Backing) {
    let created = must("create", backing.create("set/_log/1", b"first"));
    assert!(created, "create: expected true of a key that was free");
    let created = must("create", backing.create("set/_log/1", b"the second"));
    assert!(!created, "create: expected false of a key that was taken");
    let found = must("read", backing.read("set/_log/1"));
    assert!(
        found.as_deref() == Some(b"first".as_slice()),
        "create: expected the first file to stay, found another"
    );
}

fn published_files_are_whole(backing: &dyn Backing) {
    let bytes: Vec<u8> = (0..LARGE).map(|i| (i % 251) as u8).collect();
    for again in [false, true] {
        let draft = Draft::of_bytes(bytes.clone());
        let blake3 = draft.blake3().to_string();
        must("publish", backing.publish("set/shards/large", draft));
        must("fetch", backing.fetch("set/shards/large", &blake3));
        let found = must("read", backing.read("set/shards/large"));
        assert!(
            found.as_ref() == Some(&bytes),
            "publish{}: expected all bytes to come back",
            if again { " of what is there" } else { "" }
        );
    }
    let Some(file) = must("open", backing.open("set/shards/large")) else {
        panic!("open: expected the file that was published, found nothing")
    };
    assert!(
        file.n_bytes() == LARGE as u64,
        "open: expected {LARGE} bytes, found {}",
        file.n_bytes()
    );
    for (at, n) in [(0, 10), (9_000_001, 500), (LARGE - 3, 3), (LARGE, 0)] {
        let mut part = vec![0; n];
        let read = file.read_at(&mut part, at as u64);
        assert!(
            read.is_ok() && part == bytes[at..at + n],
            "read_at: expected the {n} bytes from {at} on, found others"
        );
    }
    assert!(
        file.read_at(&mut [0; 8], LARGE as u64 - 3).is_err(),
        "read_at: expected an error where the file ends before, found success"
    );
}

fn folders_are_listed_alone(backing: &dyn Backing) {
    for key in ["set/_log/2", "set/_log/10", "set/contract", "set10/contract", "other/_log/1"] {
        must("create", backing.create(key, key.as_bytes()));
    }
    let names = |listing: &Listing| -> Vec<String> {
        listing.files.iter().map(|file| file.key.clone()).collect()
    };
    let log = must("list", backing.list("set/_log"));
    assert!(
        names(&log) == ["set/_log/1", "set/_log/10", "set/_log/2"] && log.folders.is_empty(),
        "list: expected the files of the folder alone, in the order of their keys, found {log:?}"
    );
    let bytes: Vec<u64> = log.files.iter().map(|file: &FileInfo| file.n_bytes).collect();
    assert!(bytes == [5, 11, 10], "list: expected the length of each file, found {bytes:?}");
    let set = must("list", backing.list("set"));
    assert!(
        names(&set) == ["set/contract"] && set.folders == ["_log", "shards"],
        "list: expected the folder's own files, and its folders by name, found {set:?}"
    );
    let root = must("list", backing.list(""));
    assert!(
        root.files.is_empty() && root.folders == ["other", "set", "set10"],
        "list: expected the folders of the root in order, found {root:?}"
    );
}

fn what_is_removed_is_gone(backing: &dyn Backing) {
    for key in ["set/shards/large", "set/contract"] {
        let removed = must("remove", backing.remove(key));
        assert!(removed, "remove: expected true of a file that was there");
        let found = must("read", backing.read(key));
        assert!(found.is_none(), "remove: expected nothing where a file was, found it");
    }
    let names = must("list", backing.list("set/shards")).files;
    assert!(names.is_empty(), "remove: expected no file in the list, found {names:?}");
    let created = must("create", backing.create("set/contract", b"anew"));
    assert!(created, "remove: expected the key to be free again");
}

/// Commits stand on this.
fn one_of_many_creates(backing: &dyn Backing) {
    for round in 0..10 {
        let key = format!("set/_log/{round}");
        let barrier = std::sync::Barrier::new(4);
        let create = |writer: u8| {
            barrier.wait();
            must("create", backing.create(&key, &[writer; 100]))
        };
        let won: Vec<bool> = std::thread::scope(|scope| {
            let create = &create;
            let writers = [0_u8, 1, 2, 3].map(|writer| scope.spawn(move || create(writer)));
            writers.into_iter().map(|writer| writer.join().unwrap_or_default()).collect()
        });
        let n_won = won.iter().filter(|won| **won).count();
        assert!(n_won == 1, "create by four at once: expected one to succeed, found {n_won}");
        let winner = won.iter().position(|won| *won).unwrap_or_default() as u8;
        let found = must("read", backing.read(&key));
        assert!(
            found == Some(vec![winner; 100]),
            "create by four at once: expected the file of the one that succeeded, found another"
        );
    }
}

fn what_one_commits_another_reads(backing: &Arc<dyn Backing>) {
    let open = || must("a store on it", ParquetStore::on(backing.clone(), StoreOptions::default()));
    let (ours, theirs, contract) = (open(), open(), contract("shared"));
    for (store, first) in [(&ours, 0), (&theirs, 5), (&ours, 10)] {
        let mut writer = must("writer", store.writer(&contract));
        must("append", writer.append(embedding_batch(&contract, first, 5)));
        must("commit", writer.commit());
        let found = must("read", theirs.read_all(&contract.fingerprint()));
        assert!(
            found == embedding_batch(&contract, 0, first + 5),
            "two stores on it: expected what one commits to be seen by the other"
        );
    }
}
