// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;
use std::sync::Arc;

use eosin_core::{Contract, Result};
use eosin_eval::{ConfusionMatrix, GroupBootstrap, Ranked};
use eosin_proxy::select::Ranking;
use eosin_report as report;
use eosin_report::{RunReport, pca};

use crate::train::FittedArm;
use eosin_select::{ProxyRanking, Role, Selection, ranking_row};
use eosin_session::dataset::TaskRows;
use eosin_session::embed::Skipped;
use eosin_session::evaluate::Scored;
use eosin_session::figures::metric;
use eosin_session::figures::{Figures, reliability_bins};
use eosin_session::session::is_control;
use eosin_session::session::{Embedded, Session};

/// Most points on an embedding map; more make a file heavy and show nothing more.
const MAX_MAP_POINTS: usize = 3000;

/// All that a run has found, to be turned into its report.
pub struct Findings<'a> {
    pub session: &'a Session<'a>,
    pub rows: &'a TaskRows,
    pub embedded: &'a [Embedded],
    pub skipped: &'a [Skipped],
    pub selection: &'a Selection,
    pub selected: &'a str,
    pub arms: &'a [(bool, Arc<FittedArm>)],
    pub leakage: Vec<report::LeakageFinding>,
    pub opened: Option<report::TestOpened>,
    pub warnings: Vec<String>,
}

/// The report of a run.
pub fn report(findings: Findings) -> Result<RunReport> {
    let config = &findings.session.config;
    let run = &config.run;
    let bootstrap = run.evaluation.bootstrap(run.seed);
    let tested = findings.arms.iter().find_map(|(_, arm)| arm.test.as_ref());
    Ok(RunReport {
        format: RunReport::FORMAT,
        title: run.title.clone(),
        notes: run.notes.clone(),
        eosin_version: env!("CARGO_PKG_VERSION").to_string(),
        config_digest: config.digest(),
        seed: run.seed,
        replicates: run.evaluation.replicates as u64,
        level: run.evaluation.level,
        data: data(&findings),
        backbones: findings.embedded.iter().map(backbone).collect(),
        rankings: rankings(&findings),
        default_backbone: run.default_backbone.clone(),
        selected_backbone: findings.selected.to_string(),
        arms: findings
            .arms
            .iter()
            .map(|(selected, fitted)| arm(&findings, *selected, fitted, &bootstrap))
            .collect::<Result<_>>()?,
        gains: gains(findings.arms, &bootstrap)?,
        metric: tested.map(|test| test.main_metric().to_string()).unwrap_or_default(),
        trivial: tested.map(Scored::trivial).unwrap_or_default(),
        embedding_maps: maps(&findings)?,
        centres: centres(&findings, &bootstrap)?,
        opened: findings.opened,
        skipped: findings
            .skipped
            .iter()
            .map(|s| report::SkippedTile { tile: s.tile.clone(), reason: s.reason.clone() })
            .collect(),
        warnings: findings.warnings,
        ..RunReport::default()
    })
}

fn data(findings: &Findings) -> report::DataSummary {
    let (rows, task) = (findings.rows, &findings.session.config.task);
    let all: Vec<usize> = (0..rows.tile_ids.len()).collect();
    let counts = |positions: &[usize]| {
        let counts = rows.counts(positions);
        rows.classes.iter().map(|c| counts.get(c).copied().unwrap_or(0)).collect::<Vec<u64>>()
    };
    let split = |name: &str, positions: &[usize]| report::SplitSummary {
        name: name.to_string(),
        n_tiles: positions.len() as u64,
        n_groups: rows.n_groups(positions) as u64,
        class_counts: counts(positions),
    };
    report::DataSummary {
        task: task.description.clone(),
        n_tiles: all.len() as u64,
        n_groups: rows.n_groups(&all) as u64,
        group_column: task.group.clone(),
        classes: rows
            .classes
            .iter()
            .zip(counts(&all))
            .map(|(name, n_tiles)| report::ClassCount { name: name.clone(), n_tiles })
            .collect(),
        positive: task.positive.clone(),
        splits: vec![split("train", &rows.split.train), split("test", &rows.split.held_out)],
        leakage: findings.leakage.clone(),
    }
}

