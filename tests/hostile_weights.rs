// SPDX-License-Identifier: MIT OR Apache-2.0

//! Weights that were made to cost much, to be misread, or to run code: each gets its answer within
//! a minute and three gigabytes, and `check` says "fit" of those alone that can be loaded.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::{eosin, root, text};

/// A vision transformer of one block, small enough to write by hand.
const CARD: &str = r#"name = "tiny"
family = "vit"
input_px = 32
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
resampling = "bilinear"
pooling = "cls"
dim = 16
training_sources = ["none"]
licence = { name = "own", allows = "commercial" }
weights = { kind = "file", source = "this test" }
architecture = { patch = 16, width = 16, depth = 1, heads = 2, mlp = "gelu", mlp_ratio = 2.0, embed_class = true, norm_eps = 1e-6, position_px = 32 }
"#;

/// Names and shapes of its tensors.
const TENSORS: [(&str, &[usize]); 18] = [
    ("cls_token", &[1, 1, 16]),
    ("pos_embed", &[1, 5, 16]),
    ("patch_embed.proj.weight", &[16, 3, 16, 16]),
    ("patch_embed.proj.bias", &[16]),
    ("norm.weight", &[16]),
    ("norm.bias", &[16]),
    ("blocks.0.norm1.weight", &[16]),
    ("blocks.0.norm1.bias", &[16]),
    ("blocks.0.norm2.weight", &[16]),
    ("blocks.0.norm2.bias", &[16]),
    ("blocks.0.attn.qkv.weight", &[48, 16]),
    ("blocks.0.attn.qkv.bias", &[48]),
    ("blocks.0.attn.proj.weight", &[16, 16]),
    ("blocks.0.attn.proj.bias", &[16]),
    ("blocks.0.mlp.fc1.weight", &[32, 16]),
    ("blocks.0.mlp.fc1.bias", &[32]),
    ("blocks.0.mlp.fc2.weight", &[16, 32]),
    ("blocks.0.mlp.fc2.bias", &[16]),
];

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        bench.write("tiny.toml", CARD.as_bytes());
        bench
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `eosin backbone check` of the card with these weights.
    fn check(&self, weights: &Path) -> Output {
        let (card, weights) = (self.path("tiny.toml"), weights.to_str().unwrap());
        limited(&["backbone", "check", card.to_str().unwrap(), "--weights", weights])
    }

    #[track_caller]
    fn refused(&self, name: &str, bytes: &[u8], says: &str) {
        let output = self.check(&self.write(name, bytes));
        refused(&output, 3, &[says]);
    }
}

/// The command with a minute and three gigabytes of address space.
fn limited(arguments: &[&str]) -> Output {
    let eosin = eosin();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 3145728; exec timeout 60 \"$0\" \"$@\""]);
    command.arg(eosin.get_program()).args(eosin.get_args()).args(arguments);
    for name in ["EOSIN_LOG", "HF_HOME", "HF_HUB_CACHE"] {
        command.env_remove(name);
    }
    command.current_dir(root()).output().unwrap()
}

#[track_caller]
fn refused(output: &Output, code: i32, says: &[&str]) {
    let told = text(output);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert_eq!(told.matches("error: ").count(), 1, "{told}");
    assert!(told.contains("hint: "), "{told}");
    for part in says {
        assert!(told.contains(part), "no {part:?} in\n{told}");
    }
}

#[track_caller]
fn fits(output: &Output) {
    let told = text(output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains(" fit;"), "{told}");
}

/// A pickle in the making.
#[derive(Default)]
struct Pickle(Vec<u8>);

impl Pickle {
    fn new() -> Self {
        Self(b"\x80\x02".to_vec())
    }

    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn text(&mut self, value: &str) -> &mut Self {
        self.0.push(b'X');
        self.0.extend((value.len() as u32).to_le_bytes());
        self.raw(value.as_bytes())
    }

