// SPDX-License-Identifier: MIT OR Apache-2.0

//! The choice and its reasons; every clause is there because the numbers say so.

use std::cmp::Ordering;

use eosin_eval::Word;

use super::{Cost, RankedArm, Ranking};

/// The selected arm with what led to it.
pub(super) struct Choice<'a> {
    pub(super) arm: &'a RankedArm,
    best: &'a RankedArm,
    /// How the arm is cheaper than the best one, where it is another.
    cheaper: Option<String>,
}

/// The best arm that is no control, or the cheapest of those at most the ROPE below it.
pub(super) fn select(ranking: &Ranking) -> Choice<'_> {
    let candidates: Vec<&RankedArm> = ranking.arms.iter().filter(|a| !a.control).collect();
    let best = candidates.first().copied().unwrap_or(&ranking.arms[0]);
    let means: Vec<f64> = candidates.iter().map(|a| a.mean).collect();
    let costs: Vec<Cost> = candidates.iter().map(|a| a.cost).collect();
    let arm = candidates.get(choose(&means, &costs, ranking.rope)).copied().unwrap_or(best);
    let cheaper =
        (arm.backbone != best.backbone).then(|| advantage(arm.cost, best.cost, &best.backbone));
    Choice { arm, best, cheaper }
}

/// The position of the best mean, or of the cheapest of those at most the ROPE below it; of equally
/// cheap ones that of the better mean.
pub(super) fn choose(means: &[f64], costs: &[Cost], rope: f64) -> usize {
    let best = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut near: Vec<usize> = (0..means.len()).filter(|&i| best - means[i] <= rope).collect();
    near.sort_by(|&a, &b| means[b].total_cmp(&means[a]).then(a.cmp(&b)));
    let own: Vec<Cost> = near.iter().map(|&i| costs[i]).collect();
    let cheapest = near.iter().copied().reduce(|cheapest, arm| {
        match compare_cost(&own, costs[arm], costs[cheapest]) {
            Ordering::Less => arm,
            _ => cheapest,
        }
    });
    cheapest.unwrap_or(0)
}

pub(super) fn verdict(ranking: &Ranking, choice: &Choice) -> String {
    let (arm, best) = (choice.arm, choice.best);
    let mut clauses = Vec::new();
    let others: Vec<&RankedArm> =
        ranking.arms.iter().filter(|a| !a.control && a.backbone != best.backbone).collect();
    let said = |word: Word| -> Vec<&str> {
        let of = others.iter().filter(|a| a.against_best == Some(word));
        of.map(|a| a.backbone.as_str()).collect()
    };
    let (alike, equal) = (said(Word::NotToldApart), said(Word::Equivalent));
    let mut known = Vec::new();
    if !alike.is_empty() {
        known.push(format!("is not told apart from {}", list(&alike)));
    }
    if !equal.is_empty() {
        known.push(format!("is equivalent to {} within {}", list(&equal), ranking.rope));
    }
    clauses.push(if others.is_empty() {
        format!("{} is the only candidate", best.backbone)
    } else if known.is_empty() {
        let pair = others.first().and_then(|s| ranking.pair(&best.backbone, &s.backbone));
        match pair {
            Some(p) => format!(
                "{} is better than all other candidates, by {:.3} over {} (adjusted p {})",
                p.arm,
                p.estimate,
                p.against,
                p_value(p.p_holm)
            ),
            None => format!("{} is the best candidate", best.backbone),
        }
    } else {
        format!("{} scores highest and {}", best.backbone, known.join(" and "))
    });
    clauses.push(match &choice.cheaper {
        Some(cheaper) => format!(
            "take {}: {cheaper}, and its {} of {} is at most {} below {}'s {}",
            arm.backbone,
            ranking.metric,
            number(arm.mean),
            ranking.rope,
            best.backbone,
            number(best.mean)
        ),
        None => format!(
            "take {}: {} {} [{}, {}], probability of being the best candidate {}",
            arm.backbone,
            ranking.metric,
            number(arm.mean),
            number(arm.lower),
            number(arm.upper),
            arm.probability_best.map_or_else(|| "unknown".into(), |p| format!("{p:.2}"))
        ),
    });
    format!("{}.", clauses.join("; "))
}

