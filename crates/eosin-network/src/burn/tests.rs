// SPDX-License-Identifier: MIT OR Apache-2.0

//! Losses, gradients and AdamW steps against PyTorch; made by `tests/golden/network/make.py`.

use std::collections::BTreeMap;

use eosin_core::{
    Bags, Device, Head, HeadRecord, LabelledBags, Matrix, SlideHead, Tensor, TrainBags,
};
use serde_json::Value;

use super::fit::{Objective, train};
use crate::abmil::AbmilData;
use crate::dense::Array;
use crate::mlp::MlpData;
use crate::operator::OperatorData;
use crate::schedule::{Items, Plan};
use crate::standardize::Standardizer;
use crate::{AbmilHead, Compute, MlpHead};

fn golden(of: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/network/steps.json");
    serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()[of].clone()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn counts(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn arrays(value: &Value) -> Vec<Array> {
    let array =
        |a: &Value| Array::new("", size(&a["rows"]), size(&a["cols"]), numbers(&a["values"]));
    value.as_array().unwrap().iter().map(array).collect()
}

/// A head's record whose arrays are the start's, under the names that the head gives them.
fn record(kind: &str, names: &[&str], start: &[Array], n_classes: usize) -> HeadRecord {
    let dim = start[0].rows;
    let mut tensors: BTreeMap<String, Tensor> =
        names.iter().zip(start).map(|(name, a)| ((*name).to_string(), a.tensor())).collect();
    tensors.insert("mean".into(), Tensor { shape: vec![dim], values: vec![0.0; dim] });
    tensors.insert("scale".into(), Tensor { shape: vec![dim], values: vec![1.0; dim] });
    let classes = (0..n_classes).map(|k| format!("class-{k}")).collect();
    HeadRecord { kind: kind.into(), classes, tensors, parameters: BTreeMap::new() }
}

#[track_caller]
fn close(what: &str, ours: &[f64], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - f64::from(*b)).abs() < 2e-5, "{what}: {a} against {b}");
    }
}

/// Trains on all items at once and compares the loss before each step and the end.
fn steps_equal(case: &Value, data: &impl Objective, n: usize) {
    let losses = numbers(&case["losses"]);
    for epochs in 1..=losses.len() {
        let plan = Plan {
            compute: Compute::default(),
            seed: 1,
            epochs,
            patience: 1,
            batch: n,
            learning_rate: case["lr"].as_f64().unwrap(),
            weight_decay: case["decay"].as_f64().unwrap(),
            dropout: 0.0,
        };
        let items = Items { train: (0..n).collect(), validation: Vec::new() };
        let (found, log) = train(&plan, data, arrays(&case["start"]), &items).unwrap();
        close("loss", &[log.loss], &losses[epochs - 1..epochs]);
        if epochs == losses.len() {
            for (ours, theirs) in found.iter().zip(arrays(&case["end"])) {
                let ours: Vec<f64> = ours.values.iter().map(|&v| f64::from(v)).collect();
                close("parameter", &ours, &theirs.values);
            }
        }
    }
}

#[test]
fn the_mlp_learns_as_in_pytorch() {
    let case = golden("mlp");
    let data = MlpData {
        dim: size(&case["dim"]),
        n_classes: size(&case["n_classes"]),
        features: numbers(&case["features"]),
        targets: numbers(&case["targets"]),
        weights: numbers(&case["weights"]).into_iter().map(f64::from).collect(),
    };
    let n = data.weights.len();
    steps_equal(&case, &data, n);
    let names = ["hidden.weight", "hidden.bias", "output.weight", "output.bias"];
    let head =
        MlpHead::from_record(&record("mlp", &names, &arrays(&case["start"]), data.n_classes))
            .unwrap();
    let found = head.predict(&Matrix::new(n, data.dim, data.features.clone()).unwrap()).unwrap();
    close("probability", found.values(), &numbers(&case["probabilities"]));
}

#[test]
fn attention_learns_as_in_pytorch() {
    let case = golden("abmil");
    let (dim, sizes) = (size(&case["dim"]), counts(&case["sizes"]));
    let slides: Vec<String> =
        sizes.iter().enumerate().flat_map(|(i, &n)| vec![format!("s{i}"); n]).collect();
    let features = Matrix::new(slides.len(), dim, numbers(&case["features"])).unwrap();
    let bags = Bags::from_slides(features, &slides).unwrap();
    let labels: Vec<u32> = counts(&case["labels"]).iter().map(|&l| l as u32).collect();
    let names = ["a".to_string(), "b".to_string()];
    let set =
        LabelledBags::new(bags, names.to_vec(), labels.clone(), &["p", "q", "r", "s"]).unwrap();
    let standard = Standardizer { mean: vec![0.0; dim], scale: vec![1.0; dim] };
    let data = AbmilData {
        bags: &TrainBags::whole(&set),
        standard: &standard,
        n_classes: 2,
        weights: vec![1.0; labels.len()],
        labels,
        max_tiles: 100,
        seed: 0,
    };
    steps_equal(&case, &data, sizes.len());

    let names = [
        "project.weight",
        "project.bias",
        "tanh.weight",
        "tanh.bias",
        "gate.weight",
        "gate.bias",
        "attention.weight",
        "output.weight",
        "output.bias",
    ];
    let head =
        AbmilHead::from_record(&record("abmil", &names, &arrays(&case["start"]), 2)).unwrap();
    close(
        "probability",
        head.predict(set.bags()).unwrap().values(),
        &numbers(&case["probabilities"]),
    );
    let attention = head.attention(set.bags()).unwrap();
    for (ours, theirs) in attention.iter().zip(case["attention"].as_array().unwrap()) {
        let ours: Vec<f64> = ours.iter().map(|&a| f64::from(a)).collect();
        close("attention", &ours, &numbers(theirs));
    }
}

#[test]
fn the_operator_learns_as_in_pytorch() {
    let case = golden("operator");
    let data = OperatorData {
        dim: size(&case["dim"]),
        n_conditions: size(&case["n_conditions"]),
        features: numbers(&case["features"]),
        conditions: numbers(&case["conditions"]),
        deltas: numbers(&case["deltas"]),
        tiles: counts(&case["tiles"]),
    };
    steps_equal(&case, &data, data.tiles.len());
}

#[test]
fn engines_are_named_where_they_are_missing() {
    let compute = |engine: &str| Compute { engine: engine.into(), device: None };
    let open = |compute: &Compute| eosin_burn::BurnDevice::open(&compute.engine, compute.device);
    assert!(open(&Compute::default()).is_ok());
    let error = open(&compute("abacus")).unwrap_err();
    assert!(error.to_string().contains("flex, cuda, tch, wgpu"), "{error}");
    let on_gpu = Compute { device: Some(Device::Cuda(0)), ..Compute::default() };
    let error = open(&on_gpu).unwrap_err().to_string();
    assert!(error.contains("engine `flex`") && error.contains("cuda:0"), "{error}");
    #[cfg(not(feature = "cuda"))]
    {
        let error = open(&compute("cuda")).unwrap_err();
        assert!(error.hint().contains("`cuda`"), "{}", error.hint());
    }
}
