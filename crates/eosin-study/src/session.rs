// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;
use std::path::PathBuf;

use eosin_core::{Error, LabelledSet, Result, ViewBank};
use eosin_report::{LeakageFinding, StudyReport, render_study_html};

use super::export::Named;
use super::{StudyConfig, StudyInput, StudySet, study_named};
use eosin_select::{embed_arms, select_arms};
use eosin_session::dataset::TaskRows;
use eosin_session::embed::Skipped;
use eosin_session::exports::row_names;
use eosin_session::leakage::{check_embedded, check_leakage};
use eosin_session::opened;
use eosin_session::session::{Embedded, Session, view_bank, view_parameters};
use eosin_session::writable::write;

/// What a study left behind.
pub struct StudyOutcome {
    /// The report, as it was written.
    pub report: StudyReport,
    /// `study.json`.
    pub json: PathBuf,
    /// `study.html`.
    pub html: PathBuf,
    /// Tiles that were left out.
    pub skipped: Vec<Skipped>,
}

/// Embeds what is not embedded yet, runs the study on a run's target task, and writes its report.
pub fn study(session: &Session, config: &StudyConfig) -> Result<StudyOutcome> {
    config.check()?;
    check_leakage(session, &session.dataset.rows(&session.config.task, &[])?)?;
    let embedded: Vec<Embedded> = if config.backbones.is_empty() {
        let arms = embed_arms(session, false)?;
        let chosen = select_arms(session, &arms)?.selected;
        let default = session.config.run.default_backbone.clone();
        let mut embedded = arms.embedded;
        embedded.retain(|e| e.info.name == default || e.info.name == chosen);
        embedded.sort_by_key(|e| e.info.name != default);
        embedded
    } else {
        let names = config.backbones.iter();
        names.map(|name| session.embed(name, None, None)).collect::<Result<_>>()?
    };
    let skipped = Session::skipped(&embedded);
    let rows = session.rows(&session.config.task, &skipped)?;
    let leakage = check_embedded(session, &skipped, embedded.first())?;
    let sets = embedded
        .iter()
        .map(|e| {
            let set = study_set(session, config, &rows, e)?;
            Ok(StudySet { backbone: e.info.name.clone(), set })
        })
        .collect::<Result<Vec<_>>>()?;
    let input = StudyInput {
        sets: &sets,
        split: &rows.split,
        task: &session.config.task.description,
        head: &session.config.head,
        seed: session.config.run.seed,
    };
    let folder = session.out.join("study");
    // Which tiles are there does not depend on the backbone, nor do their names.
    let rows_named = embedded.first().map(|e| row_names(session, &rows, e)).unwrap_or_default();
    let named = Named { task: &session.config.run.task, rows: rows_named };
    let (registry, progress) = (&session.registry, session.progress);
    let (mut report, exports) =
        study_named(&input, config, registry, &folder, progress, Some(&named))?;
    report.warnings.extend(rows.warnings.iter().cloned());
    report.warnings.extend(leakage.iter().map(LeakageFinding::sentence));
    if !skipped.is_empty() {
        report
            .warnings
            .push(format!("{} tiles could not be read and were left out", skipped.len()));
    }
    report.opened = opened::test_part(session, &rows, &report.digest, &[])?;
    let json = session.out.join("study.json");
    let html = session.out.join("study.html");
    write(&json, &report.to_json()?)?;
    write(&html, &render_study_html(&report)?)?;
    exports.write(&folder)?;
    Ok(StudyOutcome { report, json, html, skipped })
}

fn study_set(
    session: &Session,
    config: &StudyConfig,
    rows: &TaskRows,
    embedded: &Embedded,
) -> Result<LabelledSet> {
    let matrix = session.matrix(&embedded.outcome, &rows.tile_ids, 1)?;
    let Some(table) = &config.views else { return rows.labelled(matrix, None) };
    let views = view_bank(table)?;
    // Test-time averaging alone looks at views of tiles that are not fitted on.
    let positions: Vec<usize> = if config.arms.iter().any(|arm| arm.test_time) {
        (0..rows.tile_ids.len()).collect()
    } else {
        rows.split.train.clone()
    };
    let ids: Vec<String> = positions.iter().map(|&i| rows.tile_ids[i].clone()).collect();
    let only: BTreeSet<String> = ids.iter().cloned().collect();
    let bank = session.embed(&embedded.info.name, Some(&views), Some(&only))?;
    if let Some(skip) = bank.outcome.skipped.first() {
        return Err(Error::input(
            format!("views of {}", skip.tile),
            "a tile that can be read, as it was a moment ago",
            skip.reason.clone(),
            "run the study again",
        ));
    }
    let n_views = views.n_stored();
    let matrix_of_views = session.matrix(&bank.outcome, &ids, n_views)?;
    let bank = ViewBank::partial(n_views, matrix_of_views, &positions, rows.tile_ids.len())?
        .with_parameters(view_parameters(&views, &ids)?)?;
    rows.labelled(matrix, Some(bank))
}
