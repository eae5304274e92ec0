// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_backbone::{
    LoadOptions, WeightMap, WeightTensor, builtin_card, random_tensor, read_card, sha256_hex,
};
use eosin_backbone_burn::load;
use eosin_testkit::tissue;

use crate::support::checkpoint::checkpoint;
use crate::support::{batch, card_file, cosine, golden, relative_max, root};

const ASSET: &str = "crates/eosin-backbone/assets/efficientnet-lite0.f16.safetensors";

#[test]
fn the_embedded_file_has_the_cards_digest() {
    let bytes = std::fs::read(root().join(ASSET)).unwrap();
    let card = std::fs::read_to_string(card_file("efficientnet-lite0"));
    assert!(card.unwrap().contains(&sha256_hex(&bytes)));
}

#[test]
fn a_truncated_or_foreign_file_is_a_data_error() {
    let bytes = std::fs::read(root().join(ASSET)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let card = builtin_card("efficientnet-lite0").unwrap();
    for n_bytes in [0, 4, 100, 20_000, bytes.len() - 1] {
        let path = folder.path().join(format!("cut-{n_bytes}.safetensors"));
        std::fs::write(&path, &bytes[..n_bytes]).unwrap();
        let options = LoadOptions { weights: Some(path.clone()), ..LoadOptions::default() };
        let error = load(&card, &options).map(|_| ()).unwrap_err();
        assert!(matches!(error, eosin_core::Error::Data { .. }), "{error}");
        assert!(error.to_string().contains("whole safetensors file"), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()) && !error.hint().is_empty());
    }
    let options = LoadOptions { weights: Some("/nowhere".into()), ..LoadOptions::default() };
    let error = load(&card, &options).map(|_| ()).unwrap_err();
    assert!(matches!(error, eosin_core::Error::Environment { .. }), "{error}");
}

#[test]
fn one_error_lists_missing_mis_shaped_and_unused_tensors() {
    let tensor = |shape: &[usize]| WeightTensor {
        shape: shape.to_vec(),
        values: vec![1.0; shape.iter().product()],
    };
    let mut map = WeightMap::new("model.safetensors");
    map.insert("a", tensor(&[2]));
    map.insert("b", tensor(&[2, 3]));
    map.insert("extra", tensor(&[1]));
    map.insert("head.weight", tensor(&[1]));
    map.insert("bn.num_batches_tracked", tensor(&[1]));
    assert_eq!(map.take("a", &[2]).values, [1.0, 1.0]);
    assert_eq!(map.take("b", &[3, 2]).values, [0.0; 6]);
    assert_eq!(map.take("c", &[4]).shape, [4]);
    assert_eq!(
        map.finish(&["head."]).unwrap_err().to_string(),
        "model.safetensors: expected exactly the tensors of the card's architecture, found \
         1 missing (c), 1 mis-shaped (b [2, 3] instead of [3, 2]), 1 unused (extra)"
    );
}

#[test]
fn a_card_finds_its_file_beside_itself_and_checks_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(card_file("efficientnet-lite0"));
    let text = text.unwrap().replace("kind = \"embedded\"", "kind = \"file\"");
    std::fs::write(folder.path().join("own.toml"), text).unwrap();
    std::fs::copy(root().join(ASSET), folder.path().join(Path::new(ASSET).file_name().unwrap()))
        .unwrap();
    let card = read_card(&folder.path().join("own.toml")).unwrap();
    assert!(load(&card, &LoadOptions::default()).is_ok());
}

