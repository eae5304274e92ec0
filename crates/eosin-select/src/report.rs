// SPDX-License-Identifier: MIT OR Apache-2.0

//! A run's selection as files: `select.json`, `select.html`, `timings.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eosin_core::{Error, Result};
use eosin_proxy::select::Ranking;
use eosin_report as report;
use eosin_report::{Metric, RankingRow, SelectReport, pca, render_select_html};
use serde::Serialize;

use super::{Arms, ProxyRanking, Role, Selection, embed_arms, rows, select_arms};
use eosin_session::config::{HoldOut, SelectionConfig};
use eosin_session::registry::RegistryExt;
use eosin_session::session::Session;
use eosin_session::writable::write;

/// Most points on a map.
const MAX_MAP_POINTS: usize = 1500;

/// Backbones whose maps are drawn.
const MAPS: usize = 3;

/// A run's selection, with the files that it left behind.
pub struct RunSelection<'a> {
    /// What was embedded, and how fast.
    pub arms: Arms<'a>,
    /// What was found.
    pub selection: Selection,
    /// The report, as it was written.
    pub report: SelectReport,
    /// `select.json`.
    pub json: PathBuf,
    /// `select.html`.
    pub html: PathBuf,
}

#[derive(Serialize)]
struct Timings<'a> {
    threads: usize,
    embed_seconds: BTreeMap<&'a str, f64>,
    tiles_per_second: &'a BTreeMap<String, f64>,
}

/// Embeds a run's arms, selects among them and writes the report.
pub fn select_run<'a>(session: &Session<'a>) -> Result<RunSelection<'a>> {
    let arms = embed_arms(session, true)?;
    let selection = select_arms(session, &arms)?;
    write_selection(session, arms, selection)
}

fn write_selection<'a>(
    session: &Session<'a>,
    arms: Arms<'a>,
    selection: Selection,
) -> Result<RunSelection<'a>> {
    let report = select_report(session, &arms, &selection)?;
    let (json, html) = (session.out.join("select.json"), session.out.join("select.html"));
    std::fs::create_dir_all(&session.out)
        .map_err(|e| Error::io("make the folder", &session.out, e))?;
    let timings = Timings {
        threads: rayon::current_num_threads(),
        embed_seconds: arms.seconds.iter().map(|(name, s)| (name.as_str(), s.0)).collect(),
        tiles_per_second: &arms.tiles_per_s,
    };
    let timings = serde_json::to_string_pretty(&timings).unwrap_or_default() + "\n";
    write(&session.out.join("select-timings.json"), &timings)?;
    write(&json, &report.to_json()?)?;
    write(&html, &render_select_html(&report, &arms.tiles_per_s)?)?;
    Ok(RunSelection { arms, selection, report, json, html })
}

fn select_report(session: &Session, arms: &Arms, selection: &Selection) -> Result<SelectReport> {
    let run = &session.config.run;
    let options = &run.selection;
    let mut rankings = Vec::new();
    if let Some(first) = selection.rankings.first() {
        rankings.push(ranking(first, &selection.decision, "decides", session));
    }
    for task in &selection.rankings {
        let role = match task.role {
            Role::Target => "target",
            Role::Proxy => "proxy",
            Role::Beside => "beside",
        };
        for (i, one) in task.rankings.iter().enumerate() {
            let mut row = ranking(task, one, role, session);
            // Scores beside belong to the task, and are shown with its first probe.
            if i > 0 {
                row.beside.clear();
            }
            rankings.push(row);
        }
    }
    let whole = selection.rankings.first().and_then(|r| r.rankings.first());
    let (classes, maps) = maps(session, arms, selection)?;
    let head = session.registry.head(&options.head.kind, &options.head.options)?;
    Ok(SelectReport {
        format: SelectReport::FORMAT,
        title: run.title.clone(),
        notes: run.notes.clone(),
        eosin_version: env!("CARGO_PKG_VERSION").to_string(),
        config_digest: session.config.digest(),
        seed: run.seed,
        replicates: run.evaluation.replicates as u64,
        level: run.evaluation.level,
        rope: options.rope,
        budget: format!(
            "the same {} penalties by inner grouped cross-validation for every backbone",
            head.penalties().len()
        ),
        verdict: selection.verdict.clone(),
        selected: selection.selected.clone(),
        default_backbone: run.default_backbone.clone(),
        candidates: selection
            .compared
            .iter()
            .map(|c| report::SelectCandidate {
                backbone: c.info.name.clone(),
                is_control: c.control,
                dim: c.info.dim,
                parameters: c.info.parameters,
                bytes_per_tile: c.bytes_per_tile,
                weight_bytes: c.weight_bytes,
                licence: c.info.licence.clone(),
                training_sources: c.info.training_sources.clone(),
                robustness: c
                    .robustness
                    .map(|r| metric("robustness index", r.estimate, r.lower, r.upper)),
                centre_probe: c.centre_probe,
                overlaps: c.overlaps.clone(),
                on_front: c.on_front,
                score: whole.and_then(|r| r.arm(&c.info.name)).map(|a| a.mean),
            })
            .collect(),
        left_out: selection
            .left_out
            .iter()
            .map(|l| report::LeftOutBackbone {
                backbone: l.backbone.clone(),
                reason: l.reason.clone(),
            })
            .collect(),
        shortlist: selection
            .shortlist
            .iter()
            .map(|s| report::ShortlistRow {
                backbone: s.backbone.clone(),
                standardised: s.standardised,
            })
            .collect(),
        rankings,
        agreement: selection.agreement.iter().map(agreement).collect(),
        classes,
        maps,
        warnings: selection
            .notes
            .iter()
            .cloned()
            .chain(session.unreadable_note(&arms.skipped))
            .collect(),
    })
}

