// SPDX-License-Identifier: MIT OR Apache-2.0

//! A job so small that it can be disturbed hundreds of times, and what is asked of its store
//! after each time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use eosin::crates::core::{EmbeddingStore, RgbImage};
use eosin::crates::store::ParquetStore;
use eosin::write_png;
use tempfile::TempDir;

use crate::common::{card_of_the_program, eosin, root, text};

/// Tiles of the job; a commit takes eight.
pub const N_TILES: usize = 96;
/// Side of a tile.
const PX: u32 = 32;
/// Nothing here takes longer than seconds; a hang is a failure.
const LIMIT: Duration = Duration::from_mins(2);

const CARD: &str = r#"name = "small-colours"
family = "colour-statistics"
summary = "Statistics of colour of small tiles, for tests"
input_px = 32
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
resampling = "bicubic"
pooling = "statistics"
dim = 48
precision = "f32"
training_sources = []

[licence]
name = "MIT OR Apache-2.0"
allows = "commercial"

[weights]
kind = "none"
"#;

/// A vision transformer of one block, under a name that is put in.
const TRANSFORMER: &str = r#"name = "NAME"
family = "vit"
summary = "A transformer of one block, for tests"
input_px = 32
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
resampling = "bicubic"
pooling = "mean"
dim = 16
precision = "f32"
training_sources = []

[architecture]
patch = 16
width = 16
depth = 1
heads = 1
mlp = "gelu"
mlp_ratio = 1.0
embed_class = true
norm_eps = 1e-6
position_px = 32

[licence]
name = "MIT"
allows = "commercial"

[weights]
kind = "file"
file = "NAME.safetensors"
source = "the test"
"#;

/// Length of its tokens and embeddings.
pub const TRANSFORMER_WIDTH: usize = 16;

const RUN: &str = r#"title = "Small"
seed = 3
backbones = ["small-vit", "small-colours"]
default_backbone = "small-vit"
task = "small"
proxies = ["small"]
augment = "small"
head = "logistic"
tiles = { kind = "manifest" }
engine = { batch_size = 2 }
selection = { folds = 2, repeats = 1, probes = [{ kind = "knn" }], controls = false, pca = 0, training_free = false }
training = { folds = 2 }
evaluation = { replicates = 100 }
"#;

const TASK: &str = r#"description = "Is the tile red?"
column = "label"
positive = "red"
classes = ["blue", "red"]
train = ["train"]
test = ["test"]
"#;

const AUGMENT: &str = r#"[views]
n_views = 2
dihedral = true

[[transforms]]
kind = "view-bank"
options = { mode = "all" }
"#;

/// Tiles, cards and configurations in a folder of their own.
pub struct Job {
    folder: TempDir,
}

