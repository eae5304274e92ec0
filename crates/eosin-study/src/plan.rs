// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Fold, TrainView};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::StudyInput;
use super::config::StudyConfig;
use super::unit::{Part, UnitKey};

/// Every unit of a study, in the order in which they are reported: `rounds` partitions of `k` folds.
pub fn jobs(config: &StudyConfig, input: &StudyInput, rounds: usize, k: usize) -> Vec<UnitKey> {
    let (mut jobs, mut draws) = (Vec::new(), Vec::new());
    let design = &config.design;
    let mut add = |part, backbone, arm, repeats: usize| {
        for repeat in 0..repeats {
            jobs.extend((0..k).map(|fold| UnitKey { part, backbone, arm, repeat, fold }));
        }
    };
    for backbone in 0..input.sets.len() {
        for (arm, settings) in config.arms.iter().enumerate() {
            add(Part::Main, backbone, arm, rounds);
            let is_named = |names: &[String]| names.contains(&settings.name);
            if let Some(permuted) = &config.permuted
                && (is_named(&permuted.arms) || settings.name == design.reference)
            {
                // Each permutation is scored on one fold, in turn.
                let drawn = |draw| UnitKey {
                    part: Part::Permuted,
                    backbone,
                    arm,
                    repeat: draw,
                    fold: draw % k,
                };
                draws.extend((0..permuted.draws).map(drawn));
            }
            if let Some(curve) = &config.curve
                && is_named(&curve.arms)
            {
                for &n in &curve.positives {
                    add(Part::Curve(n), backbone, arm, curve.repeats.min(rounds));
                }
            }
        }
    }
    jobs.extend(draws);
    if !input.split.held_out.is_empty() {
        for backbone in 0..input.sets.len() {
            for arm in 0..config.arms.len() {
                jobs.push(UnitKey { part: Part::Test, backbone, arm, repeat: 0, fold: 0 });
            }
        }
    }
    jobs
}

/// A seed per outer fold, far from those of other folds.
pub fn seed_of(seed: u64, repeat: usize, fold: usize) -> u64 {
    let step = (repeat as u64) << 32 | (fold as u64 + 1);
    seed ^ step.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A fold with `n` rows of the last class to fit on, and as large a share of every other class.
///
/// Rows are taken from the groups in turn, so that few rows still come from several groups; at
/// least two rows of every class are kept. A fold that has no more than `n` is left as it is.
pub fn thinned(train: &TrainView, fold: &Fold, n: usize, seed: u64) -> Fold {
    let (labels, groups) = (train.labels(), train.groups());
    let mut by_class: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for &at in &fold.train {
        by_class.entry(labels[at]).or_default().push(at);
    }
    let last = train.classes().len() as u32 - 1;
    let n_positives = by_class.get(&last).map_or(0, Vec::len);
    if n >= n_positives {
        return fold.clone();
    }
    let share = n as f64 / n_positives as f64;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut kept = Vec::new();
    for (class, rows) in by_class {
        let wanted =
            if class == last { n } else { (rows.len() as f64 * share).round().max(2.0) as usize };
        kept.extend(in_turn(&rows, &groups, &mut rng).into_iter().take(wanted));
    }
    kept.sort_unstable();
    Fold { train: kept, held_out: fold.held_out.clone() }
}

/// The rows, one of each group in turn, groups and rows within them shuffled.
fn in_turn(rows: &[usize], groups: &[u32], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut by_group: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for &row in rows {
        by_group.entry(groups[row]).or_default().push(row);
    }
    let mut queues: Vec<Vec<usize>> = by_group.into_values().collect();
    queues.shuffle(rng);
    for queue in &mut queues {
        queue.shuffle(rng);
    }
    let longest = queues.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|turn| queues.iter().filter_map(move |q| q.get(turn)).copied()).collect()
}
