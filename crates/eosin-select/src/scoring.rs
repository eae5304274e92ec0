// SPDX-License-Identifier: MIT OR Apache-2.0

//! Scores every candidate on one task, with the same folds for all.

use std::collections::{BTreeMap, BTreeSet};

use eosin_core::{
    Error, Fold, LabelledSet, Progress, ProxyScores, Result, TileMeta, TrainView, ViewBank,
};
use eosin_eval::splits::{self, test_train_ratio};
use eosin_eval::{GroupBootstrap, Interval, TrivialCall, trivial_calls};
use eosin_proxy::Reduced;
use eosin_proxy::robustness::{RobustnessOptions, robustness_index};
use eosin_proxy::scores::training_free;
use eosin_proxy::select::{ScoreCache, UnitScores, score_folds, score_repeats};

use super::kinds::{Nuisance, NuisanceOf};
use super::{
    Candidate, CandidateSet, Probe, ProxyKind, ProxyProblem, Role, SelectOptions, SelectTask,
    gather,
};
use eosin_session::config::HoldOut;
use eosin_session::dataset::TaskRows;

/// Rows on which scores without training are made at most; they only stand beside.
const TRAINING_FREE_ROWS: usize = 2000;

/// A task's problem with its folds.
struct Part {
    problem: ProxyProblem,
    folds: Vec<Fold>,
    k: usize,
    /// What had to be given up for the folds.
    notes: Vec<String>,
}

/// What was found on one task.
pub(super) struct Scored {
    /// By candidate: the scores of each probe, in order.
    pub(super) units: BTreeMap<String, Vec<UnitScores>>,
    /// By score and candidate.
    pub(super) beside: BTreeMap<String, BTreeMap<String, f64>>,
    /// By candidate, where centres are known.
    pub(super) robustness: BTreeMap<String, Interval>,
    pub(super) centre_probe: BTreeMap<String, f64>,
    pub(super) ratio: f64,
    pub(super) k: usize,
    pub(super) repeats: usize,
    /// What had to be given up for the folds.
    pub(super) notes: Vec<String>,
    /// Per fold, the calls that look at no tile.
    pub(super) trivial: Vec<Vec<TrivialCall>>,
    pub(super) n_rows: usize,
    pub(super) n_groups: usize,
}

/// What scoring needs beside the task.
pub(super) struct Context<'a> {
    pub(super) options: &'a SelectOptions,
    pub(super) cache: &'a dyn ScoreCache,
    pub(super) progress: &'a dyn Progress,
}

/// Scores the candidates that can be scored; the others go to `failed` with the reason.
pub(super) fn score_task(
    task: &SelectTask,
    role: Role,
    candidates: &[&Candidate],
    context: &Context,
    failed: &mut BTreeMap<String, String>,
) -> Result<Scored> {
    let options = context.options;
    let mut plan: Option<Plan> = None;
    let stage = format!("select by {}", task.name);
    context.progress.start(&stage, candidates.len() as u64);
    let mut scored: Option<Scored> = None;
    for candidate in candidates {
        let name = &candidate.info.name;
        let rows = match load(task, name) {
            Ok(rows) => rows,
            Err(error) => {
                failed.insert(name.clone(), format!("{}: {error}", task.name));
                context.progress.advance(1);
                continue;
            }
        };
        if plan.is_none() {
            plan = Some(Plan::new(task, role, &rows.metas, options)?);
        }
        let Some(plan) = &plan else { continue };
        match score_candidate(task, plan, &rows, context) {
            Ok(found) => {
                let all = scored.get_or_insert_with(|| plan.empty(task));
                for (score, value) in found.beside {
                    all.beside.entry(score).or_default().insert(name.clone(), value);
                }
                all.robustness.extend(found.robustness.map(|r| (name.clone(), r)));
                all.centre_probe.extend(found.centre_probe.map(|c| (name.clone(), c)));
                all.ratio = found.ratio;
                all.units.insert(name.clone(), found.units);
            }
            // A full disk is no backbone's fault.
            Err(error @ Error::Environment { .. }) => return Err(error),
            Err(error) => {
                failed.insert(name.clone(), format!("{}: {error}", task.name));
            }
        }
        context.progress.advance(1);
    }
    context.progress.finish();
    scored.ok_or_else(|| {
        let reasons: Vec<&str> = failed.values().map(String::as_str).collect();
        Error::input(
            format!("backbones on {}", task.name),
            "at least one that can be scored",
            reasons.join("; "),
            "embed the task's tiles with at least one backbone",
        )
    })
}

