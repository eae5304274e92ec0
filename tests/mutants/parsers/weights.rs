// SPDX-License-Identifier: MIT OR Apache-2.0

//! Weights of backbones, and the cards that describe them.

use std::path::Path;

use eosin::crates::backbone::{
    EngineOptions, LoadOptions, WeightMap, check, load, parse_card, read_card, tensors,
};
use eosin::crates::core::{Card, Error, Result};
use eosin::crates::store::import_safetensors;
use eosin_backbone_onnx::OnnxOptions;
use eosin_testkit::mutants::{Alphabet, MutantParser, Seed};

use super::fixtures::{all_files, container, entries_of, files, root, zip_of};

const CHECKPOINTS: &str = "tests/golden/backbone/checkpoints";

const PICKLE_WORDS: &[&[u8]] = &[
    b"(",
    b".",
    b"0",
    b"1",
    b"2",
    b")",
    b"]",
    b"}",
    b"t",
    b"l",
    b"d",
    b"a",
    b"e",
    b"s",
    b"u",
    b"R",
    b"Q",
    b"b",
    b"q\x00",
    b"q\x01",
    b"h\x00",
    b"h\x01",
    b"\x94",
    b"\x85",
    b"\x86",
    b"\x87",
    b"K\xff",
    b"M\xff\xff",
    b"J\xff\xff\xff\x7f",
    b"J\xff\xff\xff\xff",
    b"\x8a\x08\0\0\0\0\0\0\0\x7f",
    b"X\x01\0\0\0a",
    b"X\xff\xff\xff\xff",
    b"h\x00h\x00\x86q\x00",
    b"ctorch\nFloatStorage\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ccollections\nOrderedDict\n",
    b"X\x07\0\0\0storage",
];

const SAFETENSORS_WORDS: &[&[u8]] = &[
    b"\"dtype\":\"F32\"",
    b"\"F16\"",
    b"\"BF16\"",
    b"\"F64\"",
    b"\"I64\"",
    b"\"I8\"",
    b"\"F8_E4M3\"",
    b"\"shape\":[0]",
    b"[1,0]",
    b"18446744073709551615",
    b"4611686018427387904",
    b"\"data_offsets\":[0,0]",
    b"__metadata__",
    b".remainder",
    b"eosin.contract",
    b"eosin.fingerprint",
];

/// A small network whose weights fit in some kilobytes.
pub const SMALL_CARD: &str = r#"
name = "small"
family = "vit"
input_px = 16
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
resampling = "bicubic"
pooling = "cls"
dim = 16
training_sources = []
architecture = { patch = 8, width = 16, depth = 1, heads = 2, mlp = "gelu", mlp_ratio = 2.0, embed_class = true, norm_eps = 1e-6, position_px = 16 }
licence = { name = "MIT", allows = "commercial" }
weights = { kind = "file", source = "none" }
"#;

pub fn small_card() -> Card {
    parse_card(SMALL_CARD, Path::new("small.toml")).expect("a sound card")
}

/// Reads weights as `backbone check` does, and loads those that fit.
pub fn read_weights(card: &Card, path: &Path) -> Result<()> {
    let engine = EngineOptions { engine: "native".into(), ..EngineOptions::default() };
    let options = LoadOptions { engine, weights: Some(path.to_path_buf()) };
    if check(card, &options)?.is_sound() {
        load(card, &options)?;
    }
    Ok(())
}

