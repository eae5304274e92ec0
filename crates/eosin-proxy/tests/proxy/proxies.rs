// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Fold, LabelledSet, Matrix, ProxyTask, TileMeta, TrainView, ViewBank};
use eosin_eval::GroupBootstrap;
use eosin_proxy::proxies::{
    Invariance, SpatialNeighbourhood, nuisance_task, spatial_blocks, terciles,
};
use eosin_proxy::robustness::{RobustnessOptions, robustness_index};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

#[test]
fn thirds_are_equal_and_ties_stay_together() {
    assert_eq!(terciles(&[3.0, 1.0, 2.0, 6.0, 5.0, 4.0]).unwrap(), [1, 0, 0, 2, 2, 1]);
    assert_eq!(terciles(&[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0]).unwrap(), [0, 0, 1, 1, 2, 2, 2]);
    assert!(terciles(&[1.0, 1.0, 2.0, 2.0, 2.0, 3.0]).is_err());
    assert!(terciles(&[1.0, 1.0, 1.0]).is_err());
    assert!(terciles(&[1.0, f64::NAN, 2.0]).is_err());
}

fn meta(slide: &str, x: i64, y: i64) -> TileMeta {
    TileMeta {
        tile_id: format!("{slide}:{x}:{y}"),
        slide: slide.into(),
        group: slide.into(),
        centre: None,
        scanner: None,
        x,
        y,
        size_level0_px: 100,
        requested_mpp: None,
        effective_mpp: None,
        tissue_fraction: 1.0,
        source: String::new(),
        source_digest: String::new(),
    }
}

#[test]
fn blocks_hold_tiles_by_their_centre() {
    let metas = [meta("s", 0, 0), meta("s", 140, 0), meta("s", 160, 0), meta("t", 0, 0)];
    let blocks = spatial_blocks(&metas, 200).unwrap();
    assert_eq!(blocks, ["s:0:0", "s:0:0", "s:1:0", "t:0:0"]);
    assert!(spatial_blocks(&metas, 0).is_err());
}

/// A grid of tiles on two slides whose embeddings follow their place, or do not.
fn grid(follow: bool) -> (LabelledSet, Vec<TileMeta>) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut rows, mut metas) = (Vec::new(), Vec::new());
    for slide in ["s", "t"] {
        for i in 0..100_i64 {
            let (x, y) = (i % 10, i / 10);
            let place = |v: i64| if follow { v as f32 * 0.1 } else { 0.0 };
            let mut normal = || 0.02 * rng.sample::<f32, _>(StandardNormal);
            rows.push(vec![1.0 + normal(), place(x) + normal(), place(y) + normal()]);
            metas.push(meta(slide, x * 100, y * 100));
        }
    }
    let groups: Vec<&str> = metas.iter().map(|m| m.slide.as_str()).collect();
    let matrix = Matrix::from_rows(&rows).unwrap();
    let labels = (0..200).map(|i| i % 2).collect();
    let set = LabelledSet::new(matrix, vec!["a".into(), "b".into()], labels, &groups).unwrap();
    (set, metas)
}

#[test]
fn embeddings_that_follow_the_place_score_on_neighbourhood() {
    let fold = Fold { train: (0..100).collect(), held_out: (100..200).collect() };
    let score = |follow| {
        let (set, metas) = grid(follow);
        let proxy = SpatialNeighbourhood::new(&metas, 5, 2.0).unwrap();
        proxy.score(&TrainView::whole(&set), std::slice::from_ref(&fold)).unwrap().folds[0]
    };
    let (with, without) = (score(true), score(false));
    // By chance 12 of 99 tiles lie within two sides, fewer at the rim.
    assert!(with > 0.8 && (0.05..0.2).contains(&without), "{with} {without}");
}

