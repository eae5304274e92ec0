// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use std::sync::Arc;

use eosin_core::{Bag, Bags, Fold, LabelledBags, Matrix, Registry, SlideHead, TrainBags};
use eosin_eval::metrics::auroc;
use eosin_head::LogisticTrainer;
use eosin_network::{AbmilTrainer, MeanPoolTrainer};

use crate::{Normals, on_threads};

const DIM: usize = 16;

/// Slides of 20 to 40 tiles of noise with a slide effect; a positive slide has two tiles that
/// differ along one axis. Returns the set and which tiles those are.
fn slides(n: usize, seed: u64) -> (Bags, Vec<u32>, Vec<bool>) {
    let mut normals = Normals::new(seed);
    let (mut values, mut ids, mut labels, mut witness) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for slide in 0..n {
        let label = (slide % 2) as u32;
        let n_tiles = 20 + (normals.uniform() * 20.0) as usize;
        let effect = normals.many(DIM);
        for tile in 0..n_tiles {
            let is_witness = label == 1 && tile % 13 == 5 && tile < 26;
            let mut x = normals.many(DIM);
            for (x, e) in x.iter_mut().zip(&effect) {
                *x += 0.3 * e;
            }
            if is_witness {
                x[0] += 4.0;
            }
            values.extend(x);
            ids.push(format!("s{slide}"));
            witness.push(is_witness);
        }
        labels.push(label);
    }
    let features = Matrix::new(ids.len(), DIM, values).unwrap();
    (Bags::from_slides(features, &ids).unwrap(), labels, witness)
}

fn labelled(bags: &Bags, labels: &[u32]) -> LabelledBags {
    // Two slides to a patient.
    let groups: Vec<String> = (0..labels.len()).map(|i| format!("p{}", i / 2)).collect();
    let classes = vec!["without".into(), "with".into()];
    LabelledBags::new(bags.clone(), classes, labels.to_vec(), &groups).unwrap()
}

fn small() -> AbmilTrainer {
    AbmilTrainer {
        hidden: 32,
        attention: 16,
        learning_rate: 2e-3,
        epochs: 40,
        patience: 10,
        ..AbmilTrainer::default()
    }
}

/// The second half of the slides is held out.
fn halves(set: &LabelledBags) -> (TrainBags<'_>, Bags) {
    let n = set.bags().n_bags();
    let fold = Fold { train: (0..n / 2).collect(), held_out: (n / 2..n).collect() };
    TrainBags::whole(set).split(&fold).unwrap()
}

fn slide_auroc(head: &dyn SlideHead, bags: &Bags, labels: &[u32]) -> f64 {
    let truth: Vec<bool> = labels.iter().map(|&l| l == 1).collect();
    auroc(&head.predict(bags).unwrap().column(1), &truth, None)
}

/// How well attention ranks the witness tiles of held-out positive slides among their tiles.
fn tile_auroc(head: &dyn SlideHead, bags: &Bags, labels: &[u32], witness: &[bool]) -> f64 {
    let attention = head.attention(bags).unwrap();
    let of_slide = |((bag, attention), _): ((&Bag, &Vec<f32>), &u32)| {
        let scores: Vec<f64> = attention.iter().map(|&a| f64::from(a)).collect();
        auroc(&scores, &witness[bag.rows.clone()], None)
    };
    let positive = bags.bags().iter().zip(&attention).zip(labels).filter(|(_, l)| **l == 1);
    let found: Vec<f64> = positive.map(of_slide).collect();
    found.iter().sum::<f64>() / found.len() as f64
}

#[test]
fn attention_finds_the_witnesses_and_beats_the_mean() {
    let (bags, labels, witness) = slides(400, 3);
    let set = labelled(&bags, &labels);
    let (train, test) = halves(&set);
    let truth = &labels[200..];
    let head = small().fit(&train, 0.01).unwrap();
    let logistic = Arc::new(LogisticTrainer::default());
    let mean = [1.0, 10.0, 100.0].map(|penalty| {
        let head = MeanPoolTrainer::new(logistic.clone()).fit(&train, penalty).unwrap();
        slide_auroc(&head, &test, truth)
    });
    let best_mean = mean.into_iter().fold(0.0, f64::max);
    let found = slide_auroc(&head, &test, truth);
    let tiles = tile_auroc(&head, &test, truth, &witness);
    eprintln!(
        "held-out AUROC: abmil {found:.3}, mean-pool {mean:.3?}; tiles by attention {tiles:.3}"
    );
    assert!(found > 0.95 && found > best_mean + 0.05, "abmil {found}, mean-pool {mean:?}");
    assert!(tiles > 0.95, "{tiles}");
    for (bag, attention) in test.bags().iter().zip(head.attention(&test).unwrap()) {
        assert_eq!(attention.len(), bag.rows.len());
        let total: f64 = attention.iter().map(|&a| f64::from(a)).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
    }
}

