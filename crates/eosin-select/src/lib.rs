// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod compare;
mod folder_cache;
mod input;
mod kinds;
mod outcome;
mod prepare;
mod report;
mod rows;
mod scoring;
mod verdict;

pub use compare::select;
pub use eosin_core::{ProxyKind, ProxyProblem, Reads, Role};
pub use folder_cache::FolderCache;
pub use input::{Candidate, CandidateSet, Probe, SelectInput, SelectOptions, SelectTask, gather};
pub use kinds::register;
pub use kinds::{
    Density, FewShotKind, InvarianceKind, Labelled, Magnification, Nuisance, NuisanceOf, Spatial,
};
pub use outcome::{
    Column, Compared, LeftOut, ProxyAgreement, ProxyRanking, Selection, TrivialLevel,
};
pub use prepare::{Arms, embed_arms};
pub use report::ranking_row;
pub use report::{RunSelection, select_run};
pub use scoring::numbered_by_name;

use std::collections::BTreeMap;
use std::sync::Arc;

use eosin_core::{Error, Result};
use eosin_eval::splits;

use eosin_session::config::{ComponentConfig, RunConfig, SelectionConfig, TaskConfig};
use eosin_session::registry::{Registry, RegistryExt};
use eosin_session::session::{Session, is_control};

/// Compares the arms of a run that are embedded; scores are kept in the run's folder.
pub fn select_arms(session: &Session, arms: &Arms) -> Result<Selection> {
    let run = &session.config.run;
    let options = options(&session.registry, run)?;
    let mut input = SelectInput {
        default_backbone: Some(run.default_backbone.clone()),
        left_out: arms.left_out.clone(),
        ..SelectInput::default()
    };
    for embedded in &arms.embedded {
        let control = is_control(embedded);
        input.candidates.push(Candidate { info: embedded.info.clone(), control });
    }
    let mut notes = Vec::new();
    let target = task(session, arms, &run.task, &session.config.task)?;
    match splittable(&target) {
        Ok(()) => input.target = Some(target),
        Err(reason) => notes.push(format!(
            "{reason} of the target's training part, so it cannot be cross-validated and the first \
             proxy decided"
        )),
    }
    for (name, proxy) in &session.config.proxies {
        input.proxies.push(task(session, arms, name, proxy)?);
    }
    let cache = FolderCache::open(session.out.join("select-cache"))?;
    let mut selection = select(&input, &options, &cache, session.progress)?;
    selection.notes.extend(notes);
    Ok(selection)
}

/// The options that a run's configuration asks for.
pub fn options(registry: &Registry, run: &RunConfig) -> Result<SelectOptions> {
    let selection = &run.selection;
    Ok(SelectOptions {
        probes: probes(registry, selection, run.seed)?,
        folds: selection.folds,
        repeats: selection.repeats,
        nested: selection.nested,
        hold_out: selection.hold_out,
        rope: selection.rope,
        level: run.evaluation.level,
        replicates: run.evaluation.replicates,
        seed: run.seed,
        shortlist: selection.shortlist,
        pca: selection.pca,
        training_free: selection.training_free,
    })
}

/// The probes of a configuration, each with all that its scores depend on.
pub fn probes(registry: &Registry, selection: &SelectionConfig, seed: u64) -> Result<Vec<Probe>> {
    let head = &selection.head;
    let trainer = registry.head(&head.kind, &head.options)?;
    let text = |c: &ComponentConfig| format!("{} {:?}", c.kind, c.options);
    selection
        .probes
        .iter()
        .map(|probe| {
            let task = Arc::from(registry.probe(probe, &trainer, seed)?);
            Ok(Probe { task, key: format!("{} by {}", text(probe), text(head)) })
        })
        .collect()
}

fn task<'b>(
    session: &'b Session,
    arms: &'b Arms,
    name: &str,
    config: &TaskConfig,
) -> Result<SelectTask<'b>> {
    let kind = session.registry.proxy(&config.kind, &config.options)?;
    let data = prepare::data_of(arms, config);
    let (place, skipped, kept_as) = match data {
        Some(data) => (&data.session, &data.skipped, data.kept_as.clone()),
        None => (session, &arms.skipped, prepare::kept_as(&arms.embedded)),
    };
    let rows = rows::rows(&place.dataset, config, kind.as_ref(), skipped)?;
    let keys = place.keys(&kept_as, &rows.tile_ids);
    let sets: BTreeMap<String, CandidateSet> = if kind.needs_views() {
        prepare::embed_views(session, arms, data, &rows.tile_ids)?
    } else {
        match data {
            Some(data) => data.sets.clone(),
            None => arms
                .embedded
                .iter()
                .map(|e| {
                    let set = e.outcome.fingerprint.clone();
                    (e.info.name.clone(), CandidateSet { set, bank: None })
                })
                .collect(),
        }
    };
    Ok(SelectTask {
        name: name.to_string(),
        description: config.description.clone(),
        source: config.source.clone(),
        kind,
        rows,
        digests: keys.into_iter().map(|key| key.source_digest).collect(),
        store: place.store(),
        sets,
    })
}

/// Whether each class of a task can be held out and trained on.
fn splittable(task: &SelectTask) -> std::result::Result<(), String> {
    let mut names: Vec<&String> = task.rows.groups.iter().collect();
    names.sort_unstable();
    names.dedup();
    let groups: Vec<u32> =
        task.rows.groups.iter().map(|g| names.partition_point(|n| *n < g) as u32).collect();
    let n_classes = task.rows.classes.len();
    match splits::feasible_folds(&task.rows.labels, &groups, n_classes, 2) {
        Ok(2..) => Ok(()),
        Ok(_) => Err("some class has tiles in one group alone".into()),
        Err(error) => Err(Error::to_string(&error)),
    }
}