#[test]
fn invariance_is_the_cosine_to_the_views() {
    let rows = vec![vec![1.0, 0.0], vec![-1.0, 0.0], vec![3.0, 1.0], vec![0.0, 2.0]];
    let set = |views: Vec<Vec<f32>>| {
        let matrix = Matrix::from_rows(&rows).unwrap();
        LabelledSet::new(matrix, vec!["a".into()], vec![0; 4], &["p", "q", "r", "s"])
            .unwrap()
            .with_bank(ViewBank::new(1, Matrix::from_rows(&views).unwrap()).unwrap())
            .unwrap()
    };
    let fold = [Fold { train: vec![0, 1], held_out: vec![2, 3] }];
    let score =
        |set: &LabelledSet| Invariance.score(&TrainView::whole(set), &fold).unwrap().folds[0];
    assert!((score(&set(rows.clone())) - 1.0).abs() < 1e-12);
    let mirrored = rows.iter().map(|r| r.iter().map(|v| -v).collect()).collect();
    assert!((score(&set(mirrored)) + 1.0).abs() < 1e-12);
}

/// Rows of two classes and two centres; `biology` and `centre` are the strengths of both.
fn confounded(biology: f32, centre: f32) -> (LabelledSet, Vec<u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut rows, mut labels, mut groups, mut centres) = (vec![], vec![], vec![], vec![]);
    for patient in 0..24_u32 {
        for tile in 0..10_u32 {
            let (class, place) = (tile % 2, patient % 2);
            let mut row: Vec<f32> =
                (0..6).map(|_| 0.5 * rng.sample::<f32, _>(StandardNormal)).collect();
            row[0] += biology * class as f32;
            row[1] += centre * place as f32;
            rows.push(row);
            labels.push(class);
            groups.push(format!("p{patient}"));
            centres.push(place);
        }
    }
    let classes = vec!["a".into(), "b".into()];
    let set =
        LabelledSet::new(Matrix::from_rows(&rows).unwrap(), classes, labels, &groups).unwrap();
    (set, centres)
}

#[test]
fn a_backbone_that_sees_the_centre_loses_on_the_robustness_index() {
    let options = RobustnessOptions {
        bootstrap: GroupBootstrap { replicates: 200, ..GroupBootstrap::default() },
        ..RobustnessOptions::default()
    };
    let index = |biology, centre| {
        let (set, centres) = confounded(biology, centre);
        robustness_index(&TrainView::whole(&set), &centres, &options).unwrap()
    };
    let (robust, confounded) = (index(3.0, 0.0), index(1.0, 3.0));
    // An index of 1 over 24 patients: no exception among so many leaves 0.025^(1/24) open.
    assert!(robust.index.estimate > 0.95 && robust.index.lower > 0.85, "{robust:?}");
    assert!(confounded.index.upper < 0.5, "{confounded:?}");
    let (set, _) = self::confounded(1.0, 1.0);
    let one_centre = vec![0; set.n_rows()];
    assert!(robustness_index(&TrainView::whole(&set), &one_centre, &options).is_err());
}

#[test]
fn a_nuisance_task_asks_for_the_centre_within_a_class() {
    let (set, centres) = confounded(3.0, 3.0);
    let names: Vec<String> = centres.iter().map(|c| format!("centre-{c}")).collect();
    let groups: Vec<String> = set.groups().iter().map(ToString::to_string).collect();
    let task = nuisance_task(&set, 1, &names, &groups).unwrap();
    assert_eq!((task.n_rows(), task.classes().len()), (120, 2));
    let view = TrainView::whole(&task);
    let folds =
        eosin_eval::splits::grouped_stratified_kfold(&view.labels(), &view.groups(), 2, 4, 1)
            .unwrap();
    let scores = eosin_proxy::SimpleShot.score(&view, &folds).unwrap();
    assert!(scores.folds.iter().all(|s| *s > 0.9), "{scores:?}");
    // One centre in one group alone cannot be held out and trained on.
    let mut alone = names.clone();
    for (name, group) in alone.iter_mut().zip(&groups) {
        *name = if group == "0" { "centre-a".into() } else { "centre-b".into() };
    }
    assert!(nuisance_task(&set, 1, &alone, &groups).is_err());
}