    fn integer(&mut self, value: i64) -> &mut Self {
        self.raw(b"\x8A\x08").raw(&value.to_le_bytes())
    }

    fn tuple(&mut self, values: &[usize]) -> &mut Self {
        self.raw(b"(");
        for value in values {
            self.integer(*value as i64);
        }
        self.raw(b"t")
    }

    /// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
    fn tensor(&mut self, key: &str, n: usize, shape: &[usize], strides: &[usize]) -> &mut Self {
        self.raw(b"ctorch._utils\n_rebuild_tensor_v2\n((").text("storage");
        self.raw(b"ctorch\nFloatStorage\n").text(key).text("cpu").integer(n as i64);
        self.raw(b"tQ").integer(0).tuple(shape).tuple(strides);
        self.raw(b"\x89ccollections\nOrderedDict\n)RtR")
    }

    /// Keys and tensors of the whole network, storages numbered through.
    fn network(&mut self) -> &mut Self {
        for (key, (name, shape)) in TENSORS.iter().enumerate() {
            let strides: Vec<usize> =
                (0..shape.len()).map(|i| shape[i + 1..].iter().product()).collect();
            let n = shape.iter().product();
            self.text(name).tensor(&key.to_string(), n, shape, &strides);
        }
        self
    }

    fn done(&mut self) -> Vec<u8> {
        self.raw(b".");
        std::mem::take(&mut self.0)
    }
}

/// Dictionaries 60 deep, each of which holds the next one twice.
fn shared_60_deep() -> Vec<u8> {
    let mut pickle = Pickle::new();
    pickle.raw(b"}q\x00");
    for level in 1..=60_u8 {
        pickle.raw(b"}(").text("a").raw(&[b'h', level - 1]).text("b").raw(&[b'h', level - 1]);
        pickle.raw(&[b'u', b'q', level]);
    }
    pickle.done()
}

fn network_storages() -> Vec<Vec<u8>> {
    let bytes = |shape: &[usize]| vec![0_u8; 4 * shape.iter().product::<usize>()];
    TENSORS.iter().map(|(_, shape)| bytes(shape)).collect()
}

/// A checkpoint in the zip layout.
fn zip(pickle: &[u8], storages: &[Vec<u8>]) -> Vec<u8> {
    let mut entries = vec![("own/data.pkl".to_string(), pickle.to_vec())];
    for (key, bytes) in storages.iter().enumerate() {
        entries.push((format!("own/data/{key}"), bytes.clone()));
    }
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in &entries {
        let at = file.len() as u32;
        let mut fields = vec![0; 14];
        fields[0] = 10;
        fields.extend([bytes.len() as u32; 2].iter().flat_map(|n| n.to_le_bytes()));
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        file.extend(b"PK\x03\x04".iter().chain(&fields).copied().chain(name.bytes()));
        file.extend(bytes);
        directory.extend(b"PK\x01\x02\x0A\x00".iter().chain(&fields));
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes().into_iter().chain(name.bytes()));
    }
    let at = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\x00\x00\x00\x00");
    file.extend([entries.len() as u16; 2].iter().flat_map(|n| n.to_le_bytes()));
    file.extend((directory.len() as u32).to_le_bytes().into_iter().chain(at.to_le_bytes()));
    file.extend([0, 0]);
    file
}

/// A checkpoint in the layout before the zip.
fn legacy(pickle: &[u8], storages: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.".to_vec();
    file.extend(b"\x80\x02M\xE9\x03.\x80\x02}.");
    file.extend(pickle);
    let mut keys = Pickle::new();
    keys.raw(b"](");
    for key in 0..storages.len() {
        keys.text(&key.to_string());
    }
    file.extend(keys.raw(b"e").done());
    for bytes in storages {
        file.extend((bytes.len() as u64 / 4).to_le_bytes());
        file.extend(bytes);
    }
    file
}

