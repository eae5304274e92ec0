// SPDX-License-Identifier: MIT OR Apache-2.0

//! The selection itself: proxies shortlist, the target's training rows decide.

use std::collections::{BTreeMap, BTreeSet};

use eosin_core::{Error, Progress, Result};
use eosin_proxy::select::{
    Arm, Cost, ParetoPoint, RankOptions, Ranking, ScoreCache, Shortlisted, agreement, pareto_front,
    rank, shortlist,
};
use eosin_report::Verdict;

use super::scoring::{Context, Scored, inner_means, score_task};
use super::{
    Candidate, Column, Compared, LeftOut, ProxyAgreement, ProxyRanking, Role, SelectInput,
    SelectOptions, SelectTask, Selection, TrivialLevel, verdict,
};

/// Compares backbones on embeddings that a store has, and chooses one.
///
/// Every candidate is scored by every probe on identical repeated grouped folds, with the same
/// search for its penalty. Proxies shortlist `options.shortlist` candidates by the mean of their
/// standardised scores; the default backbone joins them; the folds of the target's training rows
/// decide. Without a target the first proxy decides.
///
/// Scores go to `cache` repeat by repeat, so that a selection that was interrupted computes only
/// what is missing and ends with the same result. A candidate that cannot be scored is left out
/// and told, unless none is left.
pub fn select(
    input: &SelectInput,
    options: &SelectOptions,
    cache: &dyn ScoreCache,
    progress: &dyn Progress,
) -> Result<Selection> {
    check(input, options)?;
    let context = Context { options, cache, progress };
    let mut failed = BTreeMap::new();
    let mut notes = Vec::new();
    let mut tasks: Vec<(&SelectTask, Role, Scored)> = Vec::new();
    let target = input.target.iter().map(|task| (task, Role::Target));
    let proxies = input.proxies.iter().map(|task| (task, task.kind.role()));
    for (task, role) in target.chain(proxies) {
        let alive: Vec<&Candidate> =
            input.candidates.iter().filter(|c| !failed.contains_key(&c.info.name)).collect();
        match score_task(task, role, &alive, &context, &mut failed) {
            Ok(scored) => tasks.push((task, role, scored)),
            Err(error) if role == Role::Beside => {
                notes.push(format!("{} could not be asked: {error}", task.name));
            }
            Err(error) => return Err(error),
        }
    }
    let alive: Vec<&Candidate> =
        input.candidates.iter().filter(|c| !failed.contains_key(&c.info.name)).collect();
    require_candidates(&alive, &failed)?;
    let rankings: Vec<ProxyRanking> = tasks
        .iter()
        .map(|(task, role, scored)| ranking(task, *role, scored, &alive, options))
        .collect::<Result<_>>()?;
    let first = |role: Role| rankings.iter().filter(move |r| r.role == role);
    let deciding_proxies: Vec<&Ranking> =
        first(Role::Proxy).filter_map(|r| r.rankings.first()).collect();
    let listed = if deciding_proxies.is_empty() {
        Vec::new()
    } else {
        shortlist(&deciding_proxies, options.shortlist)?
    };
    for (_, _, scored) in &tasks {
        notes.extend(scored.notes.iter().cloned());
    }
    let decision = decide(input, &tasks, &rankings, &listed, &alive, &context, &mut notes)?;
    let agreement = agreements(&rankings, &alive)?;
    let mut left_out: Vec<LeftOut> = failed
        .into_iter()
        .map(|(backbone, reason)| LeftOut { backbone, reason })
        .chain(input.left_out.iter().cloned())
        .collect();
    left_out.sort();
    notes.extend(missing_controls(&alive));
    let compared = compared(input, &tasks, &rankings, &alive, options);
    let mut selection = Selection {
        selected: decision.selected.clone(),
        verdict: Verdict::default(),
        decision,
        rankings,
        shortlist: listed,
        agreement,
        compared,
        left_out,
        notes,
    };
    selection.verdict = verdict::verdict(&selection);
    Ok(selection)
}

fn check(input: &SelectInput, options: &SelectOptions) -> Result<()> {
    let names: BTreeSet<&str> = input.candidates.iter().map(|c| c.info.name.as_str()).collect();
    let asks = input.target.is_some() || input.proxies.iter().any(|p| p.kind.role() == Role::Proxy);
    if names.len() != input.candidates.len() || options.probes.is_empty() || !asks {
        return Err(Error::input(
            "selection",
            "candidates of different names, a probe, and a target or a proxy that decides",
            format!(
                "{} names of {} candidates, {} probes, {} proxies",
                names.len(),
                input.candidates.len(),
                options.probes.len(),
                input.proxies.len()
            ),
            "give each candidate a name of its own; invariance, nuisance and magnification do not \
             decide",
        ));
    }
    Ok(())
}

fn require_candidates(alive: &[&Candidate], failed: &BTreeMap<String, String>) -> Result<()> {
    if alive.iter().any(|c| !c.control) {
        return Ok(());
    }
    let reasons: Vec<String> = failed.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    Err(Error::input(
        "backbones to select from",
        "at least one that can be scored and is no control",
        if reasons.is_empty() { "none".into() } else { reasons.join("; ") },
        "mend what is named, or add a backbone",
    ))
}

