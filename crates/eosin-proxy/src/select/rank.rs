// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use eosin_core::{Error, Fold, ProxyScores, Result, TrainView};
use eosin_eval::GroupBootstrap;
use eosin_eval::hypothesis::{bayesian_correlated_t, corrected_resampled_t, holm};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::posterior::probability_best;
use super::verdict::{select, verdict};
use super::{Arm, Baseline, Pair, ProbeMean, RankOptions, RankedArm, Ranking, Tally};

/// Ranks arms by the mean score of the deciding probe.
///
/// Intervals and p-values are those of the corrected resampled t-test (Nadeau & Bengio 2003), the
/// probabilities those of the Bayesian correlated t-test (Benavoli et al. 2017). Two arms are tied
/// where Holm's adjusted p is not below 1 − level. Of the arms that are no controls, the one with
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

    let ratio = options.test_train_ratio;
    let mut pairs = compare(&arms, &scores, options)?;
    resample(&arms, &mut pairs, options)?;
    let best_candidate = arms.iter().position(|a| !a.control).unwrap_or(0);
    let chances = probability_best(&scores, ratio, options.draws, options.seed)?;
    let ranked = arms
        .iter()
        .zip(&scores)
        .enumerate()
        .map(|(i, (arm, folds))| {
            let (mean, half) = interval(folds, ratio, options.level)?;
            Ok(RankedArm {
                backbone: arm.backbone.clone(),
                control: arm.control,
                mean,
                lower: mean - half,
                upper: mean + half,
                probability_best: chances[i],
                tied_with_best: tied(&pairs, arms.len(), i, best_candidate, options),
                cost: arm.cost,
                probes: arm.scores.iter().map(probe_mean).collect(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let groups = equivalence_groups(arms.len(), |a, b| tied(&pairs, arms.len(), a, b, options))
        .into_iter()
        .map(|run| run.map(|i| arms[i].backbone.clone()).collect())
        .collect();
    let mut ranking = Ranking {
        probe: options.probe.clone(),
        metric: deciding[0].metric.clone(),
        n_folds: scores[0].len(),
        rope: options.rope,
        level: options.level,
        arms: ranked,
        pairs,
        groups,
        baselines: Vec::new(),
        selected: String::new(),
        verdict: String::new(),
    };
    let choice = select(&ranking);
    let (selected, text) = (choice.arm.backbone.clone(), verdict(&ranking, &choice));
    ranking.baselines = baselines(&arms, &scores, &selected, options)?;
    (ranking.selected, ranking.verdict) = (selected, text);
    Ok(ranking)
}

/// Adds to each pair the interval of its difference over resampled patients.
fn resample(arms: &[&Arm], pairs: &mut [Pair], options: &RankOptions) -> Result<()> {
    let tallies: Option<Vec<&Tally>> =
        arms.iter().map(|arm| arm.tallies.get(&options.probe)).collect();
    let Some(tallies) = tallies else { return Ok(()) };
    let first = tallies[0];
    if options.replicates == 0 || first.n_groups() < 2 || arms.len() < 2 {
        return Ok(());
    }
    if let Some(at) = tallies.iter().position(|t| !first.is_paired(t)) {
        return Err(Error::input(
            format!("calls of {}", arms[at].backbone),
            format!("those of the same rows as {}", arms[0].backbone),
            "other rows or groups",
            "score every backbone on the same tiles",
        ));
    }
    let bootstrap =
        GroupBootstrap { replicates: options.replicates, seed: options.seed, level: options.level };
    let groups: Vec<u32> = (0..first.n_groups() as u32).collect();
    let places: Vec<(usize, usize)> =
        (0..arms.len()).flat_map(|a| (a + 1..arms.len()).map(move |b| (a, b))).collect();
    let intervals = bootstrap.intervals(&groups, &first.strata(), |weights| {
        let scores: Vec<f64> = tallies.iter().map(|t| t.balanced_accuracy(weights)).collect();
        places.iter().map(|&(a, b)| scores[a] - scores[b]).collect()
    })?;
    for (pair, interval) in pairs.iter_mut().zip(intervals) {
        pair.by_patient = Some(interval);
    }
    Ok(())
}

/// What the selected arm gains over choices that look at no score.
fn baselines(
    arms: &[&Arm],
    scores: &[&[f64]],
    selected: &str,
    options: &RankOptions,
) -> Result<Vec<Baseline>> {
    let candidates: Vec<usize> = (0..arms.len()).filter(|&i| !arms[i].control).collect();
    let Some(taken) = arms.iter().position(|a| a.backbone == selected) else {
        return Ok(Vec::new());
    };
    let default = options.default_backbone.as_ref();
    let default = arms.iter().position(|a| Some(&a.backbone) == default);
    // The first of equals is the better-ranked one, which is the harder baseline.
    let larger = |best: usize, i: usize| {
        if arms[i].cost.parameters > arms[best].cost.parameters { i } else { best }
    };
    let largest = candidates.iter().copied().reduce(larger);
    let n_folds = scores[taken].len();
    let random: Vec<f64> = (0..n_folds)
        .map(|f| candidates.iter().map(|&i| scores[i][f]).sum::<f64>() / candidates.len() as f64)
        .collect();
    let named = |name: &str, arm: Option<usize>| {
        arm.map(|i| (name.to_string(), Some(arms[i].backbone.clone()), scores[i].to_vec()))
    };
    [
        named("default", default),
        named("largest model", largest),
        Some(("random pick".to_string(), None, random)),
    ]
    .into_iter()
    .flatten()
    .map(|(name, backbone, folds)| {
        let differences: Vec<f64> = scores[taken].iter().zip(&folds).map(|(a, b)| a - b).collect();
        let (gain, half) = interval(&differences, options.test_train_ratio, options.level)?;
        let (lower, upper) = (gain - half, gain + half);
        Ok(Baseline { name, backbone, mean: mean(&folds), gain, lower, upper })
    })
    .collect()
}

/// Held-out groups over training groups, the mean over the folds: the n_te/n_tr of the corrected
/// t-test, counted in groups because tiles of one patient are no independent rows.
pub fn test_train_ratio(train: &TrainView, folds: &[Fold]) -> f64 {
    let groups = train.groups();
    let count = |rows: &[usize]| rows.iter().map(|&i| groups[i]).collect::<BTreeSet<_>>().len();
    let ratio = |f: &Fold| count(&f.held_out) as f64 / count(&f.train).max(1) as f64;
    folds.iter().map(ratio).sum::<f64>() / folds.len().max(1) as f64
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
        let sound = scores.folds.iter().all(|s| s.is_finite());
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

/// Every pair in the order of the ranking.
fn compare(arms: &[&Arm], scores: &[&[f64]], options: &RankOptions) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for a in 0..arms.len() {
        for b in a + 1..arms.len() {
            let differences: Vec<f64> =
                scores[a].iter().zip(scores[b]).map(|(x, y)| x - y).collect();
            let test = corrected_resampled_t(&differences, options.test_train_ratio)?;
            let posterior =
                bayesian_correlated_t(&differences, options.test_train_ratio, options.rope)?;
            let (_, half) = interval(&differences, options.test_train_ratio, options.level)?;
            pairs.push(Pair {
                first: arms[a].backbone.clone(),
                second: arms[b].backbone.clone(),
                difference: test.mean,
                lower: test.mean - half,
                upper: test.mean + half,
                p: test.p,
                p_holm: test.p,
                worse: posterior.worse,
                equivalent: posterior.equivalent,
                better: posterior.better,
                by_patient: None,
            });
        }
    }
    let adjusted = holm(&pairs.iter().map(|p| p.p).collect::<Vec<_>>());
    for (pair, p) in pairs.iter_mut().zip(adjusted) {
        pair.p_holm = p;
    }
    Ok(pairs)
}

/// Mean and half width of the corrected resampled t interval.
fn interval(values: &[f64], ratio: f64, level: f64) -> Result<(f64, f64)> {
    let moments = corrected_resampled_t(values, ratio)?;
    let student = StudentsT::new(0.0, 1.0, moments.df)
        .map_err(|e| Error::input("folds", "at least 2", e.to_string(), "score more folds"))?;
    let quantile = student.inverse_cdf(f64::midpoint(1.0, level));
    Ok((moments.mean, quantile * moments.standard_error))
}

/// Whether no test tells two places of the ranking apart.
fn tied(pairs: &[Pair], n: usize, a: usize, b: usize, options: &RankOptions) -> bool {
    let (a, b) = (a.min(b), a.max(b));
    // Pairs stand row after row of the upper triangle.
    a == b || pairs[a * (2 * n - a - 1) / 2 + b - a - 1].p_holm >= 1.0 - options.level
}

/// Runs of places of which all are tied with all others, none within another, as in a
/// critical-difference diagram; places that are tied with no neighbour stand alone.
fn equivalence_groups(
    n: usize,
    tied: impl Fn(usize, usize) -> bool,
) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for start in 0..n {
        let mut end = start + 1;
        while end < n && (start..end).all(|i| tied(i, end)) {
            end += 1;
        }
        if runs.last().is_none_or(|last| last.end < end) {
            runs.push(start..end);
        }
    }
    runs
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
