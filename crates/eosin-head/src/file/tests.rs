// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Use;

use super::*;

fn example() -> HeadFile {
    HeadFile {
        record: HeadRecord {
            kind: "logistic".into(),
            classes: vec!["normal".into(), "tumour".into()],
            tensors: BTreeMap::from([
                ("weights".into(), Tensor { shape: vec![1, 2], values: vec![0.1, -1e300] }),
                ("bias".into(), Tensor { shape: vec![1], values: vec![1.0 / 3.0] }),
            ]),
            parameters: BTreeMap::from([("penalty".into(), 0.1)]),
        },
        contract: Contract {
            version: Contract::VERSION,
            backbone: "any".into(),
            weights_sha256: "0".into(),
            architecture: BTreeMap::new(),
            input_px: 224,
            mean: [0.5; 3],
            std: [0.5; 3],
            resampling: "bicubic".into(),
            pooling: "cls".into(),
            dim: 2,
            precision: "f32".into(),
            tile_um: Some(112.0),
            tile_px: 224,
            mpp_policy: "exact".into(),
            reader: "folder 1".into(),
            view: "identity".into(),
        },
        threshold: Some(0.3),
        penalty: Some(0.1),
        metrics: BTreeMap::from([("auroc".into(), 0.9)]),
        training_digest: "ab".into(),
        licence: Licence { name: "Apache-2.0".into(), allows: Use::Commercial },
        eosin_version: "0.1.0".into(),
    }
}

#[test]
fn a_head_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("head.safetensors");
    save_head(&path, &example()).unwrap();
    assert_eq!(load_head(&path).unwrap(), example());
    let first = fs::read(&path).unwrap();
    save_head(&path, &example()).unwrap();
    assert_eq!(first, fs::read(&path).unwrap(), "the same head is the same bytes");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary is left");
}

#[test]
fn an_undefined_metric_comes_back_as_nan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head");
    let mut head = example();
    head.metrics.insert("auprc".into(), f64::NAN);
    save_head(&path, &head).unwrap();
    assert!(load_head(&path).unwrap().metrics["auprc"].is_nan());
}

#[test]
fn another_contract_is_refused_with_the_field() {
    let head = example();
    head.ensure_contract(&head.contract).unwrap();
    let other = Contract { pooling: "mean".into(), ..head.contract.clone() };
    let error = head.ensure_contract(&other).unwrap_err();
    assert!(error.to_string().contains("pooling"), "{error}");
}

#[test]
fn every_truncation_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.safetensors");
    save_head(&path, &example()).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [0, 4, 8, 50, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = load_head(&path).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("head.safetensors") && text.contains("whole head file"), "{text}");
    }
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.safetensors");
    assert!(load_head(&path).unwrap_err().to_string().contains("could not read"));
    let plain: Vec<(&str, TensorView)> = Vec::new();
    fs::write(&path, safetensors::serialize(plain, None).unwrap()).unwrap();
    let text = load_head(&path).unwrap_err().to_string();
    assert!(text.contains("without a head's metadata"), "{text}");
    let mut head = example();
    head.record.tensors.get_mut("bias").unwrap().shape = vec![7];
    assert!(save_head(&path, &head).is_err());
}
