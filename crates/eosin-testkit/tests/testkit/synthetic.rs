// SPDX-License-Identifier: MIT OR Apache-2.0

//! The difficulty of synthetic sets is the one that was asked for.

use eosin_core::LabelledSet;
use eosin_testkit::synthetic::Gaussian;

/// AUROC of the best direction, e1 − e0, by counting pairs.
fn auroc(set: &LabelledSet) -> f64 {
    let score = |row: usize| set.features().row(row)[1] - set.features().row(row)[0];
    let of = |class: u32| (0..set.n_rows()).filter(move |&r| set.labels()[r] == class);
    let (mut wins, mut pairs) = (0.0, 0.0);
    for a in of(1) {
        for b in of(0) {
            wins += if score(a) > score(b) { 1.0 } else { 0.0 };
            pairs += 1.0;
        }
    }
    wins / pairs
}

#[test]
fn effect_gives_the_documented_auroc() {
    // Φ(effect): scipy.stats.norm.cdf([0, 0.5, 1, 2]).
    for (effect, expected) in [(0.0, 0.5), (0.5, 0.691_46), (1.0, 0.841_34), (2.0, 0.977_25)] {
        let set = Gaussian {
            n_groups: 100,
            rows_per_group: 20,
            effect,
            group_sd: 0.0,
            ..Gaussian::default()
        };
        let found = auroc(&set.build().unwrap());
        assert!((found - expected).abs() < 0.03, "effect {effect}: {found} for {expected}");
    }
}

#[test]
fn shares_groups_and_views_are_as_asked() {
    let asked = Gaussian {
        n_groups: 10,
        rows_per_group: 20,
        shares: vec![0.9, 0.1],
        group_sd: 2.0,
        n_views: 3,
        ..Gaussian::default()
    };
    let set = asked.build().unwrap();
    assert_eq!(set.labels().iter().filter(|&&l| l == 1).count(), 20);
    assert_eq!(set.group_names().len(), 10);
    let bank = set.bank().unwrap();
    for row in 0..set.n_rows() {
        for view in 0..3 {
            let view = bank.row(row, view).unwrap();
            let far = view.iter().zip(set.features().row(row)).any(|(a, b)| (a - b).abs() > 2.0);
            assert!(!far, "a view of row {row} is far from it");
        }
    }
    // Random effects make rows of a group alike: between-group variance near group_sd² + 1 / 20.
    let mean = |g: u32| {
        let rows: Vec<f32> = (0..set.n_rows())
            .filter(|&r| set.groups()[r] == g)
            .map(|r| set.features().row(r)[5])
            .collect();
        rows.iter().sum::<f32>() / rows.len() as f32
    };
    let means: Vec<f32> = (0..10).map(mean).collect();
    let centre = means.iter().sum::<f32>() / 10.0;
    let variance = means.iter().map(|m| (m - centre).powi(2)).sum::<f32>() / 9.0;
    assert!((0.8..12.0).contains(&variance), "variance of the group means {variance}");
}

#[test]
fn seed_decides_everything() {
    let of = |seed| Gaussian { seed, ..Gaussian::default() }.build().unwrap();
    assert_eq!(of(1).features(), of(1).features());
    assert_eq!(of(1).labels(), of(1).labels());
    assert_ne!(of(1).features(), of(2).features());
}