fn backbone(embedded: &Embedded) -> report::BackboneSummary {
    let info = &embedded.info;
    report::BackboneSummary {
        name: info.name.clone(),
        family: info.family.clone(),
        dim: info.dim,
        parameters: info.parameters,
        fingerprint: Contract::fingerprint(&embedded.contract),
        contract: embedded.contract.clone(),
        licence: info.licence.clone(),
        training_sources: info.training_sources.clone(),
        rows: (embedded.outcome.n_new + embedded.outcome.n_kept) as u64,
        is_control: is_control(embedded),
    }
}

/// The ranking that decided, then one table per task and probe.
fn rankings(findings: &Findings) -> Vec<report::Ranking> {
    let table = |task: &ProxyRanking, ranking: &Ranking, verdict: String| report::Ranking {
        proxy: format!("{} ({})", task.proxy, task.description),
        probe: ranking.probe.clone(),
        metric: ranking.metric.clone(),
        design: format!(
            "{} × {} grouped folds, {} tiles, {} groups",
            task.n_repeats, task.n_folds, task.n_rows, task.n_groups
        ),
        rows: ranking.arms.iter().map(ranking_row).collect(),
        verdict,
    };
    let selection = findings.selection;
    let mut tables = Vec::new();
    if let Some(first) = selection.rankings.first() {
        tables.push(table(
            first,
            &selection.decision,
            selection.verdict.all().collect::<Vec<_>>().join(" "),
        ));
    }
    for task in &selection.rankings {
        let decided = task.role != Role::Beside;
        for (i, ranking) in task.rankings.iter().enumerate() {
            let verdict = match task.rankings.first() {
                Some(first) if i > 0 => format!("Shown beside `{}`, which decides.", first.probe),
                _ if decided => ranking.verdict.clone(),
                _ => "Shown beside; it decides nothing.".to_string(),
            };
            tables.push(table(task, ranking, verdict));
        }
    }
    tables
}

fn arm(
    findings: &Findings,
    selected: bool,
    fitted: &FittedArm,
    bootstrap: &GroupBootstrap,
) -> Result<report::Arm> {
    let rows = findings.rows;
    let positive = findings.session.config.task.positive.is_some();
    let last = rows.classes.len() as u32 - 1;
    let positives = |positions: &[usize]| {
        let n = positions.iter().filter(|&&i| rows.labels[i] == last).count() as u64;
        if positive { n } else { 0 }
    };
    let mut arm = report::Arm {
        backbone: fitted.backbone.clone(),
        selected,
        augmented: fitted.augmented,
        augmentation: fitted.augmentation.clone(),
        head: fitted.file.record.kind.clone(),
        penalty: fitted.tuned.penalty,
        threshold: fitted.file.threshold,
        n_train: rows.split.train.len() as u64,
        n_test: rows.split.held_out.len() as u64,
        n_train_positives: positives(&rows.split.train),
        n_test_positives: positives(&rows.split.held_out),
        ..report::Arm::default()
    };
    let Some(test) = &fitted.test else { return Ok(arm) };
    arm.metrics = test.metrics(bootstrap)?.into_iter().map(metric).collect();
    let confusion = test.confusion()?;
    arm.confusion = counts(&confusion);
    arm.uncalled = uncalled(test, &confusion);
    if test.is_binary() {
        let (scores, truths) = (test.scores(), test.truths());
        let ranked = Ranked::new(&scores, &truths)?;
        arm.roc = ranked.roc_points(None).iter().map(|p| [p.x, p.y]).collect();
        arm.precision_recall = ranked.pr_points(None).iter().map(|p| [p.x, p.y]).collect();
        arm.reliability = reliability_bins(&scores, &truths);
    }
    let stated = &findings.session.config.run.evaluation.prevalence;
    let figures = Figures::of(test, &fitted.file, stated, bootstrap)?;
    arm.calibration = figures.calibration;
    arm.precision_at_prevalence = figures.precision_at_prevalence;
    arm.recall_at_precision = figures.recall_at_precision;
    arm.abstention = figures.abstention;
    Ok(arm)
}

