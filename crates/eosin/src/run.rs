// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use eosin_core::{Error, Result};
use eosin_report::{RunReport, render_html};
use serde::Serialize;

use crate::summary::{self, Findings};
use crate::train::{FittedArm, embed_views, fit_arm, labelled, save};
use eosin_select::{Arms, LeftOut, Selection, embed_arms, select_arms};
use eosin_session::RegistryExt;
use eosin_session::dataset::TaskRows;
use eosin_session::embed::Skipped;
use eosin_session::exports::{Exports, Whose, row_names};
use eosin_session::figures::Figures;
use eosin_session::leakage::{check_embedded, check_leakage};
use eosin_session::opened;
use eosin_session::session::{Embedded, Session};
use eosin_session::writable::write;

/// What a run left behind.
pub struct RunOutcome {
    /// The report, as it was written.
    pub report: RunReport,
    /// `report.json`, which depends on nothing but configuration and data.
    pub json: PathBuf,
    /// `report.html`.
    pub html: PathBuf,
    /// Tiles that were left out.
    pub skipped: Vec<Skipped>,
    /// Backbones that were left out.
    pub left_out: Vec<LeftOut>,
}

/// Seconds per stage, written beside the report because they differ from run to run.
#[derive(Default, Serialize)]
struct Timings {
    threads: usize,
    seconds: BTreeMap<String, f64>,
    tiles_per_second: BTreeMap<String, f64>,
}

/// The whole job: embed, select, tune with and without augmentation, report.
pub fn run(session: &Session) -> Result<RunOutcome> {
    let mut timings = Timings { threads: rayon::current_num_threads(), ..Timings::default() };
    let started = Instant::now();
    // A split that leaks is refused before hours of embedding, not after.
    check_leakage(session, &session.dataset.rows(&session.config.task, &[])?)?;
    let arms = embed_all(session, &mut timings)?;
    let (embedded, skipped) = (&arms.embedded, arms.skipped.clone());
    let rows = session.rows(&session.config.task, &skipped)?;
    let default = embedded.iter().find(|e| e.info.name == session.config.run.default_backbone);
    let leakage = check_embedded(session, &skipped, default)?;
    let selection = timings.stage("select", || select_arms(session, &arms))?;
    let selected = selection.selected.clone();
    let fitted = fit_arms(session, &rows, embedded, &selected, &mut timings)?;
    let heads: Vec<String> = fitted.iter().map(|(_, arm)| opened::identity(&arm.file)).collect();
    let opened = opened::test_part(session, &rows, &session.config.digest(), &heads)?;
    let report = timings.stage("report", || {
        summary::report(Findings {
            session,
            rows: &rows,
            embedded,
            skipped: &skipped,
            selection: &selection,
            selected: &selected,
            arms: &fitted,
            leakage,
            opened,
            warnings: warnings(session, &rows, &skipped, &selection, &fitted),
        })
    })?;
    let heads = session.out.join("heads");
    for (is_selected, arm) in &fitted {
        let which = if *is_selected { "selected" } else { "default" };
        let augmented = if arm.augmented { "augmented" } else { "plain" };
        let mut file = arm.file.clone();
        file.metrics = test_figures(&report, *is_selected, arm.augmented);
        save(&file, &heads.join(format!("{which}-{augmented}.safetensors")))?;
    }
    export(session, &rows, embedded, &fitted)?;
    timings.seconds.insert("all".into(), started.elapsed().as_secs_f64());
    let json = session.out.join("report.json");
    let html = session.out.join("report.html");
    write(&json, &report.to_json()?)?;
    write(&html, &render_html(&report)?)?;
    let timings = serde_json::to_string_pretty(&timings).unwrap_or_default();
    write(&session.out.join("timings.json"), &(timings + "\n"))?;
    Ok(RunOutcome { report, json, html, skipped, left_out: selection.left_out })
}

fn embed_all<'a>(session: &Session<'a>, timings: &mut Timings) -> Result<Arms<'a>> {
    let arms = embed_arms(session, false)?;
    let default = session.config.run.default_backbone.as_str();
    if arms.embedded.iter().all(|e| e.info.name != default) {
        let reason = arms.left_out.iter().find(|l| l.backbone == default).map(|l| &l.reason);
        return Err(Error::input(
            format!("default backbone `{default}`"),
            "a backbone that can be compared, since the 2×2 needs it",
            reason.cloned().unwrap_or_default(),
            "mend it, or name another default",
        ));
    }
    for (name, (seconds, n_new)) in &arms.seconds {
        timings.seconds.insert(format!("embed {name}"), *seconds);
        if *n_new > 0 {
            timings.tiles_per_second.insert(name.clone(), *n_new as f64 / seconds);
        }
    }
    Ok(arms)
}