/// A control that does as well, or better, means that the proxy shows no use of the network.
pub(super) fn caution(ranking: &Ranking, choice: &Choice) -> Option<String> {
    let arm = choice.arm;
    let (mut better, mut alike) = (Vec::new(), Vec::new());
    for control in ranking.arms.iter().filter(|c| c.control) {
        let differs =
            ranking.pair(&control.backbone, &arm.backbone).is_some_and(|p| p.word.differs());
        match (differs, control.mean >= arm.mean) {
            (true, true) => better.push(control.backbone.as_str()),
            (false, _) => alike.push(control.backbone.as_str()),
            (true, false) => {}
        }
    }
    let controls = |names: &[&str]| {
        format!("control{} {}", if names.len() == 1 { "" } else { "s" }, list(names))
    };
    let name = &arm.backbone;
    let mut clauses = Vec::new();
    if !better.is_empty() {
        let verb = if better.len() == 1 { "does" } else { "do" };
        clauses.push(format!("the {} {verb} better than {name}", controls(&better)));
    }
    if !alike.is_empty() {
        clauses.push(format!("{name} cannot be told from the {}", controls(&alike)));
    }
    (!clauses.is_empty()).then(|| {
        format!(
            "Caution: on these folds {}, so this proxy does not show that the backbone helps.",
            clauses.join(", and ")
        )
    })
}

/// Licence first, then the first cost that all arms have: tiles per second, parameters, dimension.
fn compare_cost(all: &[Cost], a: Cost, b: Cost) -> Ordering {
    let restricted = |cost: Cost| cost.commercial == Some(false);
    let by_use = match (a.tiles_per_s, b.tiles_per_s) {
        (Some(a), Some(b)) if all.iter().all(|c| c.tiles_per_s.is_some()) => b.total_cmp(&a),
        _ => a.parameters.cmp(&b.parameters).then(a.dim.cmp(&b.dim)),
    };
    restricted(a).cmp(&restricted(b)).then(by_use)
}

/// Everything in which the first is better than the second, the first being cheaper.
fn advantage(a: Cost, b: Cost, other: &str) -> String {
    let mut clauses = Vec::new();
    if let (Some(a), Some(b)) = (a.tiles_per_s, b.tiles_per_s)
        && a > b
    {
        clauses.push(format!("it is {:.1}× as fast", a / b));
    }
    if a.parameters < b.parameters {
        let (few, many) = (count(a.parameters), count(b.parameters));
        clauses.push(if a.parameters > 0 && b.parameters >= 2 * a.parameters {
            let ratio = b.parameters as f64 / a.parameters as f64;
            format!("it has {ratio:.1}× fewer parameters ({few} instead of {many})")
        } else {
            format!("it has {few} parameters instead of {many}")
        });
    }
    if a.commercial != Some(false) && b.commercial == Some(false) {
        clauses.push(format!("it is licensed for commercial use, which {other} is not"));
    }
    if a.dim < b.dim {
        clauses.push(format!("its embeddings have {} instead of {} dimensions", a.dim, b.dim));
    }
    let clauses: Vec<&str> = clauses.iter().map(String::as_str).collect();
    list(&clauses)
}

/// A number of parameters as people say it.
fn count(n: u64) -> String {
    match n {
        0..1_000_000 => n.to_string(),
        1_000_000..1_000_000_000 => format!("{:.1} M", n as f64 / 1e6),
        _ => format!("{:.2} G", n as f64 / 1e9),
    }
}

fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).into(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

fn number(value: f64) -> String {
    format!("{value:.3}")
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("= {p:.3}") }
}