/// The pickle of a checkpoint, in a sound archive.
pub fn pickle() -> MutantParser {
    let archives = files(CHECKPOINTS, &["kinds-zip.pth", "own-resnet.pth"]).into_iter();
    let archives: Vec<Vec<(String, Vec<u8>)>> =
        archives.map(|seed| entries_of(&seed.bytes)).collect();
    let pickle_of = |entries: &Vec<(String, Vec<u8>)>| {
        let found = entries.iter().find(|(name, _)| name.ends_with("data.pkl"));
        found.expect("a pickle").1.clone()
    };
    let seeds = archives.iter().enumerate();
    let seeds = seeds.map(|(i, a)| Seed::new(format!("{i}.pkl"), pickle_of(a))).collect();
    let card = small_card();
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: PICKLE_WORDS,
        seeds,
        read: Box::new(move |_, pickle| {
            let file = container("pth");
            // Its storages are those of one of the archives; the other refuses what it lacks.
            let outcomes = archives.iter().map(|archive| {
                let with_pickle = |(name, bytes): &'_ (String, Vec<u8>)| -> (String, Vec<u8>) {
                    let is_pickle = name.ends_with("data.pkl");
                    (name.clone(), if is_pickle { pickle.to_vec() } else { bytes.clone() })
                };
                let entries: Vec<(String, Vec<u8>)> = archive.iter().map(with_pickle).collect();
                std::fs::write(&file, zip_of(&entries)).expect("room for a checkpoint");
                read_weights(&card, &file)
            });
            let outcome = outcomes.reduce(Result::or).expect("an archive");
            std::fs::remove_file(&file).expect("a checkpoint that can be removed");
            outcome
        }),
    }
}

/// Whole checkpoints, of both layouts.
pub fn pth() -> MutantParser {
    let card = read_card(&root(CHECKPOINTS).join("own-resnet.toml")).expect("a sound card");
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: PICKLE_WORDS,
        seeds: all_files(CHECKPOINTS, "pth"),
        read: Box::new(move |path, _| read_weights(&card, path)),
    }
}

/// Files with a header in JSON: weights, and embeddings of other tools.
pub fn safetensors() -> MutantParser {
    let card = small_card();
    let specs = tensors(&card).expect("a sound card");
    let weights: Vec<(String, Vec<usize>)> =
        specs.iter().map(|s| (s.name.clone(), s.shape.clone())).collect();
    let matrix = vec![("embeddings".to_string(), vec![5, 4])];
    let packed = vec![
        ("cls_token".to_string(), vec![1, 1, 16]),
        ("cls_token.remainder".to_string(), vec![1, 1, 16]),
        ("pos_embed".to_string(), vec![1, 5, 16]),
    ];
    let types = ["F16", "I8", "BF16"];
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: SAFETENSORS_WORDS,
        seeds: vec![
            Seed::new("weights.safetensors", safetensors_of(&weights, |_| "F32")),
            Seed::new("matrix.safetensors", safetensors_of(&matrix, |_| "F64")),
            Seed::new("packed.safetensors", safetensors_of(&packed, |i| types[i])),
        ],
        read: Box::new(move |path, _| {
            let imported = import_safetensors(path, "any", None).map(drop);
            imported.or(read_weights(&card, path))
        }),
    }
}

/// A file of zeros.
pub fn safetensors_of(
    tensors: &[(String, Vec<usize>)],
    dtype: impl Fn(usize) -> &'static str,
) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (i, (name, shape)) in tensors.iter().enumerate() {
        let width = match dtype(i) {
            "F64" => 8,
            "F32" => 4,
            "I8" => 1,
            _ => 2,
        };
        let start = end;
        end += shape.iter().product::<usize>() * width;
        let tensor =
            serde_json::json!({ "dtype": dtype(i), "shape": shape, "data_offsets": [start, end] });
        header.insert(name.clone(), tensor);
    }
    let mut header = serde_json::Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    [(header.len() as u64).to_le_bytes().as_slice(), header.as_bytes(), &vec![0; end]].concat()
}