fn metric(name: &str, estimate: f64, lower: f64, upper: f64) -> Metric {
    Metric { name: name.into(), estimate, lower, upper }
}

fn folds(task: &ProxyRanking, selection: &SelectionConfig) -> String {
    if task.role == Role::Target && selection.hold_out == HoldOut::Centre {
        return format!("a fold for each of {} centres", task.n_folds);
    }
    format!("{} × {} grouped folds", task.n_repeats, task.n_folds)
}

fn ranking(
    task: &ProxyRanking,
    ranking: &Ranking,
    role: &str,
    session: &Session,
) -> report::SelectRanking {
    let beside = task.beside.iter().map(|c| (c.name.clone(), c.values.clone())).collect();
    report::SelectRanking {
        task: task.proxy.clone(),
        description: task.description.clone(),
        role: role.into(),
        probe: ranking.probe.clone(),
        metric: ranking.metric.clone(),
        design: format!(
            "{}, {} tiles, {} groups",
            folds(task, &session.config.run.selection),
            task.n_rows,
            task.n_groups
        ),
        rows: ranking.arms.iter().map(ranking_row).collect(),
        trivial: trivial(task, &ranking.metric),
        pairs: ranking
            .pairs
            .iter()
            .map(|p| report::PairRow {
                first: p.arm.clone(),
                second: p.against.clone(),
                difference: metric("difference", p.estimate, p.lower, p.upper),
                p: p.p,
                p_holm: p.p_holm,
                posterior: p.posterior.map_or([f64::NAN; 3], |q| [q.worse, q.equivalent, q.better]),
            })
            .collect(),
        baselines: ranking
            .baselines
            .iter()
            .filter_map(|b| {
                let gain = b.gain?;
                Some(report::BaselineRow {
                    name: b.name.clone(),
                    backbone: b.backbone.clone(),
                    mean: b.mean,
                    gain: metric("gain", gain.estimate, gain.lower, gain.upper),
                })
            })
            .collect(),
        beside: if role == "decides" { BTreeMap::new() } else { beside },
        verdict: ranking.verdict.clone(),
    }
}

/// What calls that look at no tile score by this metric, where they have it.
pub(crate) fn trivial(task: &ProxyRanking, name: &str) -> Vec<report::TrivialCall> {
    let known = task.trivial.iter().filter(|level| level.metric == name);
    known
        .map(|level| report::TrivialCall {
            name: level.call.clone(),
            metrics: vec![metric(name, level.level, f64::NAN, f64::NAN)],
        })
        .collect()
}

/// An arm's place, as both reports show it.
pub fn ranking_row(arm: &eosin_proxy::select::RankedArm) -> RankingRow {
    RankingRow {
        backbone: arm.backbone.clone(),
        mean: arm.mean,
        lower: arm.lower,
        upper: arm.upper,
        p_best: arm.probability_best.unwrap_or(f64::NAN),
        against_best: arm.against_best.map(|word| word.to_string()),
        is_control: arm.control,
    }
}

fn agreement(found: &super::ProxyAgreement) -> report::AgreementRow {
    let a = &found.agreement;
    report::AgreementRow {
        proxy: found.proxy.clone(),
        n: a.n as u64,
        tau_b: a.tau_b,
        standard_error: a.standard_error,
        regret: a.regret,
        regret_top_3: a.regret_top_3,
        top_3_hit: a.top_3_hit,
        regret_random: a.regret_random,
        top_3_hit_random: a.top_3_hit_random,
        regret_largest: found.regret_largest,
        points: found.points.clone(),
    }
}

/// Maps of the first three backbones of the deciding ranking, on the target's training tiles.
fn maps(
    session: &Session,
    arms: &Arms,
    selection: &Selection,
) -> Result<(Vec<String>, Vec<report::EmbeddingMap>)> {
    let task = &session.config.task;
    let kind = session.registry.proxy(&task.kind, &task.options)?;
    let rows = rows::rows(&session.dataset, task, kind.as_ref(), &arms.skipped)?;
    let shown = pca::evenly(rows.tile_ids.len(), MAX_MAP_POINTS);
    let ids: Vec<String> = shown.iter().map(|&i| rows.tile_ids[i].clone()).collect();
    let first = selection.decision.arms.iter().filter(|a| !a.control).take(MAPS);
    let maps = first
        .filter_map(|arm| arms.embedded.iter().find(|e| e.info.name == arm.backbone))
        .map(|embedded| {
            let matrix = session.matrix(&embedded.outcome, &ids, 1)?;
            let projection = pca::project(&matrix)?;
            let point = |(&at, &i): (&[f64; 2], &usize)| report::MapPoint {
                at,
                label: rows.labels[i],
                split: 0,
            };
            Ok(report::EmbeddingMap {
                backbone: embedded.info.name.clone(),
                explained: projection.explained,
                points: projection.points.iter().zip(&shown).map(point).collect(),
            })
        })
        .collect::<Result<_>>()?;
    Ok((rows.classes, maps))
}