#[test]
fn shards_are_read_through_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let shard = |name: &str, value: f32| {
        let bytes: Vec<u8> = [value; 2].iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], &bytes);
        safetensors::serialize([(name, view.unwrap())], None).unwrap()
    };
    let write = |file: &str, bytes: &[u8]| std::fs::write(folder.path().join(file), bytes).unwrap();
    write("a.safetensors", &shard("x", 1.0));
    write("b.safetensors", &shard("y", 2.0));
    let index = folder.path().join("model.safetensors.index.json");
    let with = |map: &str| {
        std::fs::write(&index, format!("{{\"metadata\": {{}}, \"weight_map\": {{{map}}}}}"))
            .unwrap();
        WeightMap::read(&index)
    };
    let (map, _) = with(r#""x": "a.safetensors", "y": "b.safetensors""#).unwrap();
    assert_eq!(map.get("y").unwrap().values, [2.0, 2.0]);
    assert!(with(r#""x": "b.safetensors""#).unwrap_err().to_string().contains("no tensor `x`"));
    assert!(with(r#""x": "../a.safetensors""#).unwrap_err().to_string().contains("plain file"));
    assert!(with(r#""x": "c.safetensors""#).is_err());
}

/// `tests/golden/backbone/weights.py` prints these.
#[test]
fn the_generator_draws_the_bits_that_python_draws() {
    let text = std::fs::read_to_string(root().join("tests/golden/backbone/weights.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let values = random_tensor(name, &shape, case["seed"].as_u64().unwrap()).values;
        let bits: Vec<u32> = values.iter().take(4).map(|v| v.to_bits()).collect();
        let expected: Vec<u32> = serde_json::from_value(case["bits"].clone()).unwrap();
        assert_eq!(bits, expected, "{name}");
    }
}

/// `checkpoints.py` wrote the same tensors in both layouts of PyTorch.
#[test]
fn checkpoints_of_both_layouts_hold_what_torch_wrote() {
    for layout in ["kinds-zip.pth", "kinds-legacy.pth"] {
        let path = root().join("tests/golden/backbone/checkpoints").join(layout);
        let (map, digest) = WeightMap::read(&path).unwrap();
        assert_eq!(digest.len(), 64);
        let value = |name: &str| map.get(name).unwrap().clone();
        let base: Vec<f32> = (0..24).map(|v| v as f32).collect();
        assert_eq!(value("whole"), WeightTensor { shape: vec![2, 3, 4], values: base.clone() });
        let permuted = value("permuted");
        assert_eq!(permuted.shape, [4, 2, 3]);
        assert_eq!(permuted.values[..7], [0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 1.0]);
        assert_eq!(value("cut").values, [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        assert_eq!(value("parameter").values, base[..4]);
        assert_eq!(value("scalar"), WeightTensor { shape: vec![], values: vec![2.5] });
        assert!(!map.contains("counter"), "{layout}: integers are left out");
        for (name, tolerance) in [("half", 1e-3), ("bfloat", 1e-2), ("double", 1e-7)] {
            for (i, value) in value(name).values.iter().enumerate() {
                assert!((value - i as f32 / 7.0).abs() < tolerance, "{layout}: {name}");
            }
        }
    }
}

#[test]
fn no_cut_or_flipped_checkpoint_is_read_as_whole_or_panics() {
    for layout in ["kinds-zip.pth", "kinds-legacy.pth"] {
        let path = root().join("tests/golden/backbone/checkpoints").join(layout);
        let bytes = std::fs::read(path).unwrap();
        for n in 0..bytes.len() {
            assert!(WeightMap::from_torch(&bytes[..n], layout).is_err(), "{layout} cut to {n}");
        }
        for at in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xFF] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                // It may still be sound; it must not panic, hang or take much memory.
                let _ = WeightMap::from_torch(&flipped, layout);
            }
        }
    }
}

/// A pickle that would run a command if it were executed, as an attacker would write it.
#[test]
fn code_in_a_pickle_is_data() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("ran");
    let command = format!("touch {}", marker.display());
    let mut bytes =
        std::fs::read(root().join("tests/golden/backbone/checkpoints/kinds-legacy.pth")).unwrap();
    let mut attack = b"\x80\x02cos\nsystem\nX".to_vec();
    attack.extend((command.len() as u32).to_le_bytes());
    attack.extend(command.as_bytes());
    attack.extend(b"\x85R.");
    // In the place of the checkpoint itself, after three pickles of known length.
    let head = bytes.windows(4).position(|w| w == b"\x80\x02}q").unwrap();
    let end = head + bytes[head..].iter().position(|&b| b == b'.').unwrap() + 1;
    bytes.splice(end..end, attack);
    assert!(WeightMap::from_torch(&bytes, "attack").is_err());
    assert!(!marker.exists());
}

/// The readme's card of twelve lines beside a whole ResNet-50 in the layout that `torch.save`
/// writes: torchvision's names as a training loop leaves them, with a classifier of nine classes.
/// torchvision embedded the same weights for `parity/resnet50.json`.
#[test]
fn an_own_resnet50_runs_with_the_readmes_card() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let text = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(text.trim().lines().count(), 12);
    // The crate's own shows the same.
    let own = std::fs::read_to_string(root().join("crates/eosin-backbone/README.md")).unwrap();
    assert!(own.contains(text));

    let mut tensors = vec![("fc.weight".to_string(), vec![9, 2048]), ("fc.bias".into(), vec![9])];
    let resnet50 = builtin_card("resnet50").unwrap();
    for spec in eosin_backbone::tensors(&resnet50).unwrap() {
        tensors.push((spec.name, spec.shape));
    }
    let tensors: Vec<_> = tensors
        .iter()
        .map(|(name, shape)| (format!("module.{name}"), random_tensor(name, shape, 2)))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.pth"), checkpoint(&tensors)).unwrap();
    std::fs::write(folder.path().join("own.toml"), text).unwrap();

    let card = read_card(&folder.path().join("own.toml")).unwrap();
    let backbone = load(&card, &LoadOptions::default()).unwrap();
    let found = backbone.embed(&tissue::batch(224)).unwrap();
    for (found, expected) in found.rows().zip(golden("parity/resnet50.json")) {
        assert!(cosine(found, &expected) >= 0.99999 && relative_max(found, &expected) <= 1e-3);
    }
}

/// A card of a few lines beside a checkpoint that torch wrote.
#[test]
fn a_fine_tuned_resnet_runs_with_a_short_card() {
    let folder = root().join("tests/golden/backbone/checkpoints");
    let card = read_card(&folder.join("own-resnet.toml")).unwrap();
    let backbone = load(&card, &LoadOptions::default()).unwrap();
    let found = backbone.embed(&batch(0..2, 96)).unwrap();
    for (found, expected) in found.rows().zip(golden("checkpoints/own-resnet.json")) {
        assert!(relative_max(found, &expected) < 1e-4);
    }
}
