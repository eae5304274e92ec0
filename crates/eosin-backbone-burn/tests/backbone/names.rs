// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_backbone::{WeightMap, WeightTensor, builtin_card, check_tensors};
use eosin_core::Card;
use serde::Deserialize;

use crate::support::root;

/// A network of another program: the names and shapes that `names.py` found.
#[derive(Deserialize)]
struct Listed {
    program: String,
    card: String,
    depth: Option<i64>,
    tensors: BTreeMap<String, Vec<usize>>,
}

fn listed() -> Vec<Listed> {
    let path = root().join("tests/golden/backbone/names.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The card, with as many blocks as the network was built with.
fn card(network: &Listed) -> Card {
    let mut card = builtin_card(&network.card).unwrap();
    if let Some(depth) = network.depth {
        card.architecture = card.architecture.with("depth", depth).unwrap();
    }
    card
}

fn tensors(network: &Listed) -> WeightMap {
    let mut map = WeightMap::new(&network.program);
    for (name, shape) in &network.tensors {
        let values = vec![0.5; shape.iter().product()];
        map.insert(name, WeightTensor { shape: shape.clone(), values });
    }
    map
}

#[test]
fn every_programs_names_cover_the_architecture() {
    let networks = listed();
    assert!(networks.len() >= 20);
    for network in &networks {
        let report = check_tensors(&card(network), tensors(network)).unwrap();
        let place = format!("{} as {}", network.program, network.card);
        assert!(report.is_sound(), "{place}: {report}");
        // What is left alone are classifiers, poolers, mask tokens: never a block.
        for name in &report.left {
            let is_block = name.starts_with("blocks.") || name.starts_with("layer");
            assert!(!is_block, "{place}: {name} was left");
        }
    }
}

#[test]
fn a_tensor_that_is_gone_cut_or_foreign_is_named() {
    for network in listed().iter().filter(|n| n.program.contains("transformers")) {
        let place = &network.program;
        // A tensor of the second block that every ViT has under one name; not the text tower's.
        let is_one = |name: &&String| {
            let is_norm =
                ["layernorm_before", "norm1", "layer_norm1"].iter().any(|n| name.contains(n));
            is_norm && !name.starts_with("text") && name.contains(".1.") && name.ends_with("weight")
        };
        let one = network.tensors.keys().find(is_one).unwrap();
        let mut gone = tensors(network);
        gone.remove(one).unwrap();
        let report = check_tensors(&card(network), gone).unwrap();
        assert_eq!(report.missing.len(), 1, "{place} without {one}: {report}");
        let mut cut = tensors(network);
        cut.insert(one, WeightTensor { shape: vec![3], values: vec![0.0; 3] });
        let report = check_tensors(&card(network), cut).unwrap();
        assert_eq!(report.mis_shaped.len(), 1, "{place} with {one} cut: {report}");
    }
    let network = &listed()[0];
    let mut more = tensors(network);
    more.insert("blocks.2.norm1.weight", WeightTensor { shape: vec![1], values: vec![0.0] });
    let report = check_tensors(&card(network), more).unwrap();
    assert_eq!(report.unused, ["blocks.2.norm1.weight"]);
}