/// A safetensors file of these tensors, all zeros.
fn safetensors(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let end = at + 4 * shape.iter().product::<usize>();
        let tensor = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]});
        header.insert((*name).to_string(), tensor);
        at = end;
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.resize(file.len() + at, 0);
    file
}

/// The network's tensors with some left out, and others instead.
fn with<'a>(without: &[&str], others: &[(&'a str, &'a [usize])]) -> Vec<(&'a str, &'a [usize])> {
    let kept = TENSORS.iter().copied().filter(|(name, _)| !without.contains(name));
    kept.chain(others.iter().copied()).collect()
}

#[test]
fn sound_weights_of_every_layout_fit() {
    let bench = Bench::new();
    let pickle = Pickle::new().raw(b"}(").network().raw(b"u").done();
    let storages = network_storages();
    fits(&bench.check(&bench.write("a.safetensors", &safetensors(&TENSORS))));
    fits(&bench.check(&bench.write("zip.pth", &zip(&pickle, &storages))));
    fits(&bench.check(&bench.write("legacy.pth", &legacy(&pickle, &storages))));
}

#[test]
fn dictionaries_that_hold_each_other_end() {
    let bench = Bench::new();
    bench.refused("zip.pth", &zip(&shared_60_deep(), &[]), "steps to tensors");
    bench.refused("legacy.pth", &legacy(&shared_60_deep(), &[]), "steps to tensors");
    // One that holds itself.
    let own = Pickle::new().raw(b"}q\x00").text("a").raw(b"h\x00s").done();
    bench.refused("own.pth", &zip(&own, &[]), "nested");
    // A parameter that is its own first argument.
    let mut own = Pickle::new();
    own.raw(b"}").text("a").raw(b"ctorch._utils\n_rebuild_parameter\n]q\x01Rq\x02s");
    let own = own.raw(b"h\x01(h\x02e0").done();
    bench.refused("parameter.pth", &zip(&own, &[]), "nested");
}

#[test]
fn a_stride_of_zero_makes_no_gigabytes() {
    let bench = Bench::new();
    let mut pickle = Pickle::new();
    let pickle = pickle.raw(b"}").text("a").tensor("0", 1, &[1 << 31], &[0]).raw(b"s").done();
    let file = zip(&pickle, &[vec![0; 4]]);
    assert!(file.len() < 600);
    bench.refused("zip.pth", &file, "times the bytes of the file");
}

#[test]
fn many_names_of_one_storage_are_paid_for() {
    let bench = Bench::new();
    let n = 1 << 18;
    let mut pickle = Pickle::new();
    pickle.raw(b"}(");
    for i in 0..20_000 {
        pickle.text(&format!("t{i}")).tensor("0", n, &[n], &[1]);
    }
    let pickle = pickle.raw(b"u").done();
    let storages = [vec![0; 4 * n]];
    bench.refused("zip.pth", &zip(&pickle, &storages), "times the bytes of the file");
    bench.refused("legacy.pth", &legacy(&pickle, &storages), "times the bytes of the file");
}

#[test]
fn names_are_bounded_in_number_and_length() {
    let bench = Bench::new();
    let mut pickle = Pickle::new();
    pickle.raw(b"}(");
    for i in 0..40_000 {
        pickle.text(&format!("t{i}")).tensor("0", 1, &[1], &[1]);
    }
    let pickle = pickle.raw(b"u").done();
    bench.refused("many.pth", &zip(&pickle, &[vec![0; 4]]), "more than 32768 tensors");
    let long = "n".repeat(1 << 20);
    let mut pickle = Pickle::new();
    let pickle = pickle.raw(b"}").text(&long).tensor("0", 1, &[1], &[1]).raw(b"s").done();
    bench.refused("long.pth", &zip(&pickle, &[vec![0; 4]]), "a name of");
    bench.refused("long.safetensors", &safetensors(&[(long.as_str(), &[1][..])]), "a name of");
}