impl Job {
    pub fn new() -> Self {
        let job = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(job.path("tiles")).unwrap();
        let mut random = Random::new(7);
        let mut manifest = String::from("path,label,group,split\n");
        for i in 0..N_TILES {
            job.draw(i, 0);
            let label = if i % 2 == 0 { "red" } else { "blue" };
            let split = if i % 8 < 6 { "train" } else { "test" };
            let group = i % 16 / 2 + i / 48 * 8;
            writeln!(manifest, "{i:03}.png,{label},g{group},{split}").unwrap();
        }
        job.write("tiles/manifest.csv", &manifest);
        job.write("configs/backbone/small-colours.toml", CARD);
        write_transformer(&job, "small-vit", |name, _| {
            if name.ends_with("weight") { random.below(1000) as f32 / 1000.0 - 0.3 } else { 0.0 }
        });
        job.write("configs/run/small.toml", RUN);
        job.write("configs/task/small.toml", TASK);
        job.write("configs/augment/small.toml", AUGMENT);
        let head = fs::read_to_string(root().join("configs/head/logistic.toml")).unwrap();
        job.write("configs/head/logistic.toml", &head);
        // The control sees the same small tiles.
        let card = card_of_the_program("colour-statistics").replace("224", "32");
        job.write("configs/backbone/colour-statistics.toml", &card);
        job
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Draws tile `i`; another generation is another image.
    pub fn draw(&self, i: usize, generation: u64) {
        let mut random = Random::new((i as u64 + 1) * 1000 + generation);
        let base = if i.is_multiple_of(2) { [170, 60, 90] } else { [90, 60, 170] };
        let pixels = (0..PX * PX).flat_map(|_| base.map(|c: u8| c + random.below(60) as u8));
        self.save(i, pixels.collect());
    }

    /// Fills tile `i` with one colour.
    pub fn fill(&self, i: usize, colour: [u8; 3]) {
        self.save(i, (0..PX * PX).flat_map(|_| colour).collect());
    }

    fn save(&self, i: usize, pixels: Vec<u8>) {
        let image = RgbImage::new(PX, PX, pixels).unwrap();
        write_png(&self.path("tiles").join(format!("{i:03}.png")), &image).unwrap();
    }

    /// `eosin embed` of the manifest into `store`, two tiles at a time.
    pub fn embed(&self, store: &Path) -> Command {
        self.embed_with(store, "small-colours", 2)
    }

    pub fn embed_with(&self, store: &Path, backbone: &str, batch_size: usize) -> Command {
        let mut command = eosin();
        command.arg("embed").arg(self.path("tiles/manifest.csv"));
        command.args(["--backbone", backbone, "--batch-size", &batch_size.to_string()]);
        command.arg("--configs").arg(self.path("configs")).arg("--store").arg(store);
        command
    }

    /// The same with three augmented views of every tile.
    pub fn views(&self, store: &Path) -> Command {
        let mut command = self.embed(store);
        command.args(["--views", "4"]);
        command
    }

    /// `eosin run` into `out`.
    pub fn run(&self, out: &Path) -> Command {
        let mut command = eosin();
        command.arg("run").arg(self.path("configs/run/small.toml"));
        command.arg("--data").arg(self.path("tiles")).arg("--out").arg(out);
        // Tiles of noise are all alike.
        command.args(["--allow-leakage", "the tiles are made"]);
        command
    }
}

/// `eosin store …` on a store.
pub fn store_command(arguments: &[&str], store: &Path) -> Command {
    let mut command = eosin();
    command.arg("store").args(arguments).arg("--store").arg(store);
    command
}

/// Starts a command whose output is kept.
pub fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for a process, and fails where it does not end.
pub fn end(mut child: Child) -> Output {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > LIMIT {
            let _ = child.kill();
            panic!("it hangs; it said: {}", text(&child.wait_with_output().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.wait_with_output().unwrap()
}

/// Runs a command, and fails where it does not end.
pub fn output(command: Command) -> Output {
    end(start(command))
}

/// Runs a command that must succeed.
pub fn ok(command: Command) -> String {
    let told = format!("{command:?}");
    let output = output(command);
    assert!(output.status.success(), "{told}: {}: {}", output.status, text(&output));
    text(&output)
}

/// Runs a command that must end with this exit code.
pub fn refused(code: i32, command: Command) -> String {
    let told = format!("{command:?}");
    let output = output(command);
    assert_eq!(output.status.code(), Some(code), "{told}: {}", text(&output));
    text(&output)
}

/// Every row of a store: set, tile and view; what is known of the tile, and the bits of its values.
pub type Rows = BTreeMap<(String, String, u16), (String, Vec<u32>)>;

/// The rows that a reader of the store gets.
pub fn rows(store: &Path) -> Rows {
    let store = ParquetStore::open(store).unwrap();
    let mut rows = Rows::new();
    for set in store.sets().unwrap() {
        let all = store.read_all(&set.fingerprint).unwrap();
        for (i, meta) in all.metas.iter().enumerate() {
            let key = (set.fingerprint.to_string(), meta.tile_id.clone(), all.views[i]);
            let bits = all.embeddings.row(i).iter().map(|v| v.to_bits()).collect();
            let twice = rows.insert(key, (format!("{meta:?}"), bits));
            assert!(twice.is_none(), "{} is there twice", meta.tile_id);
        }
    }
    rows
}

/// `eosin store verify` finds nothing wrong.
pub fn verify(store: &Path) {
    ok(store_command(&["verify"], store));
}

/// Every row of `before` is still there, and every row there is one of `allowed`.
pub fn nothing_lost(before: &Rows, now: &Rows, allowed: &[&Rows]) {
    for key in before.keys() {
        assert!(now.contains_key(key), "{key:?} was committed and is gone");
    }
    for (key, row) in now {
        let known = allowed.iter().any(|rows| rows.get(key) == Some(row));
        assert!(known, "{key:?} is not what was ever committed: {}", row.0);
    }
}

/// Everything below a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(listing) = fs::read_dir(folder) else { return found };
    for entry in listing.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Files of writers that were cut off.
pub fn temporaries(folder: &Path) -> Vec<PathBuf> {
    let is_temporary = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().starts_with(".tmp-");
    files(folder).into_iter().filter(is_temporary).collect()
}

/// Makes a file seem to be written `age` ago, or ahead of the clock.
pub fn set_age(path: &Path, age: Duration) {
    set_time(path, SystemTime::now() - age);
}

pub fn set_time(path: &Path, time: SystemTime) {
    fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Xorshift: what is random here is the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The upper bits are the better ones.
        (self.0 >> 16) % n.max(1)
    }
}

/// Writes a card `card` and its weights: `value` gives each, of a tensor's name and how far on in
/// it the value stands.
pub fn write_transformer(job: &Job, card: &str, mut value: impl FnMut(&str, f64) -> f32) {
    job.write(&format!("configs/backbone/{card}.toml"), &TRANSFORMER.replace("NAME", card));
    let block = |name: &str| format!("blocks.0.{name}");
    let tensors: Vec<(String, Vec<usize>)> = vec![
        ("cls_token".into(), vec![1, 1, TRANSFORMER_WIDTH]),
        ("pos_embed".into(), vec![1, 5, TRANSFORMER_WIDTH]),
        ("patch_embed.proj.weight".into(), vec![TRANSFORMER_WIDTH, 3, 16, 16]),
        ("patch_embed.proj.bias".into(), vec![TRANSFORMER_WIDTH]),
        ("norm.weight".into(), vec![TRANSFORMER_WIDTH]),
        ("norm.bias".into(), vec![TRANSFORMER_WIDTH]),
        (block("norm1.weight"), vec![TRANSFORMER_WIDTH]),
        (block("norm1.bias"), vec![TRANSFORMER_WIDTH]),
        (block("norm2.weight"), vec![TRANSFORMER_WIDTH]),
        (block("norm2.bias"), vec![TRANSFORMER_WIDTH]),
        (block("attn.qkv.weight"), vec![3 * TRANSFORMER_WIDTH, TRANSFORMER_WIDTH]),
        (block("attn.qkv.bias"), vec![3 * TRANSFORMER_WIDTH]),
        (block("attn.proj.weight"), vec![TRANSFORMER_WIDTH, TRANSFORMER_WIDTH]),
        (block("attn.proj.bias"), vec![TRANSFORMER_WIDTH]),
        (block("mlp.fc1.weight"), vec![TRANSFORMER_WIDTH, TRANSFORMER_WIDTH]),
        (block("mlp.fc1.bias"), vec![TRANSFORMER_WIDTH]),
        (block("mlp.fc2.weight"), vec![TRANSFORMER_WIDTH, TRANSFORMER_WIDTH]),
        (block("mlp.fc2.bias"), vec![TRANSFORMER_WIDTH]),
    ];
    let (mut header, mut bytes) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in tensors {
        let start = bytes.len();
        let n: usize = shape.iter().product();
        for i in 0..n {
            bytes.extend(value(&name, i as f64 / n as f64).to_le_bytes());
        }
        let about = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [start, bytes.len()]
        });
        header.insert(name, about);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(bytes);
    fs::write(job.path(&format!("configs/backbone/{card}.safetensors")), file).unwrap();
}

/// An array of `f4` as NumPy writes it.
pub fn write_npy(path: &Path, n_rows: usize, n_cols: usize, value: impl Fn(usize) -> f32) {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n_rows}, {n_cols}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let padded = (10 + header.len() + 1).div_ceil(64) * 64 - 10;
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{header:<width$}\n", width = padded - 1).bytes());
    bytes.extend((0..n_rows * n_cols).flat_map(|i| value(i).to_le_bytes()));
    fs::write(path, bytes).unwrap();
}