/// The index of weights in several files, which stand beside it.
pub fn shard_index() -> MutantParser {
    let card = small_card();
    let all = tensors(&card).expect("a sound card");
    let halves: Vec<Vec<(String, Vec<usize>)>> = all
        .chunks(all.len().div_ceil(2))
        .map(|half| half.iter().map(|s| (s.name.clone(), s.shape.clone())).collect())
        .collect();
    let names: serde_json::Map<String, serde_json::Value> = halves
        .iter()
        .enumerate()
        .flat_map(|(i, half)| {
            half.iter().map(move |(n, _)| (n.clone(), format!("{i}.safetensors").into()))
        })
        .collect();
    let index = serde_json::json!({ "metadata": { "total_size": 1 }, "weight_map": names });
    MutantParser {
        alphabet: Alphabet::Text,
        words: &[
            b"0.safetensors",
            b"index.json",
            b"../0.safetensors",
            b"/dev/zero",
            b".",
            b"weight_map",
        ],
        seeds: vec![Seed::new("index.json", index.to_string())],
        read: Box::new(move |_, text| {
            let folder = tempfile::tempdir().expect("a folder");
            for (i, half) in halves.iter().enumerate() {
                let file = folder.path().join(format!("{i}.safetensors"));
                std::fs::write(file, safetensors_of(half, |_| "F32")).expect("room for a shard");
            }
            let index = folder.path().join("index.json");
            std::fs::write(&index, text).expect("room for an index");
            read_weights(&card, &index)
        }),
    }
}

/// Networks as graphs; the runtime itself, which is no code of ours, does not get them.
pub fn onnx() -> MutantParser {
    let info = small_card().info(String::new(), 0, String::new());
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: &[
            b"\x3a",
            b"\x0a",
            b"\x12",
            b"\x62",
            b"\x2a\x04",
            b"location",
            b"\xff\xff\xff\xff\x0f",
            b"\x6a",
        ],
        seeds: all_files("tests/golden/backbone/onnx", "onnx"),
        read: Box::new(move |path, _| {
            let mut options = OnnxOptions::new(path);
            options.library = Some(path.with_extension("none"));
            match eosin_backbone_onnx::load(info.clone(), &options) {
                // The file was read, and then the runtime was not found.
                Err(Error::Unsupported { .. }) => Ok(()),
                other => other.map(drop),
            }
        }),
    }
}

/// Cards, with the networks that they describe where these are small.
pub fn card() -> MutantParser {
    let mut seeds = all_files("crates/eosin-backbone/cards", "toml");
    seeds.push(Seed::new(
        "small.toml",
        SMALL_CARD.replace("\"file\", source = \"none\"", "\"random\", seed = 1"),
    ));
    MutantParser {
        alphabet: Alphabet::Text,
        words: &[
            b"width",
            b"depth",
            b"heads",
            b"layers",
            b"[1]",
            b"patch",
            b"mlp_ratio",
            b"\"random\"",
            b"seed",
            b"[architecture]",
            b"\"vit\"",
            b"\"swin\"",
            b"\"resnet\"",
            b"\"efficientnet\"",
            b"\"convnext\"",
            b"\"densenet\"",
            b"window",
            b"growth",
            b"registers",
            b"position_px",
            b"dim",
            b"input_px",
            b"projection",
            b"pool_width",
            b"pool_heads",
            b"1e18",
            b"1000000000000000000",
        ],
        seeds,
        read: Box::new(|path, text| {
            let card = parse_card(&String::from_utf8_lossy(text), path)?;
            if ["colour-statistics", "onnx"].contains(&card.family.as_str()) {
                return Ok(());
            }
            let specs = tensors(&card)?;
            let sizes = specs
                .iter()
                .map(|s| s.shape.iter().fold(1, |n: usize, &side| n.saturating_mul(side)));
            let n = sizes.fold(0, usize::saturating_add);
            let is_random =
                matches!(card.weights, eosin::crates::core::WeightsSource::Random { .. });
            if is_random && n < 1 << 20 {
                let engine = EngineOptions { engine: "native".into(), ..EngineOptions::default() };
                load(&card, &LoadOptions { engine, weights: None })?;
            }
            Ok(())
        }),
    }
}

/// Names and shapes of a checkpoint's tensors.
pub fn weight_map(tensors: &[(String, Vec<usize>)]) -> WeightMap {
    let mut map = WeightMap::new("mutant");
    for (name, shape) in tensors {
        let values = vec![0.0; shape.iter().product()];
        map.insert(name, eosin::crates::backbone::WeightTensor { shape: shape.clone(), values });
    }
    map
}
