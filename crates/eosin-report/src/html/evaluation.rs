// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;
use maud::{Markup, html};

use super::figures::{self, cell, points};
use super::{inline, legend, page, remarks, section};
use crate::evaluation_report::{
    CalibrationResult, EvaluationReport, PrecisionAtPrevalence, RecallAtPrecision,
};
use crate::number::{percent_of, score};
use crate::plot::{Chart, Curve, curves};
use crate::{Metric, TrivialCall};

const UNIT: [(f64, f64); 2] = [(0.0, 1.0), (0.0, 1.0)];
const DIAGONAL: [[f64; 2]; 2] = [[0.0, 0.0], [1.0, 1.0]];

/// Draws an evaluation, the verdict first; every text of it is escaped.
pub fn render_evaluation_html(report: &EvaluationReport) -> Result<String> {
    let head = html! {
        h1 { (report.title) }
        p class="meta" {
            "Eosin " (report.eosin_version) " · head " code { (report.head.kind) }
            " · trained on " code { (report.head.training_digest.get(..16).unwrap_or_default()) }
            " · seed " (report.seed)
        }
        div class="verdict" { @for sentence in report.verdict() { p { (inline(&sentence)) } } }
        (remarks(&report.notes, &report.warnings))
    };
    let sections = [
        section("Result", Some(result(report))),
        section("Calls", Some(calls(report))),
        section("Curves", (!report.roc.is_empty()).then(|| drawn(report))),
        section("Calibration", report.calibration.as_ref().map(calibration)),
        section(
            "Prevalence and fixed precision",
            prevalence(&report.precision_at_prevalence, &report.recall_at_precision),
        ),
        section("Centres", centres(report)),
        section("Tiles that were left out", skipped(report)),
        section("The head", Some(about(report))),
    ];
    Ok(page(&report.title, &head, &sections))
}

/// Every metric beside what calls score that look at no tile.
pub(super) fn beside_trivial(metrics: &[Metric], trivial: &[TrivialCall]) -> Markup {
    html! {
        div class="scroll" { table {
            thead { tr { th { "Metric" } th { "Head" } @for call in trivial { th { (call.name) } } } }
            tbody { @for (i, m) in metrics.iter().enumerate() { tr {
                td { (m.name) }
                td { @if i == 0 { strong { (cell(m)) } } @else { (cell(m)) } }
                @for call in trivial { td {
                    @match call.metrics.iter().find(|t| t.name == m.name) {
                        Some(t) => (score(t.estimate)),
                        None => "–",
                    }
                } }
            } } }
        } }
    }
}

fn result(report: &EvaluationReport) -> Markup {
    html! {
        (beside_trivial(&report.metrics, &report.trivial))
        p class="small" {
            (report.n_rows) " " (report.unit) "s of " (report.n_groups) " groups: "
            @for (i, (class, n)) in report.classes.iter().zip(&report.class_counts).enumerate() {
                @if i > 0 { ", " } (n) " " (class)
            }
            ". Brackets are " (percent_of(report.level)) " intervals over groups for a fixed head ("
            (report.replicates) " bootstrap replicates); there are none for fewer than 5 groups."
        }
    }
}

fn calls(report: &EvaluationReport) -> Markup {
    let classes: Vec<&str> = report.classes.iter().map(String::as_str).collect();
    html! {
        p class="small" { "Rows are true classes, columns called ones; shades are shares of the row." }
        div class="grid-of pairs" {
            div { figcaption { "All" } (figures::confusion(&classes, &report.confusion, &report.uncalled)) }
            @for centre in &report.centres {
                div {
                    figcaption { (centre.name) }
                    (figures::confusion(&classes, &centre.confusion, &centre.uncalled))
                }
            }
        }
        @if let Some(a) = &report.abstention { p { (a.sentence(&format!("{}s", report.unit))) } }
    }
}

fn line(name: &str, points: Vec<[f64; 2]>, marks: bool) -> Curve {
    Curve { name: name.into(), points, band: Vec::new(), marks }
}

fn drawn(report: &EvaluationReport) -> Markup {
    let positives = report.class_counts.last().copied().unwrap_or(0);
    let share = positives as f64 / report.n_rows.max(1) as f64;
    let chart = |title, labels, reference, points: &Vec<[f64; 2]>| {
        let chart =
            Chart { title, labels, ranges: UNIT, x_marks: None, reference: Some(reference) };
        curves(&chart, &[line("head", points.clone(), false)])
    };
    html! {
        div class="grid-of" {
            (chart("Precision–recall", ["recall", "precision"], [[0.0, share], [1.0, share]], &report.precision_recall))
            (chart("ROC", ["false-positive rate", "recall"], DIAGONAL, &report.roc))
        }
    }
}

pub(super) fn calibration(found: &CalibrationResult) -> Markup {
    let lines = [
        line("before calibration", points(&found.before), true),
        line("after calibration", points(&found.after), true),
    ];
    let chart = Chart {
        title: "Reliability",
        labels: ["predicted probability", "observed share"],
        ranges: UNIT,
        x_marks: None,
        reference: Some(DIAGONAL),
    };
    html! {
        (legend(&["before calibration", "after calibration"]))
        div class="grid-of" { (curves(&chart, &lines)) }
        (figures::calibration(&[("head".into(), found)]))
    }
}

pub(super) fn prevalence(
    shares: &[PrecisionAtPrevalence],
    fixed: &[RecallAtPrecision],
) -> Option<Markup> {
    (!shares.is_empty() || !fixed.is_empty()).then(|| {
        html! {
            (figures::prevalences(&[("head".into(), shares)]))
            (figures::fixed_precisions(&[("head".into(), fixed)]))
        }
    })
}

fn centres(report: &EvaluationReport) -> Option<Markup> {
    let first = report.centres.first()?;
    Some(html! {
        p { "The same head on the rows of each centre alone." }
        div class="scroll" { table {
            thead { tr {
                th { "Centre" } th class="number" { "Rows" } th class="number" { "Groups" }
                @for m in &first.metrics { th { (m.name) } }
            } }
            tbody { @for centre in &report.centres { tr {
                td { (centre.name) }
                td class="number" { (centre.n_rows) }
                td class="number" { (centre.n_groups) }
                @for m in &centre.metrics { td { (cell(m)) } }
            } } }
        } }
    })
}

fn skipped(report: &EvaluationReport) -> Option<Markup> {
    (!report.skipped.is_empty()).then(|| {
        html! {
            ul { @for s in &report.skipped { li { code { (s.tile) } ": " (s.reason) } } }
        }
    })
}

fn about(report: &EvaluationReport) -> Markup {
    let head = &report.head;
    let [label, group] = &report.columns;
    let number = |value: Option<f64>| value.map_or_else(|| "none".to_string(), |v| v.to_string());
    let mut rows = vec![
        ("kind", head.kind.clone()),
        ("threshold", number(head.threshold)),
        ("penalty", number(head.penalty)),
        ("training", head.training_digest.clone()),
        ("trained by", format!("Eosin {}", head.eosin_version)),
        ("labels", format!("column {label}")),
        ("groups", format!("column {group}")),
    ];
    if let Some(contract) = &head.contract {
        rows.push(("backbone", contract.backbone.clone()));
        rows.push(("contract", contract.fingerprint().to_string()));
    }
    if !report.accepted.is_empty() {
        rows.push(("accepted differences", report.accepted.join(", ")));
    }
    html! { dl { @for (name, value) in &rows { dt { (name) } dd { (value) } } } }
}