/// One candidate's rows of a task.
struct Rows {
    set: CandidateSet,
    matrix: eosin_core::Matrix,
    metas: Vec<TileMeta>,
    bank: Option<(eosin_core::Matrix, usize)>,
}

/// Everything on a task that is the same for all candidates.
struct Plan {
    parts: Vec<Part>,
    probes: Vec<Probe>,
    role: Role,
    /// Problems that ask for the centre, where there are several.
    centres: Option<(Vec<u32>, Vec<Part>)>,
    digest: String,
}

struct Found {
    units: Vec<UnitScores>,
    beside: BTreeMap<String, f64>,
    robustness: Option<Interval>,
    centre_probe: Option<f64>,
    ratio: f64,
}

fn load(task: &SelectTask, name: &str) -> Result<Rows> {
    let set = task.sets.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = task.sets.keys().map(String::as_str).collect();
        Error::input(
            format!("embeddings of {name}"),
            format!("a set for the tiles of {}", task.name),
            format!("sets of {}", known.join(", ")),
            "embed the task's tiles with this backbone",
        )
    })?;
    let tiles = task.keys();
    let (matrix, metas) = gather(task.store, &set.set, &tiles, 1)?;
    let bank = match (&set.bank, task.kind.needs_views()) {
        (Some((bank, n_views)), true) => {
            Some((gather(task.store, bank, &tiles, *n_views)?.0, *n_views))
        }
        _ => None,
    };
    Ok(Rows { set, matrix, metas, bank })
}

impl Plan {
    /// What the scores of some folds depend on, for the cache.
    fn key(
        &self,
        task: &SelectTask,
        set: &CandidateSet,
        options: &SelectOptions,
        what: &str,
        problem: &str,
    ) -> String {
        let text = format!(
            "eosin {} random partitions {} {:?} {} {} {what} {problem} {} {} {}",
            env!("CARGO_PKG_VERSION"),
            set.set,
            set.bank,
            task.kind.kind(),
            self.digest,
            options.folds,
            options.repeats,
            options.seed
        );
        blake3::hash(text.as_bytes()).to_hex()[..32].to_string()
    }

    fn new(
        task: &SelectTask,
        role: Role,
        metas: &[TileMeta],
        options: &SelectOptions,
    ) -> Result<Self> {
        let problems = task.kind.problems(&task.rows.of_proxy(metas))?;
        let by_centre = role == Role::Target && options.hold_out == HoldOut::Centre;
        let parts = if by_centre {
            folds_by_centre(problems, &task.rows, metas)?
        } else {
            folds(problems, options)?
        };
        let own = task.kind.own_probe(metas, options.seed)?;
        let probes = match own {
            Some(probe) => {
                vec![Probe { key: format!("{} {:?}", task.kind.kind(), probe.kind()), task: probe }]
            }
            // What stands beside needs no second opinion.
            None if role == Role::Beside => options.probes.iter().take(1).cloned().collect(),
            None => options.probes.clone(),
        };
        let centres = match role {
            Role::Beside => None,
            _ => centres(task, metas, options),
        };
        let digests: Vec<&str> = metas.iter().map(|m| m.source_digest.as_str()).collect();
        let rows = &task.rows;
        let asked = (&rows.tile_ids, &digests, &rows.classes, &rows.labels, &rows.groups);
        let held_out = if by_centre { " by centre" } else { "" };
        let asked = format!("{asked:?}{held_out}");
        let digest = blake3::hash(asked.as_bytes()).to_hex().to_string();
        Ok(Self { parts, probes, role, centres, digest })
    }

    fn inner_folds(&self, options: &SelectOptions) -> Result<Option<Vec<splits::InnerFolds>>> {
        let of = |part: &Part| {
            let problem = &part.problem;
            splits::inner_folds(
                &problem.labels,
                &numbered_by_name(&problem.groups),
                problem.classes.len(),
                &part.folds,
                options.nested,
                options.seed,
            )
        };
        self.parts.iter().map(of).collect()
    }

    fn notes(&self, task: &str) -> Vec<String> {
        let of = |part: &Part| {
            let name = match part.problem.name.as_str() {
                "" => task.to_string(),
                problem => format!("{task}, {problem}"),
            };
            part.notes.iter().map(|note| format!("{name}: {note}")).collect::<Vec<String>>()
        };
        let mut notes: Vec<String> = self.parts.iter().flat_map(of).collect();
        notes.dedup();
        notes
    }

