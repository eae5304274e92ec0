// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use eosin_backbone::{LoadOptions, arch, builtin_card, builtin_cards};
use eosin_backbone_burn::{doctor, load};
use eosin_core::Card;
use eosin_testkit::tissue;

use crate::support::{
    batch, cosine, engines, network_on, options, random_card, relative_max, root,
};

/// The one golden that is asked for, by `cargo xtask parity`.
fn asked_for() -> Option<String> {
    std::env::var("EOSIN_PARITY").ok()
}

/// Every golden of `parity.py`, whose networks timm and torchvision built with the same
/// deterministic weights, on every engine that has the family.
#[test]
fn architectures_agree_with_timm_and_torchvision() {
    let n_checked = check_folder("tests/golden/backbone/parity");
    assert!(n_checked >= 21 || asked_for().is_some());
}

/// The same for the true architectures of large cards, up to 16 GB of memory:
/// `cargo test -p eosin-backbone-burn --test backbone -- --ignored large --nocapture`.
#[test]
#[ignore = "takes gigabytes of memory and minutes"]
fn large_architectures_agree_with_timm() {
    let n_checked = check_folder("tests/golden/backbone/parity/large");
    assert!(n_checked >= 27 || asked_for().is_some());
}

/// A card has a golden of its own, or computes the same as one that has: equal arguments, input
/// and pooling. Which weights and normalisation it takes is no matter of its layers.
#[test]
fn every_card_is_covered_by_a_golden() {
    // What has no architecture that parity.py could build is compared elsewhere.
    let elsewhere =
        [("colour-statistics", "colour_statistics.json"), ("open-nsfw", "open_nsfw.json")];
    let goldens =
        ["", "/large"].map(|part| goldens(&format!("tests/golden/backbone/parity{part}")));
    let covered: Vec<String> =
        goldens.iter().flatten().map(|file| computation(&random_card(&name_of(file), 0))).collect();
    for card in builtin_cards().unwrap() {
        if let Some((_, file)) = elsewhere.iter().find(|(name, _)| *name == card.name) {
            assert!(root().join("tests/golden/backbone").join(file).exists(), "{file}");
            continue;
        }
        let is_covered = covered.contains(&computation(&card));
        assert!(is_covered, "no golden of tests/golden/backbone covers {}", card.name);
    }
}

/// What a card computes, but for its weights.
fn computation(card: &Card) -> String {
    fn parsed<T: std::fmt::Debug + serde::de::DeserializeOwned>(card: &Card) -> String {
        format!("{:?}", card.arguments::<T>().unwrap())
    }
    let arguments = match card.family.as_str() {
        "convnext" => parsed::<arch::ConvNextArgs>(card),
        "densenet" => parsed::<arch::DenseNetArgs>(card),
        "efficientnet" => parsed::<arch::EfficientNetArgs>(card),
        "resnet" => parsed::<arch::ResNetArgs>(card),
        "swin" => parsed::<arch::SwinArgs>(card),
        "vit" => parsed::<arch::VitArgs>(card),
        other => panic!("family {other} is not known to this test"),
    };
    format!("{} {arguments} {} px {}", card.family, card.input_px, card.pooling)
}

