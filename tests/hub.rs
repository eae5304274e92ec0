// SPDX-License-Identifier: MIT OR Apache-2.0

//! `eosin backbone fetch` against a local server with a hub's layout: pins, and where a token goes.

#[path = "../crates/eosin-hub/tests/server/mod.rs"]
#[expect(dead_code, reason = "the tests of eosin-hub inject more faults than these")]
mod server;

use std::path::PathBuf;
use std::process::Output;

use server::{COMMIT, Server};

use crate::common::{eosin, root, text};

const REPO: &str = "lab/network";
const FILE: &str = "model.safetensors";

/// A card on the server's hub, and a cache.
struct Bench {
    server: Server,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { server: Server::start(), folder: tempfile::tempdir().unwrap() }
    }

    /// Writes the card of a small network; `pins` are further keys of its weights.
    fn card(&self, pins: &str) -> PathBuf {
        let card = format!(
            r#"name = "own"
family = "resnet"
input_px = 32
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
resampling = "bilinear"
pooling = "average"
dim = 64
training_sources = ["none"]
licence = {{ name = "own", allows = "commercial" }}
architecture = {{ layers = [1], block = "basic" }}

[weights]
kind = "hub"
repo = "{REPO}"
source = "this test"
{pins}
"#
        );
        let path = self.folder.path().join("own.toml");
        std::fs::write(&path, card).unwrap();
        path
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn fetch_from(&self, hub: &str, token: Option<&str>, extra: &[&str]) -> Output {
        let mut command = eosin();
        command.args(["backbone", "fetch"]).arg(self.folder.path().join("own.toml"));
        command.args(["--hub", hub, "--cache"]).arg(self.cache()).args(extra);
        for name in ["HF_TOKEN", "HF_HUB_OFFLINE", "HTTPS_PROXY", "https_proxy"] {
            command.env_remove(name);
        }
        // No token of whoever runs the tests.
        command.env("HF_HOME", self.folder.path());
        if let Some(token) = token {
            command.env("HF_TOKEN", token);
        }
        command.current_dir(root()).output().unwrap()
    }

    fn fetch(&self) -> Output {
        self.fetch_from(&self.server.address(), None, &[])
    }

    /// `eosin backbone check` with what the cache has.
    fn check(&self) -> Output {
        let mut command = eosin();
        command.args(["backbone", "check"]).arg(self.folder.path().join("own.toml"));
        command.env("HF_HUB_CACHE", self.cache()).current_dir(root()).output().unwrap()
    }
}

/// A safetensors file of the card's network, every value the same.
fn weights(value: f32) -> Vec<u8> {
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    for (conv, norm, shape) in [
        ("conv1", "bn1", [64, 3, 7, 7]),
        ("layer1.0.conv1", "layer1.0.bn1", [64, 64, 3, 3]),
        ("layer1.0.conv2", "layer1.0.bn2", [64, 64, 3, 3]),
    ] {
        tensors.push((format!("{conv}.weight"), shape.to_vec()));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            tensors.push((format!("{norm}.{part}"), vec![64]));
        }
    }
    let (mut header, mut values) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in tensors {
        let start = values.len();
        let n: usize = shape.iter().product();
        values.extend(std::iter::repeat_n(value.to_le_bytes(), n).flatten());
        let range = [start, values.len()];
        let tensor = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": range});
        header.insert(name, tensor);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(values);
    file
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    text(output)
}

#[track_caller]
fn refused(output: &Output, code: i32, says: &[&str]) {
    let told = text(output);
    assert_eq!(output.status.code(), Some(code), "{told}");
    for part in says {
        assert!(told.contains(part), "no {part:?} in\n{told}");
    }
    assert!(told.contains("hint: "), "{told}");
}

/// The lines that pin what a fetch brought, as a card has them.
fn pins(told: &str) -> String {
    let is_pin = |line: &&str| line.starts_with("revision = ") || line.starts_with("sha256 = ");
    let lines: Vec<&str> = told.lines().map(str::trim).filter(is_pin).collect();
    assert_eq!(lines.len(), 2, "{told}");
    lines.join("\n")
}

