// SPDX-License-Identifier: MIT OR Apache-2.0

//! The client against a local server with a hub's layout, and against everything that goes wrong.

mod server;

use std::time::Duration;

use eosin_core::{Error, NoProgress, Result};
use eosin_hub::{Cache, Fetched, Hub, HubOptions, Wanted};
use server::{COMMIT, Fault, Server};

const REPO: &str = "lab/network";
const FILE: &str = "model.safetensors";

fn options(server: &Server, cache: &std::path::Path) -> HubOptions {
    HubOptions {
        endpoint: Some(server.address()),
        patience: Duration::from_millis(400),
        attempts: 3,
        pause: Duration::from_millis(5),
        ..HubOptions::new(cache)
    }
}

fn fetch(options: HubOptions, wanted: &Wanted) -> Result<Fetched> {
    Hub::new(options)?.fetch(wanted, &NoProgress)
}

fn body(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 % 251) as u8).collect()
}

#[test]
fn a_file_is_fetched_once_and_laid_out_as_the_python_client_does() {
    let server = Server::start();
    server.put(REPO, FILE, &body(300_000));
    let cache = tempfile::tempdir().unwrap();
    let first = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap();
    assert_eq!((first.n_bytes, first.commit.as_str()), (300_000, COMMIT));
    assert_eq!(std::fs::read(&first.path).unwrap(), body(300_000));
    let repo = cache.path().join("models--lab--network");
    assert_eq!(std::fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(first.path, repo.join("snapshots").join(COMMIT).join(FILE));
    let etag = server.etag(REPO, FILE);
    assert_eq!(std::fs::read(repo.join("blobs").join(&etag)).unwrap().len(), 300_000);
    if cfg!(unix) {
        let link = std::fs::read_link(&first.path).unwrap();
        assert_eq!(link, std::path::Path::new("../../blobs").join(etag));
    }
    let again = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap();
    assert_eq!((again.n_bytes, &again.path), (0, &first.path));
    assert_eq!(server.n_gets(), 1, "the second time nothing but headers is asked for");
    assert_eq!(Cache::new(cache.path()).find(REPO, "main", FILE), Some(first.path.clone()));
    assert_eq!(Cache::new(cache.path()).find(REPO, COMMIT, FILE), Some(first.path));
    assert_eq!(Cache::new(cache.path()).find(REPO, "main", "../../refs/main"), None);
}

#[test]
fn gated_and_private_models_want_a_token_that_goes_nowhere_else() {
    let (server, storage) = (Server::start(), Server::start());
    server.put(REPO, FILE, &body(1000));
    storage.put(REPO, FILE, &body(1000));
    server.demand_token("secret");
    server.store_at(&storage);
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap_err();
    assert!(matches!(error, Error::Input { .. }), "{error}");
    assert!(error.to_string().contains("401 GatedRepo"), "{error}");
    assert!(error.hint().contains("HF_TOKEN"), "{}", error.hint());
    let with =
        |token: &str| HubOptions { token: Some(token.into()), ..options(&server, cache.path()) };
    assert!(fetch(with("wrong"), &Wanted::new(REPO)).is_err());
    let fetched = fetch(with("secret"), &Wanted::new(REPO)).unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), body(1000));
    assert_eq!(storage.n_gets(), 1);
    assert!(!storage.saw_token(), "the token went to the storage");
    assert!(server.saw_token());
}