    /// The trivial calls of every problem's folds.
    fn trivial(&self) -> Vec<Vec<TrivialCall>> {
        let of = |part: &Part| {
            let problem = &part.problem;
            let labels = |fold: &Fold| -> Vec<u32> {
                fold.held_out.iter().map(|&at| problem.labels[at]).collect()
            };
            let calls = |fold: &Fold| trivial_calls(&labels(fold), problem.classes.len());
            part.folds.iter().map(calls).collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(of).collect()
    }

    fn empty(&self, task: &SelectTask) -> Scored {
        let n_groups: BTreeSet<&String> =
            self.parts.iter().flat_map(|p| &p.problem.groups).collect();
        Scored {
            units: BTreeMap::new(),
            beside: BTreeMap::new(),
            robustness: BTreeMap::new(),
            centre_probe: BTreeMap::new(),
            ratio: 0.0,
            k: self.parts.iter().map(|p| p.k).min().unwrap_or(0),
            repeats: self.parts.iter().map(|p| p.folds.len() / p.k.max(1)).min().unwrap_or(0),
            notes: self.notes(&task.name),
            trivial: self.trivial(),
            n_rows: task.rows.tile_ids.len(),
            n_groups: n_groups.len(),
        }
    }
}

/// The folds of each problem; a problem of too few groups is an error that says so.
fn folds(problems: Vec<ProxyProblem>, options: &SelectOptions) -> Result<Vec<Part>> {
    problems
        .into_iter()
        .map(|problem| {
            let groups = numbered_by_name(&problem.groups);
            let n_classes = problem.classes.len();
            let splits::Repeated { folds, k, notes, .. } = splits::repeated(
                &problem.labels,
                &groups,
                n_classes,
                options.folds,
                options.repeats,
                options.seed,
            )?;
            Ok(Part { problem, folds, k, notes })
        })
        .collect()
}

/// A fold per centre that holds a problem's rows; no patient of the centre is trained on.
///
/// The manifest goes before the store, whose tiles may be of an earlier manifest.
fn folds_by_centre(
    problems: Vec<ProxyProblem>,
    rows: &TaskRows,
    metas: &[TileMeta],
) -> Result<Vec<Part>> {
    let refused = |expected: &str, found: String| {
        Error::input(
            "folds that hold out a centre",
            expected,
            found,
            "fill in the manifest's column `centre`, or hold out groups: --hold-out group, or \
             hold_out = \"group\" in [selection]",
        )
    };
    let of_store = || metas.iter().map(|m| m.centre.clone().unwrap_or_default()).collect();
    let names: Vec<String> = rows.centres.clone().unwrap_or_else(of_store);
    let without = names.iter().filter(|name| name.is_empty()).count();
    if without > 0 {
        return Err(refused("the centre of every tile", format!("{without} tiles without one")));
    }
    let numbers = numbered_by_name(&names);
    let part = |problem: ProxyProblem| {
        let centres: Vec<u32> = problem.positions.iter().map(|&i| numbers[i]).collect();
        let folds = splits::leave_centre_out(&centres, &numbered_by_name(&problem.groups))?;
        for fold in &folds {
            let class_of = |row: &usize| problem.labels[*row];
            let trained: BTreeSet<u32> = fold.train.iter().map(class_of).collect();
            if let Some(row) = fold.held_out.iter().find(|&row| !trained.contains(&class_of(row))) {
                let class = &problem.classes[class_of(row) as usize];
                let centre = &names[problem.positions[*row]];
                return Err(refused(
                    "every class at two centres or more",
                    format!("{class} at {centre} alone"),
                ));
            }
        }
        Ok(Part { problem, k: folds.len(), folds, notes: Vec::new() })
    };
    problems.into_iter().map(part).collect()
}

/// Numbers of names in the order of the names.
pub fn numbered_by_name(names: &[String]) -> Vec<u32> {
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    names.iter().map(|n| sorted.partition_point(|s| *s < n) as u32).collect()
}

/// The centre of every row and the problems that ask for it, where there are several centres.
fn centres(
    task: &SelectTask,
    metas: &[TileMeta],
    options: &SelectOptions,
) -> Option<(Vec<u32>, Vec<Part>)> {
    let names: Option<Vec<String>> = metas.iter().map(|m| m.centre.clone()).collect();
    let names = names?;
    let numbers = numbered_by_name(&names);
    if numbers.iter().all(|c| Some(c) == numbers.first()) {
        return None;
    }
    let kind = Nuisance { of: NuisanceOf::Centre, block_px: 1 };
    // Centres of one patient each can be counted as neighbours and not be held out.
    let problems = kind.problems(&task.rows.of_proxy(metas)).unwrap_or_default();
    Some((numbers, folds(problems, options).unwrap_or_default()))
}

fn score_candidate(
    task: &SelectTask,
    plan: &Plan,
    rows: &Rows,
    context: &Context,
) -> Result<Found> {
    let options = context.options;
    let key = |what: &str, problem: &str| plan.key(task, &rows.set, options, what, problem);
    let mut per_probe: Vec<Vec<UnitScores>> = vec![Vec::new(); plan.probes.len()];
    let (mut beside, mut ratio) = (BTreeMap::new(), 0.0);
    let (mut robustness, mut centre_probe) = (None, None);
    for part in &plan.parts {
        let set = labelled(&part.problem, rows)?;
        let view = TrainView::whole(&set);
        ratio += test_train_ratio(&part.folds, &view.groups()) / plan.parts.len() as f64;
        for (units, probe) in per_probe.iter_mut().zip(&plan.probes) {
            let key = key(&probe.key, &part.problem.name);
            let task = probe.task.as_ref();
            units.push(score_repeats(task, &view, &part.folds, part.k, context.cache, &key)?);
        }
        if plan.role != Role::Beside && task.kind.own_probe(&rows.metas, 0)?.is_none() {
            if let Some(first) = plan.probes.first().filter(|_| options.pca > 0) {
                let name = format!("{}-pca-{}", first.task.kind(), options.pca);
                let value = if set.features().n_cols() <= options.pca {
                    // Nothing would be taken off.
                    let unit = per_probe[0].last();
                    unit.map_or(f64::NAN, |u| mean(&u.scores.folds[..part.k]))
                } else {
                    let probe = Reduced { probe: first.task.clone(), dimensions: options.pca };
                    // One repeat tells better from larger, and costs a fifth.
                    let key =
                        key(&format!("pca {} {}", options.pca, first.key), &part.problem.name);
                    let folds = &part.folds[..part.k];
                    let unit = score_repeats(&probe, &view, folds, part.k, context.cache, &key)?;
                    mean(&unit.scores.folds)
                };
                beside.insert(name, value);
            }
            if options.training_free {
                beside.extend(without_training(&view, &key("training-free", ""), context)?);
            }
        }
    }
    if let Some((numbers, parts)) = &plan.centres {
        let set = labelled(&plan.parts[0].problem, rows)?;
        let centres: Vec<u32> =
            plan.parts[0].problem.positions.iter().map(|&i| numbers[i]).collect();
        let bootstrap = GroupBootstrap {
            replicates: options.replicates.max(1),
            seed: options.seed,
            level: options.level,
        };
        let settings = RobustnessOptions { bootstrap, ..RobustnessOptions::default() };
        robustness = Some(robustness_index(&TrainView::whole(&set), &centres, &settings)?.index);
        let mut means = Vec::new();
        for part in parts {
            let Some(probe) = plan.probes.first() else { continue };
            let set = labelled(&part.problem, rows)?;
            let view = TrainView::whole(&set);
            let key = key(&format!("centre {}", probe.key), &part.problem.name);
            let folds = &part.folds[..part.k];
            let task = probe.task.as_ref();
            let unit = score_repeats(task, &view, folds, part.k, context.cache, &key)?;
            means.push(mean(&unit.scores.folds));
        }
        centre_probe = (!means.is_empty()).then(|| mean(&means));
    }
    let units = per_probe.into_iter().map(|units| combine(units, task.kind.as_ref())).collect();
    Ok(Found { units, beside, robustness, centre_probe, ratio })
}

/// The rows of a problem with one candidate's embeddings.
fn labelled(problem: &ProxyProblem, rows: &Rows) -> Result<LabelledSet> {
    let features = rows.matrix.select(&problem.positions);
    let set = LabelledSet::new(
        features,
        problem.classes.clone(),
        problem.labels.clone(),
        &problem.groups,
    )?;
    match &rows.bank {
        None => Ok(set),
        Some((bank, n_views)) => {
            let of = |&i: &usize| i * n_views..(i + 1) * n_views;
            let places: Vec<usize> = problem.positions.iter().flat_map(of).collect();
            set.with_bank(ViewBank::new(*n_views, bank.select(&places))?)
        }
    }
}

/// Scores without training by name, from the cache where they are there.
fn without_training(
    view: &TrainView,
    key: &str,
    context: &Context,
) -> Result<BTreeMap<String, f64>> {
    if let Some(unit) = context.cache.load(key, 0)? {
        let names = unit.scores.metric.split(' ').map(str::to_string);
        return Ok(names.zip(unit.scores.folds).collect());
    }
    let n = view.n_rows();
    let kept = n.min(TRAINING_FREE_ROWS);
    let taken: Vec<usize> = (0..kept).map(|i| i * n / kept.max(1)).collect();
    let (labels, groups) = (view.labels(), view.groups());
    let names: Vec<String> = taken.iter().map(|&i| groups[i].to_string()).collect();
    let set = LabelledSet::new(
        view.features().select(&taken),
        view.classes().to_vec(),
        taken.iter().map(|&i| labels[i]).collect(),
        &names,
    )?;
    let found = match training_free(&TrainView::whole(&set), context.options.seed) {
        Ok(found) => found,
        Err(error) => {
            // A score that cannot be made decides nothing, so its want must not either.
            tracing::warn!(%error, "no scores without training");
            return Ok(BTreeMap::new());
        }
    };
    let scores = ProxyScores {
        probe: "training-free".into(),
        metric: found.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(" "),
        folds: found.iter().map(|s| s.value).collect(),
    };
    context.cache.store(key, 0, &UnitScores { scores })?;
    Ok(found.into_iter().map(|s| (s.name, s.value)).collect())
}

/// The mean over problems, fold by fold; problems of fewer folds give their number.
fn combine(units: Vec<UnitScores>, kind: &dyn ProxyKind) -> UnitScores {
    let invert = |value: f64| if kind.is_nuisance() { 1.0 - value } else { value };
    let n_folds = units.iter().map(|u| u.scores.folds.len()).min().unwrap_or(0);
    let n = units.len() as f64;
    let fold = |f: usize| invert(units.iter().map(|u| u.scores.folds[f]).sum::<f64>() / n);
    let folds = (0..n_folds).map(fold).collect();
    let (probe, metric) = match units.into_iter().next() {
        Some(unit) => (unit.scores.probe, unit.scores.metric),
        None => (String::new(), String::new()),
    };
    let metric = if kind.is_nuisance() { format!("1 − {metric}") } else { metric };
    UnitScores { scores: ProxyScores { probe, metric, folds } }
}

/// The deciding probe's mean on folds within the training part of every fold, by candidate, from
/// which the choice is made again where it is scored by none of its own folds; `None` where the
/// groups allow no such folds.
pub(super) fn inner_means(
    task: &SelectTask,
    role: Role,
    candidates: &[&Candidate],
    context: &Context,
) -> Result<Option<BTreeMap<String, Vec<f64>>>> {
    let options = context.options;
    let mut plan: Option<(Plan, Vec<splits::InnerFolds>)> = None;
    let mut found = BTreeMap::new();
    context.progress.start("choose again within training parts", candidates.len() as u64);
    for candidate in candidates {
        let rows = load(task, &candidate.info.name)?;
        if plan.is_none() {
            let made = Plan::new(task, role, &rows.metas, options)?;
            let Some(inner) = made.inner_folds(options)? else { return Ok(None) };
            plan = Some((made, inner));
        }
        let Some((plan, inner)) = &plan else { continue };
        let Some(probe) = plan.probes.first() else { return Ok(None) };
        let mut units = Vec::new();
        for (part, inner) in plan.parts.iter().zip(inner) {
            let set = labelled(&part.problem, &rows)?;
            let view = TrainView::whole(&set);
            let mut scores = Vec::with_capacity(inner.folds.len());
            // Those of a repeat together: probes share work among them, and memory is bounded.
            for (repeat, counts) in inner.counts.chunks(part.k.max(1)).enumerate() {
                let n: usize = counts.iter().sum();
                let folds = &inner.folds[scores.len()..scores.len() + n];
                let what = format!("{} within {} {repeat}", probe.key, options.nested);
                let key = plan.key(task, &rows.set, options, &what, &part.problem.name);
                let own = score_folds(probe.task.as_ref(), &view, folds, context.cache, &key)?;
                scores.extend(own.folds);
            }
            let folds = inner.means(&scores);
            let scores = ProxyScores { probe: String::new(), metric: String::new(), folds };
            units.push(UnitScores { scores });
        }
        let means = combine(units, task.kind.as_ref()).scores.folds;
        found.insert(candidate.info.name.clone(), means);
        context.progress.advance(1);
    }
    context.progress.finish();
    Ok(Some(found))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