#[test]
fn a_fetch_prints_what_pins_it_and_a_pinned_card_takes_nothing_else() {
    let bench = Bench::new();
    bench.server.put(REPO, FILE, &weights(1.0));
    bench.card("");
    let pins = pins(&succeeded(&bench.fetch()));
    let digest = bench.server.etag(REPO, FILE);
    assert_eq!(pins, format!("revision = \"{COMMIT}\"\nsha256 = \"{digest}\""));
    bench.card(&pins);
    assert!(succeeded(&bench.fetch()).contains("0.0 MB fetched"));
    assert!(succeeded(&bench.check()).contains(" fit;"));
    // The hub has another file under the same name and commit.
    bench.server.put(REPO, FILE, &weights(2.0));
    refused(&bench.fetch(), 3, &["lab/network/model.safetensors", &digest]);
    // The card was pinned to another commit than the hub serves.
    bench.server.serve_any_revision();
    bench.card(&format!("revision = \"{}\"", "ab".repeat(20)));
    refused(&bench.fetch(), 3, &[&"ab".repeat(20), COMMIT]);
}

#[test]
fn the_cache_of_a_pinned_card_is_checked_when_it_is_loaded() {
    let bench = Bench::new();
    bench.server.put(REPO, FILE, &weights(1.0));
    bench.card("");
    let pins = pins(&succeeded(&bench.fetch()));
    // Whoever can write to the cache puts other weights there.
    let digest = bench.server.etag(REPO, FILE);
    let blob = bench.cache().join("models--lab--network/blobs").join(&digest);
    std::fs::write(&blob, weights(2.0)).unwrap();
    assert!(succeeded(&bench.check()).contains(" fit;"), "an unpinned card takes what is there");
    bench.card(&pins);
    refused(&bench.check(), 3, &["SHA-256", &digest]);
    refused(&bench.fetch(), 3, &["SHA-256", &digest]);
    let offline = bench.fetch_from(&bench.server.address(), None, &["--offline"]);
    refused(&offline, 3, &["SHA-256", &digest]);
}

#[test]
fn shards_are_pinned_by_their_digests() {
    let bench = Bench::new();
    let index = br#"{"weight_map": {"conv1.weight": "a.safetensors"}}"#;
    bench.server.put(REPO, "model.safetensors.index.json", index);
    bench.server.put(REPO, "a.safetensors", &weights(1.0));
    bench.card("");
    let pins = pins(&succeeded(&bench.fetch()));
    bench.card(&pins);
    succeeded(&bench.fetch());
    assert!(succeeded(&bench.check()).contains(" fit;"));
    bench.server.put(REPO, "a.safetensors", &weights(2.0));
    refused(&bench.fetch(), 3, &["SHA-256"]);
    refused(&bench.check(), 3, &["SHA-256"]);
    // An index that names itself brings no file forever.
    bench.card("");
    for shard in ["model.safetensors.index.json", "other.JSON"] {
        let index = format!(r#"{{"weight_map": {{"a": "{shard}"}}}}"#);
        bench.server.put(REPO, "model.safetensors.index.json", index.as_bytes());
        refused(&bench.fetch(), 3, &["an index itself"]);
    }
}

#[test]
fn a_token_is_not_sent_where_others_can_read_it() {
    let bench = Bench::new();
    bench.server.put(REPO, FILE, &weights(1.0));
    bench.card("");
    // The same server under an address that is not called loopback.
    let port = bench.server.address().rsplit(':').next().unwrap().to_string();
    let open = format!("http://0.0.0.0:{port}");
    let output = bench.fetch_from(&open, Some("secret"), &[]);
    refused(&output, 2, &["token for the model hub 0.0.0.0", "https://", "--insecure"]);
    assert_eq!(bench.server.n_requests(), 0, "nothing is asked before the token is refused");
    succeeded(&bench.fetch_from(&open, None, &[]));
    assert!(!bench.server.saw_token());
    succeeded(&bench.fetch_from(&open, Some("secret"), &["--insecure"]));
    assert!(bench.server.saw_token());
    // Names that only look like this machine.
    for bad in ["http://127.0.0.1@hub.example", "http://localhost.hub.example"] {
        let output = bench.fetch_from(bad, Some("secret"), &[]);
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", text(&output));
    }
}

#[test]
fn a_redirect_never_carries_the_token() {
    let (bench, storage) = (Bench::new(), Server::start());
    bench.server.put(REPO, FILE, &weights(1.0));
    storage.put(REPO, FILE, &weights(1.0));
    bench.server.demand_token("secret");
    bench.server.store_at(&storage);
    bench.card("");
    let output = bench.fetch_from(&bench.server.address(), Some("secret"), &[]);
    succeeded(&output);
    assert!(bench.server.saw_token() && storage.n_gets() == 1 && !storage.saw_token());
}