fn arm(candidate: &Candidate, scored: &Scored) -> Option<Arm> {
    let info = &candidate.info;
    let units = scored.units.get(&info.name)?;
    Some(Arm {
        backbone: info.name.clone(),
        control: candidate.control,
        cost: Cost {
            // Speed differs from run to run; a choice must not.
            tiles_per_s: None,
            parameters: info.parameters,
            dim: info.dim,
            commercial: Some(info.licence.is_commercial()),
        },
        scores: units.iter().map(|u| u.scores.clone()).collect(),
        inner: None,
    })
}

fn rank_options(
    probe: &str,
    scored: &Scored,
    input: Option<&str>,
    options: &SelectOptions,
) -> RankOptions {
    RankOptions {
        probe: probe.to_string(),
        rope: options.rope,
        test_train_ratio: scored.ratio,
        level: options.level,
        seed: options.seed,
        default_backbone: input.map(str::to_string),
        ..RankOptions::default()
    }
}

fn ranking(
    task: &SelectTask,
    role: Role,
    scored: &Scored,
    alive: &[&Candidate],
    options: &SelectOptions,
) -> Result<ProxyRanking> {
    let arms: Vec<Arm> = alive.iter().filter_map(|c| arm(c, scored)).collect();
    let probes = arms.first().map_or(&[][..], |arm| &arm.scores);
    let rankings: Vec<Ranking> = probes
        .iter()
        .map(|scores| rank(&arms, &rank_options(&scores.probe, scored, None, options)))
        .collect::<Result<_>>()?;
    let beside = scored
        .beside
        .iter()
        .map(|(name, values)| Column { name: name.clone(), values: values.clone() })
        .collect();
    let trivial = trivial_levels(scored, &rankings);
    Ok(ProxyRanking {
        proxy: task.name.clone(),
        description: task.description.clone(),
        role,
        rankings,
        n_rows: scored.n_rows,
        n_groups: scored.n_groups,
        n_folds: scored.k,
        n_repeats: scored.repeats,
        trivial,
        beside,
    })
}

/// What calls that look at no tile score by the metrics of these rankings, the mean over folds.
fn trivial_levels(scored: &Scored, rankings: &[Ranking]) -> Vec<TrivialLevel> {
    let metrics: BTreeSet<&str> = rankings.iter().map(|r| r.metric.as_str()).collect();
    let mut levels = Vec::new();
    for metric in metrics {
        let mut by_call: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for calls in &scored.trivial {
            for call in calls {
                by_call.entry(call.name).or_default().push(call.metric(metric));
            }
        }
        for (call, values) in by_call {
            let level = values.iter().sum::<f64>() / values.len() as f64;
            if level.is_finite() {
                levels.push(TrivialLevel { call: call.into(), metric: metric.into(), level });
            }
        }
    }
    levels
}

/// The ranking that chooses: the target's among the shortlisted, the default and the controls, or
/// the first proxy's.
fn decide(
    input: &SelectInput,
    tasks: &[(&SelectTask, Role, Scored)],
    rankings: &[ProxyRanking],
    listed: &[Shortlisted],
    alive: &[&Candidate],
    context: &Context,
    notes: &mut Vec<String>,
) -> Result<Ranking> {
    let options = context.options;
    let Some(((task, role, scored), whole)) = tasks.iter().zip(rankings).next() else {
        return Err(Error::input("selection", "a task", "none", "name a target or a proxy"));
    };
    let default = input.default_backbone.as_deref();
    let is_listed = |candidate: &&&Candidate| {
        let name = candidate.info.name.as_str();
        *role != Role::Target
            || listed.is_empty()
            || candidate.control
            || Some(name) == default
            || listed.iter().any(|s| s.backbone == name)
    };
    let arms = alive.iter().filter(is_listed).copied();
    let compared: Vec<&Candidate> =
        arms.filter(|c| scored.units.contains_key(&c.info.name)).collect();
    let mut arms: Vec<Arm> = compared.iter().filter_map(|c| arm(c, scored)).collect();
    let candidates: Vec<&Candidate> = compared.into_iter().filter(|c| !c.control).collect();
    if options.nested > 1 && candidates.len() > 1 {
        match inner_means(task, *role, &candidates, context)? {
            Some(mut means) => {
                for arm in &mut arms {
                    arm.inner = means.remove(&arm.backbone);
                }
            }
            None => notes.push(format!(
                "{}: the training part of some fold has too few groups to choose within it, so the \
                 gain of the choice is not measured",
                task.name
            )),
        }
    }
    let probe = whole.rankings.first().map_or("", |r| r.probe.as_str());
    rank(&arms, &rank_options(probe, scored, default, options))
}