#[test]
fn a_list_that_grows_while_it_is_remembered_is_not_copied() {
    let bench = Bench::new();
    let mut pickle = Pickle::new();
    pickle.raw(b"]q\x00");
    for _ in 0..400_000 {
        pickle.raw(b"K\x01aq\x00");
    }
    bench.refused("zip.pth", &zip(&pickle.done(), &[]), "missing");
}

#[test]
fn a_dictionary_that_is_filled_after_it_was_used_is_not_empty() {
    let bench = Bench::new();
    let mut pickle = Pickle::new();
    // The inner dictionary lies in the outer one before it has a single tensor.
    pickle.raw(b"}").text("state_dict").raw(b"}q\x00s").raw(b"h\x00(").network().raw(b"u0");
    fits(&bench.check(&bench.write("zip.pth", &zip(&pickle.done(), &network_storages()))));
    // Python 2 made ordered dictionaries from pairs.
    let mut pickle = Pickle::new();
    pickle.raw(b"ccollections\nOrderedDict\n](](").text("a").raw(b"K\x01ee\x85R");
    bench.refused("pairs.pth", &zip(&pickle.done(), &[]), "made from pairs");
}

#[test]
fn two_tensors_of_one_name_are_refused() {
    let bench = Bench::new();
    let mut pickle = Pickle::new();
    pickle.raw(b"}(").text("a.b").tensor("0", 1, &[1], &[1]).text("a").raw(b"}");
    let pickle = pickle.text("b").tensor("0", 1, &[1], &[1]).raw(b"su").done();
    bench.refused("zip.pth", &zip(&pickle, &[vec![0; 4]]), "two tensors of the name a.b");
}

#[test]
fn an_index_that_names_itself_is_refused() {
    let bench = Bench::new();
    let index = br#"{"weight_map": {"a": "model.safetensors.index.json"}}"#;
    bench.refused("model.safetensors.index.json", index, "an index itself");
    // Two shards that hold the same tensor leave open which is meant.
    bench.write("a.safetensors", &safetensors(&TENSORS));
    bench.write("b.safetensors", &safetensors(&TENSORS));
    let index = br#"{"weight_map": {"cls_token": "a.safetensors", "norm.bias": "b.safetensors"}}"#;
    bench.refused("two.index.json", index, "in two shards");
}

#[test]
fn shapes_that_a_renamed_tensor_cannot_have_are_told() {
    let bench = Bench::new();
    let qkv = ["blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.bias"];
    let scalar = with(
        &qkv,
        &[
            ("blocks.0.attn.q.weight", &[16, 16]),
            ("blocks.0.attn.k.weight", &[16, 16]),
            ("blocks.0.attn.v.weight", &[16, 16]),
            ("blocks.0.attn.q.bias", &[]),
            ("blocks.0.attn.k.bias", &[16]),
            ("blocks.0.attn.v.bias", &[16]),
        ],
    );
    bench.refused("scalar.safetensors", &safetensors(&scalar), "blocks.0.attn.qkv.bias");
    // Rows enough, values too few: once "fit", and a panic when it was loaded.
    let short = with(
        &qkv[..1],
        &[
            ("blocks.0.attn.q.weight", &[16, 16]),
            ("blocks.0.attn.k.weight", &[16, 4]),
            ("blocks.0.attn.v.weight", &[16, 16]),
        ],
    );
    bench.refused("short.safetensors", &safetensors(&short), "blocks.0.attn.qkv.weight");
    // Positions without a value, as long as those with the class token's.
    let patches = CARD.replace("embed_class = true", "embed_class = false");
    bench.write("tiny.toml", patches.as_bytes());
    let empty = with(&["pos_embed"], &[("pos_embed", &[0, 5, 16])]);
    bench.refused("empty.safetensors", &safetensors(&empty), "pos_embed");
    fits(&bench.check(&bench.write("folded.safetensors", &safetensors(&TENSORS))));
}

