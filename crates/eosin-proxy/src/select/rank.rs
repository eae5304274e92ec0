// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use eosin_core::{Error, ProxyScores, Result};
use eosin_eval::{CrossValidated, FoldScores, NestedScores, choice_gain};

use super::posterior::probability_best;
use super::verdict::{caution, choose, select, verdict};
use super::{Arm, Baseline, Cost, ProbeMean, RankOptions, RankedArm, Ranking};

/// Ranks arms by the mean score of the deciding probe.
///
/// Pairs are compared by [`CrossValidated`], so that interval, adjusted p and word agree, and the
/// gain of the choice is that of nested selection, where arms carry their inner scores. Of the arms that are no controls, the one with
/// the best mean is selected, or the cheapest of those whose mean is at most the ROPE below it:
/// by the licence, those that allow commercial use first, then by tiles per second where all have
/// it, else by parameters, else by dimension.
///
/// ```
/// use eosin_core::ProxyScores;
/// use eosin_proxy::select::{Arm, Cost, RankOptions, rank};
///
/// let arm = |name: &str, control, tiles_per_s, folds: [f64; 5]| Arm {
///     backbone: name.into(),
///     control,
///     cost: Cost { tiles_per_s: Some(tiles_per_s), ..Cost::default() },
///     scores: vec![ProxyScores {
///         probe: "linear".into(), metric: "balanced accuracy".into(), folds: folds.into(),
///     }],
///     ..Arm::default()
/// };
/// let ranking = rank(
///     &[
///         arm("large", false, 10.0, [0.86, 0.84, 0.85, 0.83, 0.87]),
///         arm("small", false, 90.0, [0.85, 0.84, 0.84, 0.84, 0.86]),
///         arm("colour", true, 900.0, [0.61, 0.60, 0.66, 0.59, 0.62]),
///     ],
///     &RankOptions::default(),
/// )?;
/// assert_eq!(ranking.arms[0].backbone, "large");
/// assert_eq!(ranking.selected, "small");
/// # Ok::<(), eosin_core::Error>(())
/// ```
pub fn rank(arms: &[Arm], options: &RankOptions) -> Result<Ranking> {
    let deciding = check(arms, options)?;
    let mut order: Vec<usize> = (0..arms.len()).collect();
    let mean = |i: usize| mean(&deciding[i].folds);
    order.sort_by(|&a, &b| {
        mean(b).total_cmp(&mean(a)).then_with(|| arms[a].backbone.cmp(&arms[b].backbone))
    });
    let arms: Vec<&Arm> = order.iter().map(|&i| &arms[i]).collect();
    let scores: Vec<&[f64]> = order.iter().map(|&i| deciding[i].folds.as_slice()).collect();

    let named = |(arm, folds): (&&Arm, &&[f64])| FoldScores {
        name: arm.backbone.clone(),
        scores: folds.to_vec(),
    };
    let cross = CrossValidated {
        arms: arms.iter().zip(&scores).map(named).collect(),
        test_train_ratio: options.test_train_ratio,
        level: options.level,
        rope: options.rope,
    };
    let pairs = cross.compare(&cross.all_pairs())?;
    let candidates: Vec<usize> = (0..arms.len()).filter(|&i| !arms[i].control).collect();
    let best = candidates.first().copied().unwrap_or(0);
    let of_candidates: Vec<&[f64]> = candidates.iter().map(|&i| scores[i]).collect();
    let chances =
        probability_best(&of_candidates, options.test_train_ratio, options.draws, options.seed)?;
    let word = |i: usize| {
        let names = (&arms[i].backbone, &arms[best].backbone);
        pairs.iter().find_map(|p| match (&p.arm, &p.against) {
            pair if pair == names => Some(p.word),
            (a, b) if (b, a) == names => Some(p.word.reversed()),
            _ => None,
        })
    };
    let ranked = arms
        .iter()
        .zip(cross.estimates()?)
        .enumerate()
        .map(|(i, (arm, found))| RankedArm {
            backbone: arm.backbone.clone(),
            control: arm.control,
            mean: found.estimate,
            lower: found.lower,
            upper: found.upper,
            probability_best: candidates.iter().position(|&c| c == i).map(|c| chances[c]),
            against_best: word(i),
            cost: arm.cost,
            probes: arm.scores.iter().map(probe_mean).collect(),
        })
        .collect();
    let mut ranking = Ranking {
        probe: options.probe.clone(),
        metric: deciding[0].metric.clone(),
        n_folds: scores[0].len(),
        rope: options.rope,
        level: options.level,
        arms: ranked,
        pairs,
        baselines: Vec::new(),
        selected: String::new(),
        verdict: String::new(),
        caution: None,
    };
    let choice = select(&ranking);
    let (selected, text) = (choice.arm.backbone.clone(), verdict(&ranking, &choice));
    let against = caution(&ranking, &choice);
    ranking.baselines = baselines(&arms, &scores, options)?;
    (ranking.selected, ranking.verdict, ranking.caution) = (selected, text, against);
    Ok(ranking)
}

