// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Use;

use super::*;
use crate::{Abstention, Calibration, ClassCutoff, Conformal, LogitAdjustment};

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
        decision: Decision {
            calibration: Some(Calibration::Platt { slope: 1.0 / 3.0, intercept: -0.1 }),
            logit_adjustment: Some(LogitAdjustment { tau: 1.0, shares: vec![0.9, 0.1] }),
            conformal: Some(Conformal {
                risk: 0.1,
                classes: [12, 4].map(|patients| ClassCutoff { cutoff: 0.2, patients }).to_vec(),
            }),
            abstention: Some(Abstention {
                risk: 0.05,
                certainty: 0.95,
                cutoff: f64::MAX,
                coverage: 0.0,
                patients: 12,
            }),
        },
        penalty: Some(0.1),
        metrics: BTreeMap::from([("auroc".into(), 0.9)]),
        training_digest: "ab".into(),
        trained_on: TrainedOn::new(2, &[0, 1], ["a", "b"], ["p", "q"]),
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

/// Saves the example with its metadata changed: sealed again, or without a seal as releases before
/// wrote it.
fn save_changed(path: &Path, is_sealed: bool, change: impl Fn(&mut serde_json::Value)) {
    save_head(path, &example()).unwrap();
    let bytes = fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let entry = header.metadata().as_ref().unwrap()[METADATA_KEY].clone();
    let mut metadata: serde_json::Value = serde_json::from_str(seal::parts(&entry).1).unwrap();
    change(&mut metadata);
    let arrays = SafeTensors::deserialize(&bytes).unwrap();
    let mut entry = metadata.to_string();
    if is_sealed {
        let sorted: BTreeMap<String, TensorView> = arrays.tensors().into_iter().collect();
        entry = seal::seal(&entry, sorted.iter().map(|(name, view)| (name.as_str(), view)));
    }
    let info = HashMap::from([(METADATA_KEY.to_string(), entry)]);
    fs::write(path, safetensors::serialize(arrays.iter(), Some(info)).unwrap()).unwrap();
}

#[test]
fn no_flipped_bit_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head");
    save_head(&path, &example()).unwrap();
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        let read = load_head(&path);
        assert!(matches!(read, Err(Error::Data { .. })), "bit {at}: {read:?}");
    }
}

#[test]
fn a_head_without_its_checksum_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head");
    save_changed(&path, false, |_| {});
    assert!(load_head(&path).unwrap_err().to_string().contains("no checksum"));
    save_changed(&path, true, |_| {});
    assert_eq!(load_head(&path).unwrap(), example());
}

#[test]
fn a_file_of_version_1_has_no_decision() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head");
    save_changed(&path, false, |metadata| {
        metadata["version"] = 1.into();
        metadata.as_object_mut().unwrap().remove("decision");
    });
    let old = load_head(&path).unwrap();
    assert_eq!(old, HeadFile { decision: Decision::default(), ..example() });
    let p = Probabilities::new(2, vec![0.6, 0.4]).unwrap();
    assert_eq!(old.decide(&p).unwrap().called, [Some(1)]);
    assert_eq!(old.decide(&p).unwrap().probabilities, p);
}

#[test]
fn a_guarantee_of_version_2_is_read_and_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head");
    save_changed(&path, false, |metadata| {
        metadata["version"] = 2.into();
        metadata["decision"]["conformal"] = serde_json::json!({ "risk": 0.1, "cutoff": 0.2 });
        metadata["decision"]["abstention"] = serde_json::json!(
            { "risk": 0.1, "certainty": 0.95, "cutoff": 0.3, "coverage": 0.5 }
        );
    });
    let old = load_head(&path).unwrap();
    let said = old.lacking_guarantees();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said.iter().all(|s| s.contains("an older release")), "{said:?}");
    // What it decides is what it decided.
    let raw = Probabilities::new(2, vec![0.6, 0.4]).unwrap();
    assert_eq!(old.decide(&raw).unwrap().sets, Some(vec![vec![1]]));
}

#[test]
fn a_later_version_and_a_damaged_decision_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head");
    save_changed(&path, true, |metadata| metadata["version"] = 4.into());
    let error = load_head(&path).unwrap_err().to_string();
    assert!(error.contains("version 1 to 3"), "{error}");
    save_changed(&path, true, |metadata| {
        metadata["decision"]["logit_adjustment"]["shares"] = [1.0].into();
    });
    assert!(load_head(&path).unwrap_err().to_string().contains("a bad decision"));
}

#[test]
fn a_saved_decision_is_applied() {
    let head = example();
    let raw = Probabilities::new(2, vec![0.6, 0.4]).unwrap();
    let decided = head.decide(&raw).unwrap();
    let logit = (0.4_f64 / 0.6).ln() / 3.0 - 0.1;
    let p = 1.0 / (1.0 + (-logit).exp());
    let expected = p / 0.1 / (p / 0.1 + (1.0 - p) / 0.9);
    assert!((decided.probabilities.row(0)[1] - expected).abs() < 1e-12);
    assert_eq!(decided.called, [None], "the cutoff calls nothing");
    assert_eq!(decided.sets, Some(vec![vec![1]]));
}

#[test]
fn the_card_tells_what_a_user_must_know() {
    let mut head = example();
    head.metrics.insert("auprc".into(), f64::NAN);
    let text = crate::card(&head);
    let digits = head.fingerprint().to_string();
    for part in [
        "normal, tumour",
        "Apache-2.0",
        "112 µm",
        "auroc | 0.9000",
        "undefined",
        "Platt's line",
        "no tile is called",
        "(12 with normal were calibrated on)",
        "4 patients of tumour where at least 9 are needed",
        "10.0 %",
        &digits,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