fn goldens(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

fn name_of(file: &Path) -> String {
    file.file_stem().unwrap().to_str().unwrap().to_string()
}

fn check_folder(folder: &str) -> usize {
    let mut files = goldens(folder);
    if let Some(name) = asked_for() {
        files.retain(|file| name_of(file) == name);
    }
    for file in &files {
        let name = name_of(file);
        let text = std::fs::read_to_string(file).unwrap();
        let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected: Vec<Vec<f32>> = serde_json::from_value(golden["embeddings"].clone()).unwrap();
        let card = random_card(&name, golden["seed"].as_u64().unwrap());
        assert_eq!(u64::from(card.input_px), golden["px"].as_u64().unwrap(), "{name}");
        let tiles = tissue::batch(card.input_px);
        assert_eq!(expected.len(), tiles.n_tiles(), "{name}");
        for engine in engines() {
            let Some(network) = network_on(&card, engine) else { continue };
            let found = network.embed(&tiles).unwrap();
            for (found, expected) in found.rows().zip(&expected) {
                let (cosine, max) = (cosine(found, expected), relative_max(found, expected));
                eprintln!("{name} {engine}: cosine 1 - {:.1e}, max {max:.1e}", 1.0 - cosine);
                assert!(cosine >= 0.99999 && max <= 1e-3, "{name} on {engine}");
            }
        }
    }
    files.len()
}

#[test]
fn doctor_compares_every_engine_with_the_golden_vectors() {
    let card = builtin_card("efficientnet-lite0").unwrap();
    let checks = doctor(&card, &LoadOptions::default());
    assert_eq!(checks.len(), 5);
    for check in checks {
        match check.outcome {
            Ok(report) => {
                assert!(report.agrees && report.cosine > 0.99999, "{report:?}");
                assert!(report.reference.contains("onnxruntime"), "{report:?}");
            }
            Err(error) => assert!(!engines().contains(&check.engine.as_str()), "{error}"),
        }
    }
}

#[test]
fn a_gated_card_tells_where_its_weights_are() {
    let error = load(&builtin_card("uni").unwrap(), &LoadOptions::default()).map(|_| ());
    assert!(error.unwrap_err().hint().contains("MahmoodLab/UNI"));
}

/// Its cosine is measured when it loads and stands in the contract's `precision`.
#[test]
fn int8_says_how_near_it_is_and_is_refused_where_there_is_none() {
    let int8 = |name: &str| Card { precision: "int8".into(), ..random_card(name, 2) };
    let network = load(&int8("lunit-dino-s16"), &options("native")).unwrap();
    let exact = load(&random_card("lunit-dino-s16", 2), &options("native")).unwrap();
    let precision = network.info().precision.clone();
    let stated = precision.strip_prefix("int8, cosine ").and_then(|p| p.strip_suffix(" to f32"));
    let stated: f64 = stated.unwrap().parse().unwrap();
    let tiles = batch(0..4, 224);
    let (found, expected) = (network.embed(&tiles).unwrap(), exact.embed(&tiles).unwrap());
    let least = found.rows().zip(expected.rows()).map(|(a, b)| cosine(a, b)).fold(1.0, f64::min);
    eprintln!("{precision}, measured {least:.6}");
    assert!((stated..stated + 0.001).contains(&least), "{precision}, measured {least}");
    assert!(least > 0.99 && least < 0.999_999, "{least}");
    for (name, engine) in [("resnet18", "native"), ("lunit-dino-s16", "flex")] {
        if engines().contains(&engine) {
            let error = load(&int8(name), &options(engine)).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("precision `int8`"), "{error}");
        }
    }
}

/// Weights and arithmetic in 16 bits are near f32, never the same, and told in the contract.
#[test]
fn half_precision_is_near_and_is_refused_where_there_is_none() {
    for name in ["test-vit-swiglu", "test-vit-attention", "resnet18", "efficientnet-lite0"] {
        let exact = load(&random_card(name, 2), &options("native")).unwrap();
        for (precision, least) in [("f16", 0.9999), ("bf16", 0.99)] {
            let half = Card { precision: precision.into(), ..random_card(name, 2) };
            let error = load(&half, &options("native")).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(precision) && error.contains("burn's engines"), "{error}");
            if !engines().contains(&"flex") {
                continue;
            }
            let network = load(&half, &options("auto")).unwrap();
            assert_eq!((&*network.info().precision, &*network.info().engine), (precision, "flex"));
            let tiles = batch(0..2, half.input_px);
            let (found, expected) = (network.embed(&tiles).unwrap(), exact.embed(&tiles).unwrap());
            for (found, expected) in found.rows().zip(expected.rows()) {
                let cosine = cosine(found, expected);
                eprintln!("{name} {precision}: cosine 1 - {:.1e}", 1.0 - cosine);
                assert!(cosine >= least && cosine < 1.0 - 1e-12, "{name} {precision}: {cosine}");
            }
        }
    }
    let half =
        Card { precision: "f16".into(), ..builtin_card("efficientnet-lite0-random").unwrap() };
    for check in doctor(&half, &LoadOptions::default()) {
        if let Ok(report) = check.outcome {
            assert!(report.agrees && report.reference == "f32 on native", "{report:?}");
        }
    }
}

#[test]
fn an_attention_pooling_without_its_width_is_refused() {
    let refusal = |key: &str, value: i64| {
        let mut card = random_card("test-vit-attention", 2);
        card.architecture = card.architecture.with(key, value).unwrap();
        load(&card, &options("auto")).map(|_| ()).unwrap_err().to_string()
    };
    assert!(refusal("pool_heads", 0).contains("pool_heads divides"));
    assert!(refusal("pool_heads", 7).contains("pool_width 80, pool_heads 7"));
    let mut card = random_card("test-vit-mean", 2);
    card.architecture = card.architecture.with("pool_width", 64).unwrap();
    let error = load(&card, &options("auto")).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("without pooling `attention`"), "{error}");
}