/// What the selected arm gains over choices that look at no score.
fn baselines(arms: &[&Arm], scores: &[&[f64]], options: &RankOptions) -> Result<Vec<Baseline>> {
    let candidates: Vec<usize> = (0..arms.len()).filter(|&i| !arms[i].control).collect();
    let default = options.default_backbone.as_ref();
    let default = arms.iter().position(|a| Some(&a.backbone) == default);
    // The first of equals is the better-ranked one, which is the harder baseline.
    let larger = |best: usize, i: usize| {
        if arms[i].cost.parameters > arms[best].cost.parameters { i } else { best }
    };
    let largest = candidates.iter().copied().reduce(larger);
    let n_folds = scores[0].len();
    let random: Vec<f64> = (0..n_folds)
        .map(|f| candidates.iter().map(|&i| scores[i][f]).sum::<f64>() / candidates.len() as f64)
        .collect();
    let named = |name: &str, arm: Option<usize>| {
        arm.map(|i| (name.to_string(), Some(arms[i].backbone.clone()), scores[i].to_vec()))
    };
    // The choice is made again on the folds within each training part, by the same rule.
    let inner: Option<Vec<Vec<f64>>> = candidates.iter().map(|&i| arms[i].inner.clone()).collect();
    let outer: Vec<Vec<f64>> = candidates.iter().map(|&i| scores[i].to_vec()).collect();
    let costs: Vec<Cost> = candidates.iter().map(|&i| arms[i].cost).collect();
    [
        named("default", default),
        named("largest model", largest),
        Some(("random pick".to_string(), None, random)),
    ]
    .into_iter()
    .flatten()
    .map(|(name, backbone, folds)| {
        let gain = match &inner {
            Some(inner) => {
                let nested = NestedScores {
                    inner,
                    outer: &outer,
                    test_train_ratio: options.test_train_ratio,
                    level: options.level,
                };
                let rule = |means: &[f64]| choose(means, &costs, options.rope);
                Some(choice_gain(nested, &folds, rule)?.gain)
            }
            None => None,
        };
        Ok(Baseline { name, backbone, mean: mean(&folds), gain })
    })
    .collect()
}

/// The deciding scores of each arm, after checking that they can be compared.
fn check<'a>(arms: &'a [Arm], options: &RankOptions) -> Result<Vec<&'a ProxyScores>> {
    let names: BTreeSet<&str> = arms.iter().map(|a| a.backbone.as_str()).collect();
    if arms.iter().all(|a| a.control) || names.len() != arms.len() {
        return Err(Error::input(
            "backbones to rank",
            "different names, at least one that is not a control",
            arms.iter().map(|a| a.backbone.as_str()).collect::<Vec<_>>().join(", "),
            "name at least one backbone besides the controls",
        ));
    }
    if !(options.rope >= 0.0 && options.level > 0.0 && options.level < 1.0 && options.draws > 0) {
        return Err(Error::input(
            "options of the ranking",
            "a rope of 0 or more, a level between 0 and 1, at least one draw",
            format!("rope {}, level {}, draws {}", options.rope, options.level, options.draws),
            "rope 0.01, level 0.95 and 10000 draws are usual",
        ));
    }
    let deciding: Vec<&ProxyScores> = arms
        .iter()
        .map(|arm| {
            arm.scores.iter().find(|s| s.probe == options.probe).ok_or_else(|| {
                Error::input(
                    format!("scores of {}", arm.backbone),
                    format!("those of probe {}", options.probe),
                    arm.scores.iter().map(|s| s.probe.as_str()).collect::<Vec<_>>().join(", "),
                    "score every backbone with the probe that decides",
                )
            })
        })
        .collect::<Result<_>>()?;
    let n_folds = deciding[0].folds.len();
    for (arm, scores) in arms.iter().zip(&deciding) {
        let sound = scores.folds.iter().all(|s| s.is_finite())
            && arm.inner.as_ref().is_none_or(|inner| inner.len() == n_folds);
        if scores.folds.len() != n_folds || n_folds < 2 || !sound {
            return Err(Error::input(
                format!("scores of {}", arm.backbone),
                format!("finite scores of the same {} folds as the other arms", n_folds.max(2)),
                format!("{:?}", scores.folds),
                "pass the same folds, at least two, to every backbone",
            ));
        }
    }
    Ok(deciding)
}

fn probe_mean(scores: &ProxyScores) -> ProbeMean {
    ProbeMean {
        probe: scores.probe.clone(),
        metric: scores.metric.clone(),
        mean: mean(&scores.folds),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
