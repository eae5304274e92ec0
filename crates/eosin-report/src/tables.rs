// SPDX-License-Identifier: MIT OR Apache-2.0

//! Plain text for the terminal.

use std::fmt::Write;

use crate::number::{interval, percent, score, signed};
use crate::{
    CalibrationResult, EvaluationReport, Metric, PrecisionAtPrevalence, RecallAtPrecision,
    RunReport,
};

/// The 2×2 of {default, selected} × {augmentation off, on}, a block per metric.
pub fn two_by_two(report: &RunReport) -> String {
    let names = report.arms.first().map(|arm| arm.metrics.iter().map(|m| m.name.as_str()));
    let mut rows = Vec::new();
    for name in names.into_iter().flatten() {
        rows.push(vec![name.to_string(), "augmentation off".into(), "augmentation on".into()]);
        let backbones =
            [("default", &report.default_backbone), ("selected", &report.selected_backbone)];
        for (selected, (role, backbone)) in [false, true].into_iter().zip(backbones) {
            let cell = |augmented| {
                let arm = report.arm(selected, augmented);
                arm.and_then(|a| a.metric(name)).map_or_else(|| "-".into(), metric)
            };
            rows.push(vec![format!("  {role} {backbone}"), cell(false), cell(true)]);
        }
        for call in &report.trivial {
            if let Some(level) = call.metric(name) {
                rows.push(vec![format!("  ({})", call.name), score(level)]);
            }
        }
    }
    columns(&rows)
}

/// Absolute and relative differences between arms.
pub fn gains(report: &RunReport) -> String {
    let mut rows = vec![vec![
        "gain".to_string(),
        "metric".into(),
        "absolute, paired interval".into(),
        "relative".into(),
        String::new(),
    ]];
    for gain in &report.gains {
        let m = &gain.absolute;
        rows.push(vec![
            gain.change.clone(),
            m.name.clone(),
            format!("{} {}", signed(m.estimate), interval(m.lower, m.upper)),
            percent(gain.relative),
            match gain.word.as_str() {
                _ if report.is_trivial_gain(gain) => "at the level of a trivial call".into(),
                "not tested" => format!("too few groups to tell ({})", gain.n_groups),
                word => word.to_string(),
            },
        ]);
    }
    columns(&rows)
}

/// Every ranking with its verdict.
pub fn rankings(report: &RunReport) -> String {
    let mut text = String::new();
    for ranking in &report.rankings {
        let mut rows = vec![vec![
            format!("{}, {}", ranking.proxy, ranking.probe),
            ranking.metric.clone(),
            "P(best)".into(),
            String::new(),
        ]];
        for row in &ranking.rows {
            rows.push(vec![
                format!("  {}", row.backbone),
                format!("{} {}", score(row.mean), interval(row.lower, row.upper)),
                score(row.p_best),
                row.remark(),
            ]);
        }
        text += &columns(&rows);
        text.push_str("  ");
        text.push_str(&ranking.verdict);
        text.push('\n');
    }
    text
}

fn metric(m: &Metric) -> String {
    format!("{} {}", score(m.estimate), interval(m.lower, m.upper)).trim_end().to_string()
}

/// An evaluation: every metric beside trivial calls, then centres and prevalences.
pub fn evaluation(report: &EvaluationReport) -> String {
    let names = report.trivial.iter().map(|call| call.name.clone());
    let mut rows: Vec<Vec<String>> =
        vec![["metric".to_string(), "head".into()].into_iter().chain(names).collect()];
    for m in &report.metrics {
        let trivial = report.trivial.iter().map(|call| {
            let found = call.metrics.iter().find(|t| t.name == m.name);
            found.map_or_else(|| "-".into(), |t| score(t.estimate))
        });
        rows.push([m.name.clone(), metric(m)].into_iter().chain(trivial).collect());
    }
    let mut text = columns(&rows);
    text += &figures(
        report.calibration.as_ref(),
        &report.precision_at_prevalence,
        &report.recall_at_precision,
    );
    let Some(first) = report.metrics.first() else { return text };
    for centre in &report.centres {
        let of = centre.metrics.first().map_or_else(String::new, metric);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {} {of} on {} rows", centre.name, first.name, centre.n_rows);
    }
    text
}

/// What stands beside the metrics of a head, a line each.
pub fn figures(
    calibration: Option<&CalibrationResult>,
    prevalences: &[PrecisionAtPrevalence],
    precisions: &[RecallAtPrecision],
) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(c) = calibration {
        let change = |before: f64, after: f64| {
            format!("{} before calibration, {} after", score(before), score(after))
        };
        let ece = change(c.ece_before, c.ece_after);
        let (perfect, upper) = (score(c.ece_perfect), score(c.ece_perfect_upper));
        let _ =
            writeln!(text, "ECE: {ece}; a perfect head {perfect}, in 95 % of draws below {upper}");
        let _ = writeln!(text, "Brier score: {}", change(c.brier_before, c.brier_after));
        let _ = writeln!(text, "log loss: {}", change(c.log_loss_before, c.log_loss_after));
    }
    for at in prevalences {
        let threshold =
            at.threshold.map_or_else(String::new, |t| format!(", threshold {}", score(t)));
        let share = at.prevalence * 100.0;
        let precision = metric(&at.interval);
        let _ = writeln!(text, "precision at a prevalence of {share} %: {precision}{threshold}");
    }
    for at in precisions {
        let recall = metric(&at.interval);
        let _ = writeln!(text, "recall at a precision of {}: {recall}", at.precision);
    }
    text
}

/// Left-aligned columns two spaces apart, without trailing spaces.
pub fn columns(rows: &[Vec<String>]) -> String {
    let n = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