/// The 2×2: default and selected backbone, augmentation off and on; where selection keeps the
/// default, its two heads stand in both rows.
fn fit_arms(
    session: &Session,
    rows: &TaskRows,
    embedded: &[Embedded],
    selected: &str,
    timings: &mut Timings,
) -> Result<Vec<(bool, Arc<FittedArm>)>> {
    let pipeline = session.registry.pipeline(&session.config.augment.transforms)?;
    let default = session.config.run.default_backbone.as_str();
    let mut arms: Vec<(bool, Arc<FittedArm>)> = Vec::new();
    for name in if selected == default { vec![default] } else { vec![default, selected] } {
        let Some(embedded) = embedded.iter().find(|e| e.info.name == name) else { continue };
        let bank =
            timings.stage(&format!("embed views {name}"), || embed_views(session, rows, name))?;
        let bank = bank.as_ref().map(|(embedded, n_views)| (embedded, *n_views));
        let set = labelled(session, rows, embedded, bank)?;
        for pipeline in [None, Some(&pipeline)] {
            let stage = format!("fit {name} {}", pipeline.map_or("plain", |_| "augmented"));
            let arm = timings.stage(&stage, || {
                fit_arm(
                    session,
                    rows,
                    &set,
                    embedded,
                    pipeline,
                    &session.config.head,
                    session.progress,
                )
            })?;
            arms.push((name != default, Arc::new(arm)));
        }
    }
    if selected == default {
        let again: Vec<_> = arms.iter().map(|(_, arm)| (true, Arc::clone(arm))).collect();
        arms.extend(again);
    }
    Ok(arms)
}

/// Every prediction of the 2×2, beside the report; arms that stand in both rows once.
fn export(
    session: &Session,
    rows: &TaskRows,
    embedded: &[Embedded],
    fitted: &[(bool, Arc<FittedArm>)],
) -> Result<()> {
    let run = &session.config.run;
    let mut exports = Exports::default();
    for (i, (_, arm)) in fitted.iter().enumerate() {
        let known = fitted[..i].iter().any(|(_, other)| Arc::ptr_eq(other, arm));
        let embedded = embedded.iter().find(|e| e.info.name == arm.backbone);
        let Some(embedded) = embedded.filter(|_| !known) else { continue };
        let whose = Whose {
            task: &run.task,
            backbone: &arm.backbone,
            arm: if arm.augmented { "augmented" } else { "plain" },
            names: &row_names(session, rows, embedded),
            split: &rows.split,
            classes: &rows.classes,
            tuned: &arm.tuned,
        };
        exports.add(&whose, &arm.out_of_fold, arm.test.as_ref())?;
    }
    exports.write(&session.out)
}

/// What the head's card tells of the test part.
fn test_figures(report: &RunReport, selected: bool, augmented: bool) -> BTreeMap<String, f64> {
    let Some(arm) = report.arm(selected, augmented) else { return BTreeMap::new() };
    let beside = Figures {
        calibration: arm.calibration.clone(),
        precision_at_prevalence: arm.precision_at_prevalence.clone(),
        recall_at_precision: arm.recall_at_precision.clone(),
        abstention: arm.abstention.clone(),
    };
    let metrics = arm.metrics.iter().map(|m| (m.name.clone(), m.estimate));
    metrics.chain(beside.named()).map(|(name, value)| (format!("test {name}"), value)).collect()
}

fn warnings(
    session: &Session,
    rows: &TaskRows,
    skipped: &[Skipped],
    selection: &Selection,
    fitted: &[(bool, Arc<FittedArm>)],
) -> Vec<String> {
    let mut warnings = rows.warnings.clone();
    let selected = &selection.selected;
    for left_out in &selection.left_out {
        warnings.push(format!("{} was left out: {}", left_out.backbone, left_out.reason));
    }
    warnings.extend(selection.notes.iter().cloned());
    if !skipped.is_empty() {
        warnings.push(format!("{} tiles could not be read and were left out", skipped.len()));
    }
    if *selected == session.config.run.default_backbone {
        warnings.push(format!(
            "selection kept the default backbone `{selected}`, so both rows of the 2×2 are the same"
        ));
    }
    if rows.split.held_out.is_empty() {
        warnings.push("the task names no test part: no metric was computed".into());
    }
    warnings.extend(unused_prevalence(session, rows.classes.len()));
    for (_, arm) in fitted {
        warnings.extend(arm.notes.iter().map(|note| format!("{}: {note}", arm.backbone)));
    }
    warnings
}

/// That prevalences are stated for a task that has more than two classes.
pub(crate) fn unused_prevalence(session: &Session, n_classes: usize) -> Option<String> {
    let is_stated = !session.config.run.evaluation.prevalence.is_empty();
    (is_stated && n_classes != 2).then(|| {
        format!("`evaluation.prevalence` is for two classes and changes nothing for {n_classes}")
    })
}

impl Timings {
    fn stage<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let result = work()?;
        self.seconds.insert(name.to_string(), started.elapsed().as_secs_f64());
        Ok(result)
    }
}