#[test]
fn a_network_many_times_its_weights_is_not_made_of_zeros() {
    let bench = Bench::new();
    let large = CARD
        .replace("width = 16,", "width = 16384,")
        .replace("heads = 2,", "heads = 128,")
        .replace("dim = 16", "dim = 16384");
    bench.write("tiny.toml", large.as_bytes());
    bench.refused("a.safetensors", &safetensors(&TENSORS), "18 mis-shaped");
}

#[test]
fn what_cannot_be_loaded_does_not_fit() {
    let bench = Bench::new();
    let weights = bench.write("a.safetensors", &safetensors(&TENSORS));
    let half = CARD.replace("dim = 16\n", "dim = 16\nprecision = \"f12\"\n");
    bench.write("tiny.toml", half.as_bytes());
    refused(&bench.check(&weights), 5, &["precision `f12`"]);
}

#[test]
fn only_regular_files_are_opened() {
    let bench = Bench::new();
    let pipe = bench.path("pipe.safetensors");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Named by the user, by the card, and by an index; and the card itself.
    for weights in [pipe.as_path(), Path::new("/dev/zero")] {
        refused(&bench.check(weights), 3, &["regular file", weights.to_str().unwrap()]);
        let named = format!("file = \"{}\", source", weights.display());
        let card = CARD.replace("kind = \"file\", source", &format!("kind = \"file\", {named}"));
        let card = bench.write("named.toml", card.as_bytes());
        let output = limited(&["backbone", "check", card.to_str().unwrap()]);
        refused(&output, 3, &["regular file", weights.to_str().unwrap()]);
    }
    let index = br#"{"weight_map": {"a": "pipe.safetensors"}}"#;
    bench.refused("own.index.json", index, "regular file");
    for name in ["pipe.toml", "zero.toml"] {
        let card = bench.path(name);
        if name == "pipe.toml" {
            std::fs::rename(&pipe, &card).unwrap();
        } else {
            std::os::unix::fs::symlink("/dev/zero", &card).unwrap();
        }
        let output = limited(&["backbone", "check", card.to_str().unwrap()]);
        refused(&output, 3, &["regular file", card.to_str().unwrap()]);
    }
}

#[test]
fn weights_that_were_named_and_are_not_there_are_not_passed_over() {
    let bench = Bench::new();
    let nowhere = bench.path("nowhere.safetensors");
    let output = limited(&[
        "backbone",
        "check",
        "efficientnet-lite0",
        "--weights",
        nowhere.to_str().unwrap(),
    ]);
    refused(&output, 4, &["nowhere.safetensors"]);
}

/// A field of protocol buffers that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut n = bytes.len();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out.extend(bytes);
    out
}

#[test]
fn an_onnx_initialiser_holds_what_its_shape_says() {
    let bench = Bench::new();
    let card = CARD.replace("family = \"vit\"", "family = \"onnx\"");
    let (card, _) = card.split_once("architecture").unwrap();
    let card = bench.write("graph.toml", card.as_bytes());
    let told = |model: &[u8]| {
        let model = bench.write("model.onnx", model);
        let (card, model) = (card.to_str().unwrap(), model.to_str().unwrap());
        text(&limited(&["doctor", card, "--engine", "onnx", "--weights", model, "--json"]))
    };
    let model = |dims: &[u8], raw: &[u8]| {
        // dims as varints, data_type 1 (float), raw_data.
        let tensor = [dims, &[0x10, 1][..], &field(9, raw)].concat();
        let node = [field(1, b"x"), field(2, b"y")].concat();
        field(7, &[field(1, &node), field(5, &tensor)].concat())
    };
    let short = told(&model(&[0x08, 2, 0x08, 3], &[0; 20]));
    assert!(short.contains("20 bytes for 6 values"), "{short}");
    let huge = [[0x08].as_slice(), &[0xFF; 9], &[0x01, 0x08, 2]].concat();
    let huge = told(&model(&huge, &[0; 4]));
    assert!(huge.contains("more than can be addressed"), "{huge}");
}
