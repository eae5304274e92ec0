// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::Result;
use eosin_eval::{GroupBootstrap, Ranked};
use eosin_head::HeadFile;
use eosin_report::{self as report, EvaluationReport};

use super::Evaluated;
use crate::summary::{counts, uncalled};
use eosin_session::figures::Figures;
use eosin_session::figures::metric;

/// The report of an evaluation.
pub(super) fn report(found: &Evaluated) -> Result<EvaluationReport> {
    let (options, file, scored) = (found.options, &found.applicable.file, &found.scored);
    let bootstrap = options.evaluation.bootstrap(options.seed);
    let classes = &file.record.classes;
    let count = |class: usize| scored.labels.iter().filter(|&&l| l as usize == class).count();
    let n_groups = scored.groups.iter().max().map_or(0, |&last| u64::from(last) + 1);
    let is_of_tiles = found.names.iter().all(|name| name.tile_id.is_some());
    let ranked = if scored.is_binary() {
        Some(Ranked::new(&scored.scores(), &scored.truths())?)
    } else {
        None
    };
    let points = |of: Option<Vec<eosin_eval::metrics::CurvePoint>>| -> Vec<[f64; 2]> {
        of.unwrap_or_default().iter().map(|p| [p.x, p.y]).collect()
    };
    let confusion = scored.confusion()?;
    let figures = Figures::of(scored, file, options.prevalence, &bootstrap)?;
    Ok(EvaluationReport {
        format: EvaluationReport::FORMAT,
        title: format!("Evaluation of a head: {}", classes.join(" / ")),
        eosin_version: env!("CARGO_PKG_VERSION").to_string(),
        head: head(file),
        columns: found.columns.clone(),
        unit: if is_of_tiles { "tile" } else { "slide" }.into(),
        classes: classes.clone(),
        class_counts: (0..classes.len()).map(|class| count(class) as u64).collect(),
        n_rows: scored.labels.len() as u64,
        n_groups,
        seed: options.seed,
        replicates: bootstrap.replicates as u64,
        level: bootstrap.level,
        metrics: scored.metrics(&bootstrap)?.into_iter().map(metric).collect(),
        trivial: scored.trivial(),
        confusion: counts(&confusion),
        uncalled: uncalled(scored, &confusion),
        roc: points(ranked.as_ref().map(|ranked| ranked.roc_points(None))),
        precision_recall: points(ranked.as_ref().map(|ranked| ranked.pr_points(None))),
        calibration: figures.calibration,
        precision_at_prevalence: figures.precision_at_prevalence,
        recall_at_precision: figures.recall_at_precision,
        centres: centres(found, &bootstrap)?,
        abstention: figures.abstention,
        opened: Some(report::TestOpened { n_configurations: found.n_opened }),
        accepted: options.apply.accept.to_vec(),
        skipped: found
            .skipped
            .iter()
            .map(|s| report::SkippedTile { tile: s.tile.clone(), reason: s.reason.clone() })
            .collect(),
        notes: found.notes.clone(),
        warnings: warnings(found, classes, &count),
    })
}

fn head(file: &HeadFile) -> report::EvaluatedHead {
    report::EvaluatedHead {
        kind: file.record.kind.clone(),
        threshold: file.threshold,
        penalty: file.penalty,
        training_digest: file.training_digest.clone(),
        eosin_version: file.eosin_version.clone(),
        contract: Some(file.contract.clone()),
    }
}

fn warnings(found: &Evaluated, classes: &[String], count: &dyn Fn(usize) -> usize) -> Vec<String> {
    let mut warnings = found.warnings.clone();
    let missing = classes.iter().enumerate().filter(|(class, _)| count(*class) == 0);
    warnings.extend(missing.map(|(_, class)| {
        format!("no row is of class `{class}`: figures that need it are not defined")
    }));
    warnings
}

/// The head on the rows of each centre, where centres are known.
fn centres(found: &Evaluated, bootstrap: &GroupBootstrap) -> Result<Vec<report::EvaluatedCentre>> {
    let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, name) in found.names.iter().enumerate() {
        if let Some(centre) = &name.centre {
            rows.entry(centre).or_default().push(i);
        }
    }
    let at = |(name, rows): (&str, Vec<usize>)| {
        let part = found.scored.select(&rows)?;
        let mut groups = part.groups.clone();
        groups.sort_unstable();
        groups.dedup();
        let confusion = part.confusion()?;
        Ok(report::EvaluatedCentre {
            name: name.to_string(),
            n_rows: rows.len() as u64,
            n_groups: groups.len() as u64,
            metrics: part.metrics(bootstrap)?.into_iter().map(metric).collect(),
            confusion: counts(&confusion),
            uncalled: uncalled(&part, &confusion),
        })
    };
    rows.into_iter().map(at).collect()
}