#[test]
fn what_is_not_there_is_told_apart() {
    let server = Server::start();
    server.put(REPO, FILE, &body(10));
    let cache = tempfile::tempdir().unwrap();
    let refusal = |wanted: Wanted| {
        let error = fetch(options(&server, cache.path()), &wanted).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{error}");
        error.to_string()
    };
    assert!(refusal(Wanted::new("lab/other")).contains("404 RepoNotFound"));
    let revision = Wanted { revision: "v9", ..Wanted::new(REPO) };
    assert!(refusal(revision).contains("revision v9 of lab/network"));
    let file = Wanted { file: Some("other.bin"), ..Wanted::new(REPO) };
    assert!(refusal(file).contains("other.bin in lab/network"));
    let outside = Wanted { file: Some("../secret"), ..Wanted::new(REPO) };
    assert!(refusal(outside).contains("a path within the repository"));
    server.put("lab/code", "train.py", b"x");
    assert!(refusal(Wanted::new("lab/code")).contains("one of model.safetensors"));
    let none = HubOptions { endpoint: None, ..options(&server, cache.path()) };
    let error = fetch(none, &Wanted::new(REPO)).unwrap_err();
    assert!(error.hint().contains("--hub"), "{}", error.hint());
}

#[test]
fn a_truncated_body_is_continued_where_it_ended() {
    let server = Server::start();
    server.put(REPO, FILE, &body(500_000));
    server.inject(Fault::CutAfter(200_000));
    server.inject(Fault::CutAfter(100_000));
    let cache = tempfile::tempdir().unwrap();
    let fetched = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), body(500_000));
    assert_eq!(server.ranges(), [None, Some(200_000), Some(300_000)]);
}

#[test]
fn a_run_that_gave_up_is_continued_by_the_next() {
    let server = Server::start();
    server.put(REPO, FILE, &body(500_000));
    for _ in 0..3 {
        server.inject(Fault::CutAfter(100_000));
    }
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap_err();
    assert!(matches!(error, Error::Environment { .. }), "{error}");
    assert!(error.hint().contains("after the 300000 bytes"), "{}", error.hint());
    assert_eq!(Cache::new(cache.path()).find(REPO, "main", FILE), None, "no half file is found");
    let fetched = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap();
    assert_eq!((fetched.n_bytes, server.ranges()[3]), (200_000, Some(300_000)));
    assert_eq!(std::fs::read(fetched.path).unwrap(), body(500_000));
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let server = Server::start();
    server.put(REPO, FILE, &body(50_000));
    server.inject(Fault::CutAfter(20_000));
    server.inject(Fault::NoRange);
    let cache = tempfile::tempdir().unwrap();
    let fetched = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap();
    assert_eq!(std::fs::read(fetched.path).unwrap(), body(50_000));
}

#[test]
fn a_stalled_or_failing_server_is_asked_again() {
    for fault in [Fault::Stall, Fault::Status(503), Fault::Status(429), Fault::HangUp] {
        let server = Server::start();
        server.put(REPO, FILE, &body(50_000));
        server.inject(fault);
        let cache = tempfile::tempdir().unwrap();
        let fetched = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap();
        assert_eq!(std::fs::read(fetched.path).unwrap(), body(50_000), "{fault:?}");
        assert_eq!(server.n_gets(), 2, "{fault:?}");
    }
}

#[test]
fn a_slow_server_is_waited_for_as_long_as_bytes_come() {
    let server = Server::start();
    server.put(REPO, FILE, &body(50_000));
    // Ten pieces, a tenth of a second apart: longer than the patience in all, never at once.
    server.inject(Fault::Slow(Duration::from_millis(100)));
    let cache = tempfile::tempdir().unwrap();
    let fetched = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap();
    assert_eq!((fetched.n_bytes, server.n_gets()), (50_000, 1));
}

#[test]
fn bytes_that_differ_from_the_digest_are_never_kept() {
    let server = Server::start();
    server.put(REPO, FILE, &body(5000));
    server.inject(Fault::Damage);
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap_err();
    assert!(
        matches!(error, Error::Data { .. }) && error.to_string().contains("SHA-256"),
        "{error}"
    );
    assert!(fetch(options(&server, cache.path()), &Wanted::new(REPO)).is_ok());
    // The card's digest is compared too, whether the file is new or was in the cache.
    let other = "ab".repeat(32);
    let wanted = Wanted { sha256: Some(&other), ..Wanted::new(REPO) };
    let error = fetch(options(&server, cache.path()), &wanted).unwrap_err();
    assert!(error.to_string().contains(&other), "{error}");
    let digest = server.etag(REPO, FILE).to_uppercase();
    let wanted = Wanted { sha256: Some(&digest), ..Wanted::new(REPO) };
    assert!(fetch(options(&server, cache.path()), &wanted).is_ok());
}

