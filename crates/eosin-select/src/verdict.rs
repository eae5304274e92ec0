// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a selection says in words; every sentence is there because the numbers say so.

use eosin_report::Verdict;

use super::{Compared, Role, Selection};

/// The decision, then what speaks against it or must be known with it, what weighs most first.
pub(super) fn verdict(selection: &Selection) -> Verdict {
    let decision = &selection.decision;
    let mut beside = Vec::new();
    let sentence = match trivial(selection) {
        Some(sentence) => {
            beside.push(decision.verdict.clone());
            sentence
        }
        None => decision.verdict.clone(),
    };
    beside.extend(decision.caution.clone());
    let taken = selection.compared.iter().find(|c| c.info.name == selection.selected);
    if let Some(taken) = taken {
        beside.extend(seen(taken));
        beside.extend(fragile(selection, taken));
        beside.extend(restricted(taken));
    }
    beside.extend(worth(selection));
    beside.extend(how(selection));
    beside.extend(left_out(selection));
    Verdict::new(sentence, beside, foretold(selection).into_iter().collect())
}

/// That no backbone is better than calls that look at no tile, where it is so.
fn trivial(selection: &Selection) -> Option<String> {
    let decision = &selection.decision;
    let levels = &selection.rankings.first()?.trivial;
    let of_metric = levels.iter().filter(|level| level.metric == decision.metric);
    let highest = of_metric.max_by(|a, b| a.level.total_cmp(&b.level))?;
    let mut candidates = decision.arms.iter().filter(|arm| !arm.control);
    let best = candidates.clone().next()?;
    candidates.all(|arm| arm.lower <= highest.level).then(|| {
        format!(
            "No backbone is told from a call that looks at no tile: {} is {:.3} at best, and {:.3} \
             with {}.",
            decision.metric, best.mean, highest.level, highest.call
        )
    })
}

fn how(selection: &Selection) -> Option<String> {
    let target = selection.rankings.first().filter(|r| r.role == Role::Target)?;
    let listed: Vec<&str> = selection.shortlist.iter().map(|s| s.backbone.as_str()).collect();
    let n_proxies = selection.rankings.iter().filter(|r| r.role == Role::Proxy).count();
    let n = selection.compared.iter().filter(|c| !c.control).count();
    if listed.is_empty() || listed.len() >= n {
        return Some(format!("The folds of {}'s training part decided.", target.proxy));
    }
    let proxies = if n_proxies == 1 { "one proxy".into() } else { format!("{n_proxies} proxies") };
    Some(format!(
        "By {proxies}, {} of {n} backbones came to the shortlist ({}); the folds of {}'s training \
         part decided.",
        listed.len(),
        listed.join(", "),
        target.proxy
    ))
}

/// What selecting gained over choices that look at nothing, on folds that had no say in it.
fn worth(selection: &Selection) -> Option<String> {
    let shown: Vec<String> = selection
        .decision
        .baselines
        .iter()
        .filter(|b| b.backbone.as_deref() != Some(selection.selected.as_str()))
        .filter_map(|b| {
            let gain = b.gain?;
            let sure =
                if gain.lower > 0.0 || gain.upper < 0.0 { "" } else { ", which may be chance" };
            let (estimate, lower, upper) = (gain.estimate, gain.lower, gain.upper);
            Some(format!("{estimate:+.3} [{lower:+.3}, {upper:+.3}] over the {}{sure}", b.name))
        })
        .collect();
    (!shown.is_empty()).then(|| {
        format!("On folds that had no say in it, choosing so scores {}.", shown.join("; "))
    })
}

fn foretold(selection: &Selection) -> Option<String> {
    let last = selection.agreement.last()?;
    let a = &last.agreement;
    let reading = if a.tau_b > 1.96 * a.standard_error {
        "they order backbones alike"
    } else if a.tau_b < -1.96 * a.standard_error {
        "they order backbones the other way round"
    } else {
        "too few backbones to say whether they agree"
    };
    Some(format!(
        "{} against the target over {} backbones: Kendall's τ-b {:.2} (standard error {:.2}, {reading}); \
         the best of the proxy's first three is {:.3} below the target's best, a random pick {:.3}.",
        last.proxy, a.n, a.tau_b, a.standard_error, a.regret_top_3, a.regret_random
    ))
}

/// A backbone that cannot be told from the choice, and whose neighbours are less those of a centre.
fn fragile(selection: &Selection, taken: &Compared) -> Option<String> {
    let own = taken.robustness?;
    let near = |name: &str| {
        let word = selection.decision.arm(name).map(|a| a.against_best);
        word.is_some_and(|word| word.is_none_or(|w| !w.differs()))
    };
    let better = selection
        .compared
        .iter()
        .filter(|c| !c.control && c.info.name != taken.info.name && near(&c.info.name))
        .filter_map(|c| Some((c, c.robustness?)))
        .filter(|(_, r)| r.lower > own.upper)
        .max_by(|a, b| a.1.estimate.total_cmp(&b.1.estimate))?;
    Some(format!(
        "Caution: the robustness index of {} is {:.2} [{:.2}, {:.2}], that of {}, which is not told \
         apart from the best, {:.2} [{:.2}, {:.2}]: where tiles come from other centres, take the latter.",
        taken.info.name,
        own.estimate,
        own.lower,
        own.upper,
        better.0.info.name,
        better.1.estimate,
        better.1.lower,
        better.1.upper
    ))
}

fn restricted(taken: &Compared) -> Option<String> {
    let licence = &taken.info.licence;
    (!licence.is_commercial()).then(|| {
        format!(
            "The licence of {} ({}) does not allow commercial use.",
            taken.info.name, licence.name
        )
    })
}

fn seen(taken: &Compared) -> Option<String> {
    (!taken.overlaps.is_empty()).then(|| {
        format!(
            "Caution: {} may have been trained on these slides ({}), so its scores may be too high.",
            taken.info.name,
            taken.overlaps.join("; ")
        )
    })
}

fn left_out(selection: &Selection) -> Option<String> {
    let names: Vec<&str> = selection.left_out.iter().map(|l| l.backbone.as_str()).collect();
    (!names.is_empty()).then(|| format!("Left out: {}.", names.join(", ")))
}
