// SPDX-License-Identifier: MIT OR Apache-2.0

//! A fixed head on a test part: how often its interval holds the figure of all patients there are.

use eosin_eval::metrics::Ranked;
use eosin_eval::{BinaryCounts, Form, GroupBootstrap, Interval, Scale};
use eosin_testkit::unequal::{DrawnPatients, UnequalPatients};
use rayon::prelude::*;

use crate::{FULL, SMALL, Size};

const THRESHOLD: f64 = 1.2;

/// Figures of two heads and their difference.
const NAMES: [&str; 5] = ["AUROC", "F1", "MCC", "difference of F1", "difference of AUROC"];
const SCALES: [Scale; 5] = [Scale::Unit, Scale::Unit, Scale::Signed, Scale::Real, Scale::Real];

fn patients(n_patients: usize) -> UnequalPatients {
    UnequalPatients {
        n_patients,
        effects: vec![2.0, 1.5],
        dim: 1,
        shift: 0.4,
        ..UnequalPatients::default()
    }
}

struct Heads {
    labels: Vec<bool>,
    scores: [Vec<f64>; 2],
    ranked: [Ranked; 2],
}

impl Heads {
    fn new(drawn: &DrawnPatients) -> Self {
        let labels: Vec<bool> = drawn.labels.iter().map(|&l| l == 1).collect();
        let of = |arm: usize| drawn.features[arm].iter().map(|&x| f64::from(x)).collect();
        let scores: [Vec<f64>; 2] = [of(0), of(1)];
        let ranked = [0, 1].map(|arm| Ranked::new(&scores[arm], &labels).unwrap());
        Self { labels, scores, ranked }
    }

    fn figures(&self, weights: Option<&[f64]>) -> Vec<f64> {
        let counts =
            [0, 1].map(|a| BinaryCounts::at(&self.scores[a], &self.labels, weights, THRESHOLD));
        let areas = [0, 1].map(|a| self.ranked[a].auroc(weights));
        vec![
            areas[0],
            counts[0].f1(),
            counts[0].mcc(),
            counts[1].f1() - counts[0].f1(),
            areas[1] - areas[0],
        ]
    }
}

fn coverage(size: Size, n_groups: &[usize], names: usize) {
    let replicates = if size.full { 1000 } else { 300 };
    let truth = Heads::new(&patients(20_000).draw(1)).figures(None);
    for &n in n_groups {
        let found: Vec<Vec<Interval>> = (0..size.draws)
            .into_par_iter()
            .map(|seed| {
                let drawn = patients(n).draw(500_000 + seed);
                let heads = Heads::new(&drawn);
                let bootstrap = GroupBootstrap { replicates, seed, level: 0.95 };
                bootstrap
                    .intervals(&drawn.groups, &drawn.labels, &SCALES, |w| heads.figures(Some(w)))
                    .unwrap()
            })
            .collect();
        for (i, name) in NAMES.iter().enumerate().take(names) {
            let kept = |f: &&Vec<Interval>| f[i].form != Form::None;
            let made: Vec<&Vec<Interval>> = found.iter().filter(kept).collect();
            let holds = |f: &&&Vec<Interval>| f[i].lower <= truth[i] && truth[i] <= f[i].upper;
            let rate = made.iter().filter(holds).count() as f64 / made.len() as f64;
            let what = format!("95 % interval of a fixed head's {name} covers, {n} patients");
            if n < 5 {
                assert!(made.is_empty());
                continue;
            }
            size.at_least(&what, rate, 0.91);
            size.at_most(&what, rate, 0.98);
        }
    }
}

#[test]
fn intervals_of_a_fixed_head_cover() {
    coverage(Size { draws: 200, ..SMALL }, &[4, 5, 10, 25], 2);
}

#[test]
#[ignore = "the full size of `cargo xtask bench truth`"]
fn full_fixed_heads() {
    coverage(FULL, &[5, 7, 10, 17, 25, 39, 40, 60], NAMES.len());
}
