// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_backbone::{Card, LoadOptions, WeightsSource, doctor, load};

use crate::support::{batch, cosine, cpu_engines, options, relative_max, root};

/// Every golden of `parity.py`, whose networks timm and torchvision built with the same
/// deterministic weights, on every engine that has the family.
#[test]
fn architectures_agree_with_timm_and_torchvision() {
    assert!(check_folder("tests/golden/backbone/parity") >= 13);
}

/// The same for the true architectures of large cards, up to 16 GB of memory:
/// `cargo test -p eosin-backbone --test backbone -- --ignored large --nocapture`.
#[test]
#[ignore = "takes gigabytes of memory and minutes"]
fn large_architectures_agree_with_timm() {
    assert!(check_folder("tests/golden/backbone/parity/large") >= 3);
}

fn check_folder(folder: &str) -> usize {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    for file in &files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_string();
        let text = std::fs::read_to_string(file).unwrap();
        let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected: Vec<Vec<f32>> = serde_json::from_value(golden["embeddings"].clone()).unwrap();
        let card = random_card(&name, golden["seed"].as_u64().unwrap());
        assert_eq!(u64::from(card.input_px), golden["px"].as_u64().unwrap(), "{name}");
        let tiles = batch(0..expected.len() as i64, card.input_px);
        for engine in cpu_engines() {
            let network = match load(&card, &options(engine)) {
                Err(eosin_core::Error::Unsupported { .. }) if engine == "native" => continue,
                network => network.unwrap(),
            };
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

/// The built-in card of this name, or one made for tests, with random weights.
fn random_card(name: &str, seed: u64) -> Card {
    let test_card = root().join(format!("tests/golden/backbone/cards/{name}.toml"));
    let card = if test_card.exists() { Card::read(&test_card) } else { Card::builtin(name) };
    Card { weights: WeightsSource::Random { seed }, ..card.unwrap() }
}

#[test]
fn doctor_compares_every_engine_with_the_golden_vectors() {
    let card = Card::builtin("efficientnet-lite0").unwrap();
    let checks = doctor(&card, &LoadOptions::default());
    assert_eq!(checks.len(), 5);
    for check in checks {
        match check.outcome {
            Ok(report) => {
                assert!(report.agrees && report.cosine > 0.99999, "{report:?}");
                assert!(report.reference.contains("onnxruntime"), "{report:?}");
            }
            Err(error) => assert!(!cpu_engines().contains(&check.engine.as_str()), "{error}"),
        }
    }
}

#[test]
fn a_gated_card_tells_where_its_weights_are() {
    let error = load(&Card::builtin("uni").unwrap(), &LoadOptions::default()).map(|_| ());
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
        if cpu_engines().contains(&engine) {
            let error = load(&int8(name), &options(engine)).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("precision `int8`"), "{error}");
        }
    }
}