/// Rows per true and called class.
pub fn counts(confusion: &ConfusionMatrix) -> Vec<Vec<u64>> {
    let rows = confusion.counts().chunks(confusion.n_classes());
    rows.map(|row| row.iter().map(|&n| n as u64).collect()).collect()
}

/// Rows of each class without a call, where there may be such.
pub fn uncalled(scored: &Scored, confusion: &ConfusionMatrix) -> Vec<u64> {
    let counts = confusion.uncalled().iter().map(|&n| n as u64);
    if scored.abstains { counts.collect() } else { Vec::new() }
}

/// Every arm on the test tiles of each centre; a centre with one class has no numbers to show.
fn centres(findings: &Findings, bootstrap: &GroupBootstrap) -> Result<Vec<report::CentreResult>> {
    let rows = findings.rows;
    let Some(centres) = &rows.centres else { return Ok(Vec::new()) };
    let of_test: Vec<&str> = rows.split.held_out.iter().map(|&i| centres[i].as_str()).collect();
    let names: BTreeSet<&str> = of_test.iter().copied().collect();
    let last = rows.classes.len() as u32 - 1;
    let mut found = Vec::new();
    for centre in names {
        let at: Vec<usize> = (0..of_test.len()).filter(|&i| of_test[i] == centre).collect();
        for (number, (_, arm)) in findings.arms.iter().enumerate() {
            let Some(test) = &arm.test else { continue };
            let part = test.select(&at)?;
            let positives = part.labels.iter().filter(|&&l| l == last).count();
            found.push(report::CentreResult {
                centre: centre.to_string(),
                arm: number,
                n_test: at.len() as u64,
                n_test_positives: positives as u64,
                metrics: part.metrics(bootstrap)?.into_iter().map(metric).collect(),
            });
        }
    }
    Ok(found)
}

/// What selection, augmentation and both together change, on the same test rows.
fn gains(arms: &[(bool, Arc<FittedArm>)], bootstrap: &GroupBootstrap) -> Result<Vec<report::Gain>> {
    let find = |selected: bool, augmented: bool| {
        arms.iter().position(|(s, arm)| *s == selected && arm.augmented == augmented)
    };
    let changes = [
        ("augmentation, on the default backbone", (false, false), (false, true)),
        ("selection, without augmentation", (false, false), (true, false)),
        ("augmentation, on the selected backbone", (true, false), (true, true)),
        ("selection and augmentation", (false, false), (true, true)),
    ];
    let mut gains = Vec::new();
    for (change, from, to) in changes {
        let (Some(from), Some(to)) = (find(from.0, from.1), find(to.0, to.1)) else { continue };
        let (Some(before), Some(after)) = (&arms[from].1.test, &arms[to].1.test) else { continue };
        let paired = before.gain(after, bootstrap)?;
        gains.push(report::Gain {
            change: change.to_string(),
            from,
            to,
            absolute: report::Metric {
                name: before.main_metric().to_string(),
                estimate: paired.difference.estimate,
                lower: paired.difference.lower,
                upper: paired.difference.upper,
            },
            relative: paired.difference.estimate / paired.first.estimate,
            word: paired.word().to_string(),
            n_groups: paired.difference.n_groups as u64,
        });
    }
    Ok(gains)
}

fn maps(findings: &Findings) -> Result<Vec<report::EmbeddingMap>> {
    let rows = findings.rows;
    let shown = pca::evenly(rows.tile_ids.len(), MAX_MAP_POINTS);
    let mut side = vec![0; rows.tile_ids.len()];
    for &i in &rows.split.held_out {
        side[i] = 1;
    }
    findings
        .embedded
        .iter()
        .map(|embedded| {
            let ids: Vec<String> = shown.iter().map(|&i| rows.tile_ids[i].clone()).collect();
            let matrix = findings.session.matrix(&embedded.outcome, &ids, 1)?;
            let projection = pca::project(&matrix)?;
            Ok(report::EmbeddingMap {
                backbone: embedded.info.name.clone(),
                explained: projection.explained,
                points: projection
                    .points
                    .iter()
                    .zip(&shown)
                    .map(|(&at, &i)| report::MapPoint { at, label: rows.labels[i], split: side[i] })
                    .collect(),
            })
        })
        .collect()
}