#[test]
fn permuted_labels_point_at_no_tile() {
    let (bags, labels, witness) = slides(160, 4);
    // Every second pair of slides swaps its labels: half of them are wrong, whatever is learnt.
    let permuted: Vec<u32> =
        labels.iter().enumerate().map(|(i, &l)| if i / 2 % 2 == 0 { l } else { 1 - l }).collect();
    let set = labelled(&bags, &permuted);
    let (train, test) = halves(&set);
    // Several seeds, since attention that learnt nothing may still lean one way.
    let found: Vec<(f64, f64)> = (0..3)
        .map(|seed| {
            let head = AbmilTrainer { seed, epochs: 15, ..small() }.fit(&train, 0.01).unwrap();
            let (bags, truth) = (&test, &labels[80..]);
            (slide_auroc(&head, bags, &permuted[80..]), tile_auroc(&head, bags, truth, &witness))
        })
        .collect();
    eprintln!("permuted labels, AUROC of slides and tiles: {found:.3?}");
    let slides = found.iter().map(|f| f.0).sum::<f64>() / 3.0;
    assert!((slides - 0.5).abs() < 0.12, "{found:?}");
    let tiles = found.iter().map(|f| f.1).sum::<f64>() / 3.0;
    assert!((tiles - 0.5).abs() < 0.3, "{found:?}");
}

#[test]
fn seeds_decide_and_threads_do_not() {
    let (bags, labels, _) = slides(24, 5);
    let set = labelled(&bags, &labels);
    let trainer = AbmilTrainer { epochs: 3, max_tiles: 10, ..small() };
    let fit = |trainer: &AbmilTrainer| trainer.fit(&TrainBags::whole(&set), 0.01).unwrap();
    let first = on_threads(1, || fit(&trainer));
    let second = on_threads(3, || fit(&trainer));
    assert_eq!(first.record(), second.record());
    assert_eq!(
        on_threads(1, || first.predict(&bags).unwrap()),
        on_threads(3, || second.predict(&bags).unwrap())
    );
    assert_ne!(first.record(), fit(&AbmilTrainer { seed: 8, ..trainer }).record());
}

#[test]
fn records_give_the_same_predictions() {
    let (bags, labels, _) = slides(24, 6);
    let set = labelled(&bags, &labels);
    let train = TrainBags::whole(&set);
    let mut registry = Registry::default();
    eosin_head::register(&mut registry);
    eosin_network::register(&mut registry);
    let logistic = Arc::new(LogisticTrainer::default());
    let heads: [Box<dyn SlideHead>; 2] = [
        Box::new(AbmilTrainer { epochs: 2, ..small() }.fit(&train, 0.01).unwrap()),
        Box::new(MeanPoolTrainer::new(logistic.clone()).fit(&train, 1.0).unwrap()),
    ];
    for (head, kind) in heads.iter().zip(["abmil", "mean-pool/logistic"]) {
        let record = head.record();
        assert_eq!(record.kind, kind);
        assert!(registry.is_slide_head(&record.kind));
        let again = registry.restore_slide_head(&record).unwrap();
        assert_eq!(head.predict(&bags).unwrap(), again.predict(&bags).unwrap());
        assert_eq!(head.attention(&bags).unwrap(), again.attention(&bags).unwrap());
        assert_eq!(head.classes(), again.classes());
        let narrow = Bags::from_slides(Matrix::new(1, 2, vec![0.0; 2]).unwrap(), &["s"]).unwrap();
        assert!(head.predict(&narrow).is_err());
    }
    let mut damaged = heads[0].record();
    damaged.tensors.get_mut("gate.weight").unwrap().shape[1] += 1;
    assert!(registry.restore_slide_head(&damaged).is_err());
    let other = eosin_core::HeadRecord {
        kind: "mlp".into(),
        classes: Vec::new(),
        tensors: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    let error = registry.restore_slide_head(&other).err().unwrap();
    assert!(error.to_string().contains("known: abmil, mean-pool"), "{error}");
}

#[test]
fn bags_keep_patients_whole() {
    let (bags, labels, _) = slides(8, 7);
    let set = labelled(&bags, &labels);
    let torn = Fold { train: vec![0, 2, 3], held_out: vec![1] };
    let error = TrainBags::whole(&set).split(&torn).unwrap_err().to_string();
    assert!(error.contains("group p0") && error.contains("slide s1"), "{error}");
    let twice = Fold { train: vec![0, 0], held_out: vec![2] };
    assert!(TrainBags::whole(&set).split(&twice).is_err());
    assert!(bags.select(&[9]).is_err());
    let picked = bags.select(&[3, 1]).unwrap();
    assert_eq!(picked.bags()[0].id, "s3");

    let three = Matrix::new(3, 1, vec![0.0; 3]).unwrap();
    assert!(Bags::from_slides(three.clone(), &["a", "b", "a"]).is_err());
    assert!(Bags::from_slides(three.clone(), &["a", "b"]).is_err());
    let bag = |id: &str, rows| Bag { id: id.into(), rows };
    assert!(Bags::new(three.clone(), vec![bag("a", 0..2), bag("b", 1..3)]).is_err());
    assert!(Bags::new(three.clone(), vec![bag("a", 0..0)]).is_err());
    assert!(Bags::new(three.clone(), vec![bag("a", 2..4)]).is_err());
    let one = Bags::new(three, vec![bag("a", 1..3)]).unwrap();
    assert!(LabelledBags::new(one.clone(), vec!["x".into()], vec![1], &["p"]).is_err());
    let set = LabelledBags::new(one, vec!["x".into(), "y".into()], vec![0], &["p"]).unwrap();
    let error = small().fit(&TrainBags::whole(&set), 0.01).err().unwrap().to_string();
    assert!(error.contains("two classes"), "{error}");
}
