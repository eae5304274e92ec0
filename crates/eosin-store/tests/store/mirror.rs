// SPDX-License-Identifier: MIT OR Apache-2.0

//! Stores in buckets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eosin_core::{EmbeddingStore, NoProgress};
use eosin_store::{MemoryObjects, Objects, ParquetStore, StoreOptions};

use crate::support::{commit, contract, rows, scan};

fn open(bucket: &Arc<dyn Objects>, mirror: &Path) -> ParquetStore {
    ParquetStore::open_mirror(bucket.clone(), mirror, StoreOptions::default()).unwrap()
}

/// What every bucket must do, whatever is behind it.
fn check(bucket: Arc<dyn Objects>) {
    conformance(bucket.as_ref());
    what_one_commits_another_reads(&bucket);
    writers_at_once_lose_nothing(&bucket);
    compacting_and_sweeping_keep_the_rows(&bucket);
}

fn conformance(bucket: &dyn Objects) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, vec![7; 20_000_000]).unwrap();
    assert!(bucket.read("probe/a").unwrap().is_none());
    assert!(bucket.create("probe/a", b"first").unwrap());
    assert!(!bucket.create("probe/a", b"second").unwrap());
    assert_eq!(bucket.read("probe/a").unwrap().unwrap(), b"first");
    bucket.upload("probe/b/c", &file).unwrap();
    let listed = bucket.list("probe/").unwrap();
    let told: Vec<_> = listed.iter().map(|o| (o.key.as_str(), o.bytes)).collect();
    assert_eq!(told, [("probe/a", 5), ("probe/b/c", 20_000_000)]);
    let mut bytes = Vec::new();
    assert!(bucket.download("probe/b/c", &mut bytes).unwrap());
    assert_eq!(bytes, std::fs::read(&file).unwrap());
    assert!(!bucket.download("probe/x", &mut bytes).unwrap());
    bucket.upload("probe/a", &file).unwrap();
    assert_eq!(bucket.read("probe/a").unwrap().unwrap().len(), 20_000_000);
    for key in ["probe/a", "probe/b/c", "probe/nothing"] {
        bucket.remove(key).unwrap();
    }
    assert!(bucket.list("probe/").unwrap().is_empty());
}

fn what_one_commits_another_reads(bucket: &Arc<dyn Objects>) {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ours, theirs) = (open(bucket, here.path()), open(bucket, there.path()));
    let contract = contract(6);
    let set = contract.fingerprint();
    assert!(theirs.sets().unwrap().is_empty());
    commit(&ours, &contract, rows(&contract, "a", 0..30));
    assert_eq!(theirs.sets().unwrap()[0].n_rows, 30);
    assert_eq!(scan(&theirs, &set).unwrap(), rows(&contract, "a", 0..30));
    commit(&theirs, &contract, rows(&contract, "b", 0..5));
    assert_eq!(scan(&ours, &set).unwrap().metas.len(), 35);
    assert_eq!(ours.committed(&set).unwrap().len(), 35);
    assert!(ours.verify(&set, &NoProgress).unwrap().is_clean());
    // A mirror can be thrown away.
    std::fs::remove_dir_all(there.path().join(set.as_str())).unwrap();
    assert_eq!(theirs.read_embeddings(&set).unwrap(), ours.read_embeddings(&set).unwrap());
    assert_eq!(theirs.training_cache(&set).unwrap().n_rows(), 35);
}

fn writers_at_once_lose_nothing(bucket: &Arc<dyn Objects>) {
    let contract = contract(4);
    let (n_writers, n_commits) = (2, 8);
    std::thread::scope(|scope| {
        for w in 0..n_writers {
            let contract = &contract;
            scope.spawn(move || {
                // Each has its own mirror, as on two machines.
                let folder = tempfile::tempdir().unwrap();
                let store = open(bucket, folder.path());
                let mut writer = store.writer(contract).unwrap();
                for c in 0..n_commits {
                    writer.append(rows(contract, &format!("w{w}c{c}"), 0..3)).unwrap();
                    writer.commit().unwrap();
                    let seen = scan(&store, &contract.fingerprint()).unwrap().metas.len();
                    assert_eq!(seen % 3, 0, "a part of a commit is visible");
                }
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let store = open(bucket, folder.path());
    let set = contract.fingerprint();
    assert_eq!(store.read_all(&set).unwrap().metas.len(), n_writers * n_commits * 3);
    let summary = store.sets().unwrap().into_iter().find(|s| s.fingerprint == set).unwrap();
    assert_eq!(summary.version, (n_writers * n_commits) as u64);
}

fn compacting_and_sweeping_keep_the_rows(bucket: &Arc<dyn Objects>) {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ours, theirs) = (open(bucket, here.path()), open(bucket, there.path()));
    let set = contract(4).fingerprint();
    let before = scan(&ours, &set).unwrap();
    assert_eq!(ours.compact(&set).unwrap().shards_after, 1);
    ours.gc(&set, Duration::ZERO).unwrap();
    assert_eq!(bucket.list(&format!("{set}/shards/")).unwrap().len(), 1);
    assert_eq!(scan(&theirs, &set).unwrap(), before);
}

#[test]
fn a_bucket_in_memory_holds_a_store() {
    check(Arc::new(MemoryObjects::default()));
}

#[test]
fn a_damaged_object_is_named_and_not_mirrored() {
    let bucket: Arc<dyn Objects> = Arc::new(MemoryObjects::default());
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let contract = contract(6);
    let set = contract.fingerprint();
    commit(&open(&bucket, here.path()), &contract, rows(&contract, "a", 0..30));
    let shard = bucket.list(&format!("{set}/shards/")).unwrap().remove(0);
    let other = here.path().join("other");
    std::fs::write(&other, "other bytes").unwrap();
    bucket.upload(&shard.key, &other).unwrap();
    let theirs = open(&bucket, there.path());
    let error = scan(&theirs, &set).unwrap_err().to_string();
    assert!(error.contains(&shard.key) && error.contains("BLAKE3"), "{error}");
    let report = theirs.verify(&set, &NoProgress).unwrap();
    assert_eq!(report.problems.len(), 1);
    bucket.remove(&shard.key).unwrap();
    assert!(scan(&theirs, &set).unwrap_err().to_string().contains("nothing"));
}

#[cfg(feature = "object")]
#[test]
fn a_folder_and_a_bucket_of_object_store_hold_a_store() {
    use eosin_store::Bucket;
    use object_store::local::LocalFileSystem;
    use object_store::memory::InMemory;
    let folder = tempfile::tempdir().unwrap();
    let local = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    check(Arc::new(Bucket::new(Arc::new(local), "folder").unwrap()));
    check(Arc::new(Bucket::new(Arc::new(InMemory::new()), "memory").unwrap()));
}

/// Against a server of the S3 protocol on this machine: moto, started by `serve_s3.py`.
#[cfg(feature = "s3")]
#[test]
fn a_bucket_of_s3_holds_a_store() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use eosin_store::Bucket;
    use eosin_testkit::peers::named_by;
    let Some(python) = named_by("EOSIN_PYTHON", "a bucket of S3", "interpreter with moto") else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/store/serve_s3.py");
    let mut server = Command::new(python)
        .arg(script)
        .stdout(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut endpoint = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut endpoint).unwrap();
    assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint}");
    let settings = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT", endpoint.trim()),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let settings = settings.map(|(k, v)| (k.to_string(), v.to_string()));
    let bucket = Bucket::s3("s3://bucket/some/prefix", settings).unwrap();
    check(Arc::new(bucket));
    server.kill().unwrap();
    server.wait().unwrap();
}
