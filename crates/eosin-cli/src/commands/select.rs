// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use anyhow::Result;
use comfy_table::{Table, presets};
use eosin::crates::report::{SelectRanking, SelectReport};
use eosin::{HoldOut, LicenceFilter, Registry};

use super::run::{facts, tell_plan};
use super::sizes::print_sizes;
use super::{open, print_verdict, tell_skipped};
use crate::arguments::SelectArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin select`.
pub fn select(arguments: &SelectArguments, registry: &Registry, bars: &Bars) -> Result<Outcome> {
    let mut session = open(&arguments.run, registry, bars)?;
    match arguments.licence.as_deref() {
        Some("commercial") => session.config.run.selection.licence = LicenceFilter::Commercial,
        Some(_) => session.config.run.selection.licence = LicenceFilter::Any,
        None => {}
    }
    match arguments.hold_out.as_deref() {
        Some("centre") => session.config.run.selection.hold_out = HoldOut::Centre,
        Some(_) => session.config.run.selection.hold_out = HoldOut::Group,
        None => {}
    }
    if arguments.run.dry_run {
        print_sizes(&eosin::select_sizes(&session)?);
        let (skipped, left_out) = eosin::rehearse(&session, |rehearsal| {
            let found = eosin::select_run(rehearsal)?;
            Ok((found.arms.skipped, found.selection.left_out))
        })?;
        return Ok(tell_plan(&session.config.run.title, &facts(&session)?, &skipped, &left_out));
    }
    let found = eosin::select_run(&session)?;
    let report = &found.report;
    for ranking in &report.rankings {
        print_ranking(ranking);
    }
    print_costs(report, &found.arms.tiles_per_s);
    print_agreement(report);
    for left_out in &report.left_out {
        println!("left out: {}: {}", left_out.backbone, left_out.reason);
    }
    for warning in &report.warnings {
        println!("note: {warning}");
    }
    print_verdict(&report.verdict);
    tell_skipped(&found.arms.skipped);
    println!("{}", found.json.display());
    println!("{}", found.html.display());
    Ok(Outcome::of(found.arms.skipped.len() + report.left_out.len()))
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    table
}

fn print_ranking(ranking: &SelectRanking) {
    let mut shown = table(["backbone", &ranking.metric, "95 % interval", "P(best)", ""]);
    for row in &ranking.rows {
        shown.add_row([
            row.backbone.clone(),
            format!("{:.3}", row.mean),
            format!("{:.3} to {:.3}", row.lower, row.upper),
            if row.p_best.is_finite() { format!("{:.2}", row.p_best) } else { "–".into() },
            row.remark(),
        ]);
    }
    for call in &ranking.trivial {
        if let Some(level) = call.metric(&ranking.metric) {
            let name = format!("({})", call.name);
            shown.add_row([name, format!("{level:.3}"), "–".into(), "–".into(), String::new()]);
        }
    }
    println!("{} ({}), probe {}", ranking.task, ranking.role, ranking.probe);
    println!("{}, {}\n{shown}", ranking.description, ranking.design);
}

fn print_costs(report: &SelectReport, tiles_per_s: &BTreeMap<String, f64>) {
    let mut shown = table([
        "backbone",
        "tiles/s here",
        "parameters",
        "weights MB",
        "bytes/tile",
        "licence",
        "robustness",
        "front",
    ]);
    for c in &report.candidates {
        let speed = tiles_per_s.get(&c.backbone);
        shown.add_row([
            c.backbone.clone(),
            speed.map_or("-".into(), |s| format!("{s:.1}")),
            c.parameters.to_string(),
            format!("{:.1}", c.weight_bytes as f64 / 1e6),
            c.bytes_per_tile.to_string(),
            c.licence.name.clone(),
            c.robustness.as_ref().map_or("-".into(), |r| format!("{:.3}", r.estimate)),
            if c.on_front { "yes" } else { "no" }.into(),
        ]);
    }
    println!("costs\n{shown}");
}

fn print_agreement(report: &SelectReport) {
    if report.agreement.is_empty() {
        return;
    }
    let mut shown =
        table(["proxy", "τ-b", "SE", "regret", "regret of three", "random pick", "largest"]);
    for a in &report.agreement {
        shown.add_row([
            a.proxy.clone(),
            format!("{:.2}", a.tau_b),
            format!("{:.2}", a.standard_error),
            format!("{:.3}", a.regret),
            format!("{:.3}", a.regret_top_3),
            format!("{:.3}", a.regret_random),
            format!("{:.3}", a.regret_largest),
        ]);
    }
    println!("proxies against the target\n{shown}");
}