/// Each proxy, and all together, against the target; controls are left out, as they are easy.
fn agreements(rankings: &[ProxyRanking], alive: &[&Candidate]) -> Result<Vec<ProxyAgreement>> {
    let candidates: Vec<&&Candidate> = alive.iter().filter(|c| !c.control).collect();
    let target = rankings.iter().find(|r| r.role == Role::Target).and_then(|r| r.rankings.first());
    let Some(target) = target.filter(|_| candidates.len() >= 2) else { return Ok(Vec::new()) };
    let proxies: Vec<(&str, &Ranking)> = rankings
        .iter()
        .filter(|r| r.role == Role::Proxy)
        .filter_map(|r| Some((r.proxy.as_str(), r.rankings.first()?)))
        .collect();
    let score = |ranking: &Ranking, name: &str| ranking.arm(name).map_or(f64::NAN, |a| a.mean);
    let names: Vec<&str> = candidates.iter().map(|c| c.info.name.as_str()).collect();
    let on_target: Vec<f64> = names.iter().map(|n| score(target, n)).collect();
    let largest = (0..names.len()).fold(0, |best, i| {
        let size = |i: usize| candidates[i].info.parameters;
        if size(i) > size(best) { i } else { best }
    });
    let best = on_target.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let compare = |proxy: String, scores: Vec<f64>| -> Result<ProxyAgreement> {
        let points = names.iter().zip(scores.iter().zip(&on_target));
        Ok(ProxyAgreement {
            proxy,
            agreement: agreement(&scores, &on_target)?,
            regret_largest: best - on_target[largest],
            points: points.map(|(n, (p, t))| ((*n).to_string(), *p, *t)).collect(),
        })
    };
    let mut found = Vec::new();
    for (proxy, ranking) in &proxies {
        let scores = names.iter().map(|n| score(ranking, n)).collect();
        found.push(compare((*proxy).to_string(), scores)?);
    }
    if proxies.len() > 1 {
        let rankings: Vec<&Ranking> = proxies.iter().map(|(_, r)| *r).collect();
        let together = shortlist(&rankings, names.len())?;
        let scores = names
            .iter()
            .map(|n| {
                together.iter().find(|s| s.backbone == *n).map_or(f64::NAN, |s| s.standardised)
            })
            .collect();
        found.push(compare("all proxies".to_string(), scores)?);
    }
    Ok(found)
}

fn missing_controls(alive: &[&Candidate]) -> Vec<String> {
    let mut notes = Vec::new();
    if !alive.iter().any(|c| c.control && c.info.parameters == 0) {
        notes.push(
            "colour statistics are not among the arms: how far colour alone goes is not known"
                .to_string(),
        );
    }
    if !alive.iter().any(|c| c.control && c.info.parameters > 0) {
        notes.push(
            "no untrained network is among the arms: what training brings is not known".to_string(),
        );
    }
    notes
}

fn compared(
    input: &SelectInput,
    tasks: &[(&SelectTask, Role, Scored)],
    rankings: &[ProxyRanking],
    alive: &[&Candidate],
    options: &SelectOptions,
) -> Vec<Compared> {
    let robustness =
        |name: &str| tasks.iter().find_map(|(_, _, s)| s.robustness.get(name).copied());
    let centre = |name: &str| tasks.iter().find_map(|(_, _, s)| s.centre_probe.get(name).copied());
    let overlaps = |candidate: &Candidate| -> Vec<String> {
        let asked = input.target.iter().chain(&input.proxies);
        asked.filter_map(|task| overlap(task, &candidate.info.training_sources)).collect()
    };
    let decides = rankings.first().and_then(|r| r.rankings.first());
    let known = alive.iter().all(|c| robustness(&c.info.name).is_some());
    let points: Vec<ParetoPoint> = alive
        .iter()
        .map(|c| {
            let name = &c.info.name;
            let mut costs = vec![c.info.parameters as f64, f64::from(c.info.dim)];
            costs.push(f64::from(u8::from(!c.info.licence.is_commercial())));
            costs.extend(robustness(name).filter(|_| known).map(|r| 1.0 - r.estimate));
            let score = decides.and_then(|r| r.arm(name)).map_or(f64::NAN, |a| a.mean);
            ParetoPoint { backbone: name.clone(), score, costs }
        })
        .collect();
    let front = pareto_front(&points, options.rope);
    alive
        .iter()
        .zip(front)
        .map(|(candidate, on_front)| Compared {
            control: candidate.control,
            bytes_per_tile: u64::from(candidate.info.dim) * 2,
            weight_bytes: candidate.info.parameters * 4,
            robustness: robustness(&candidate.info.name),
            centre_probe: centre(&candidate.info.name),
            overlaps: overlaps(candidate),
            on_front,
            info: candidate.info.clone(),
        })
        .collect()
}

/// Says so where a task's slides come from a source that the backbone was trained on.
fn overlap(task: &SelectTask, trained_on: &[String]) -> Option<String> {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
    };
    let source = plain(task.source.as_ref()?);
    let same = trained_on.iter().find(|t| {
        let trained = plain(t);
        !trained.is_empty()
            && !source.is_empty()
            && (trained.contains(&source) || source.contains(&trained))
    })?;
    Some(format!("{}: trained on {same}", task.name))
}
