// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{LabelledSet, Matrix, Result, TrainView};
use eosin_proxy::scores::{
    alpha_req, gbc, h_score, h_score_regularised, log_me, parc, rank_me, training_free, trans_rate,
};
use eosin_testkit::peers::real_data;
use serde::Deserialize;

use crate::support::{golden, patients};

#[derive(Deserialize)]
struct Golden {
    x: Vec<Vec<f32>>,
    labels: Vec<u32>,
    random: BTreeMap<String, f64>,
    wide_x: Vec<Vec<f32>>,
    wide_labels: Vec<u32>,
    wide: BTreeMap<String, f64>,
    colorectal_texture: BTreeMap<String, f64>,
}

fn score(name: &str, x: &Matrix, y: &[u32]) -> Result<f64> {
    let c = *y.iter().max().unwrap() as usize + 1;
    match name {
        "log_me" => log_me(x, y, c),
        "h_score" => h_score(x, y, c),
        "h_score_regularised" => h_score_regularised(x, y, c),
        "trans_rate" => trans_rate(x, y, c, 1e-4),
        "rank_me" => rank_me(x),
        "alpha_req" => alpha_req(x),
        "gbc" => gbc(x, y, c),
        "parc" => parc(x, y, c),
        other => panic!("{other} has no golden number"),
    }
}

fn check(x: &Matrix, y: &[u32], expected: &BTreeMap<String, f64>) {
    for (name, expected) in expected {
        let found = score(name, x, y).unwrap();
        let scale = expected.abs().max(1.0);
        assert!((found - expected).abs() < 1e-6 * scale, "{name}: {found}, expected {expected}");
    }
}

#[test]
fn scores_of_random_embeddings_are_those_of_numpy() {
    let golden: Golden = golden("scores.json");
    check(&Matrix::from_rows(&golden.x).unwrap(), &golden.labels, &golden.random);
    check(&Matrix::from_rows(&golden.wide_x).unwrap(), &golden.wide_labels, &golden.wide);
}

#[test]
fn scores_of_real_embeddings_are_those_of_numpy() {
    let Some(folder) = real_data("embeddings/colorectal-texture") else { return };
    let bytes = std::fs::read(folder.join("features49_f32.npy")).unwrap();
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]])) + 10;
    let values: Vec<f32> = bytes[header..]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let x = Matrix::new(values.len() / 49, 49, values).unwrap();
    let text = std::fs::read_to_string(folder.join("labels.csv")).unwrap();
    let names: Vec<&str> = text.lines().skip(1).map(|l| l.split(',').nth(1).unwrap()).collect();
    let mut classes = names.clone();
    classes.sort_unstable();
    classes.dedup();
    let y: Vec<u32> =
        names.iter().map(|n| classes.iter().position(|c| c == n).unwrap() as u32).collect();
    let golden: Golden = golden("scores.json");
    check(&x, &y, &golden.colorectal_texture);
}

#[test]
fn label_scores_grow_with_the_effect() {
    let on = |effect| {
        let set = patients(20, 10, 6, effect, 0.2, 3);
        training_free(&TrainView::whole(&set), 1).unwrap()
    };
    for (weak, strong) in on(0.0).iter().zip(&on(4.0)) {
        // Two of them know no labels, and TransRate is near 0 for two balanced classes.
        if !["rankme", "alpha-req", "transrate"].contains(&weak.name.as_str()) {
            assert!(strong.value > weak.value, "{}: {weak:?} {strong:?}", weak.name);
        }
    }
}

#[test]
fn threads_do_not_change_scores() {
    let set = patients(30, 10, 200, 1.0, 0.2, 3);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| training_free(&TrainView::whole(&set), 1).unwrap())
    };
    assert_eq!(on(1), on(2));
}

#[test]
fn one_class_is_refused() {
    let x = Matrix::from_rows(&[[1.0], [2.0], [3.0]]).unwrap();
    let classes = vec!["a".into(), "b".into()];
    let set = LabelledSet::new(x, classes, vec![0, 0, 0], &["p", "q", "r"]).unwrap();
    let error = training_free(&TrainView::whole(&set), 1).unwrap_err().to_string();
    assert!(error.contains("at least 2 classes"), "{error}");
}