#[test]
fn a_commit_that_the_hub_does_not_serve_is_refused() {
    let server = Server::start();
    server.put(REPO, FILE, &body(5000));
    server.serve_any_revision();
    let cache = tempfile::tempdir().unwrap();
    let other = "ab".repeat(20);
    let wanted = Wanted { revision: &other, ..Wanted::new(REPO) };
    let error = fetch(options(&server, cache.path()), &wanted).unwrap_err().to_string();
    assert!(error.contains(&other) && error.contains(COMMIT), "{error}");
    assert_eq!(server.n_gets(), 0);
    let wanted = Wanted { revision: COMMIT, ..Wanted::new(REPO) };
    let fetched = fetch(options(&server, cache.path()), &wanted).unwrap();
    assert_eq!(fetched.sha256, server.etag(REPO, FILE));
}

#[test]
fn the_cache_serves_offline_and_when_the_hub_is_gone() {
    let server = Server::start();
    server.put(REPO, "pytorch_model.bin", &body(5000));
    let cache = tempfile::tempdir().unwrap();
    let online = options(&server, cache.path());
    let offline = HubOptions { offline: true, endpoint: None, ..online.clone() };
    let error = fetch(offline.clone(), &Wanted::new(REPO)).unwrap_err();
    assert!(!error.hint().is_empty(), "{error}");
    let first = fetch(online.clone(), &Wanted::new(REPO)).unwrap();
    let n_requests = server.n_requests();
    // The name is found among the usual ones without asking anybody.
    let found = fetch(offline, &Wanted::new(REPO)).unwrap();
    assert_eq!((&found.path, server.n_requests()), (&first.path, n_requests));
    drop(server);
    let file = Wanted { file: Some("pytorch_model.bin"), ..Wanted::new(REPO) };
    assert_eq!(fetch(online.clone(), &file).unwrap().path, first.path);
    let other = Wanted { file: Some("other.bin"), ..Wanted::new(REPO) };
    let error = fetch(online, &other).unwrap_err();
    assert!(matches!(error, Error::Environment { .. }), "{error}");
}

#[test]
fn an_index_brings_its_shards() {
    let server = Server::start();
    let index = r#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors",
        "c": "model-1.safetensors"}}"#;
    server.put(REPO, "model.safetensors.index.json", index.as_bytes());
    server.put(REPO, "model-1.safetensors", &body(100));
    server.put(REPO, "model-2.safetensors", &body(200));
    let cache = tempfile::tempdir().unwrap();
    let fetched = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap();
    assert_eq!(fetched.n_bytes, 300 + index.len() as u64);
    let shard = fetched.path.with_file_name("model-2.safetensors");
    assert_eq!(std::fs::read(shard).unwrap(), body(200));
}

#[test]
fn two_fetches_at_once_share_one_blob() {
    let server = Server::start();
    server.put(REPO, FILE, &body(400_000));
    let cache = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let fetch = || fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap();
        let both = [scope.spawn(fetch), scope.spawn(fetch)].map(|t| t.join().unwrap());
        assert_eq!(both[0].path, both[1].path);
        assert_eq!(both[0].n_bytes + both[1].n_bytes, 400_000);
    });
    assert_eq!(server.n_gets(), 1);
}

#[test]
fn an_answer_of_something_else_is_no_hub() {
    let server = Server::start();
    server.put(REPO, FILE, &body(10));
    server.forget_headers();
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(options(&server, cache.path()), &Wanted::new(REPO)).unwrap_err();
    assert!(error.to_string().contains("X-Repo-Commit"), "{error}");
}
