// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::{legend, section};
use crate::number::{interval, score};
use crate::plot::{Curve, curves};
use crate::{Arm, RunReport};

/// Precision–recall, ROC and reliability curves, then confusion matrices.
pub(super) fn performance(report: &RunReport) -> Markup {
    let body = (!report.arms.is_empty()).then(|| html! {
        @if report.arms.iter().any(|arm| !arm.roc.is_empty() || !arm.precision_recall.is_empty()) {
            (legend(&report.arms.iter().map(Arm::label).collect::<Vec<_>>()))
            div class="grid-of" {
                (precision_recall(report))
                (roc(report))
                (reliability(report))
            }
        }
        h3 { "Confusion matrices" }
        p class="small" { "Rows are true classes, columns predicted ones; shades are shares of the row." }
        div class="grid-of" { @for arm in &report.arms { (confusion(report, arm)) } }
    });
    section("Performance on the test side", body)
}

const UNIT: [(f64, f64); 2] = [(0.0, 1.0), (0.0, 1.0)];

fn precision_recall(report: &RunReport) -> Markup {
    let prevalence = report
        .arms
        .first()
        .and_then(|arm| (arm.n_test > 0).then(|| arm.n_test_positives as f64 / arm.n_test as f64));
    let chance = prevalence.map(|p| [[0.0, p], [1.0, p]]);
    chart(report, "Precision–recall", ["recall", "precision"], |arm| &arm.precision_recall, chance)
}

fn roc(report: &RunReport) -> Markup {
    let chance = Some([[0.0, 0.0], [1.0, 1.0]]);
    chart(report, "ROC", ["false-positive rate", "recall"], |arm| &arm.roc, chance)
}

fn chart(
    report: &RunReport,
    title: &str,
    labels: [&str; 2],
    points: impl Fn(&Arm) -> &Vec<[f64; 2]>,
    reference: Option<[[f64; 2]; 2]>,
) -> Markup {
    let lines: Vec<Curve> = report
        .arms
        .iter()
        .map(|arm| Curve {
            name: arm.label(),
            points: points(arm).clone(),
            band: Vec::new(),
            marks: false,
        })
        .collect();
    curves(title, labels, UNIT, &lines, reference)
}

fn reliability(report: &RunReport) -> Markup {
    let lines: Vec<Curve> = report
        .arms
        .iter()
        .map(|arm| Curve {
            name: arm.label(),
            points: arm.reliability.iter().map(|b| [b.predicted, b.observed]).collect(),
            band: Vec::new(),
            marks: true,
        })
        .collect();
    let labels = ["predicted probability", "observed share"];
    curves("Reliability", labels, UNIT, &lines, Some([[0.0, 0.0], [1.0, 1.0]]))
}

fn confusion(report: &RunReport, arm: &Arm) -> Markup {
    let classes = &report.data.classes;
    html! {
        div {
            figcaption { (arm.label()) }
            p class="small" {
                (arm.head) ", penalty " (arm.penalty)
                @if let Some(threshold) = arm.threshold { ", threshold " (score(threshold)) }
            }
            div class="scroll" { table class="confusion" {
                tr { th {} @for class in classes { th { (class.name) } } }
                @for (i, row) in arm.confusion.iter().enumerate() {
                    @let total = row.iter().sum::<u64>().max(1);
                    tr {
                        th { @if let Some(class) = classes.get(i) { (class.name) } }
                        @for (j, n) in row.iter().enumerate() {
                            @let share = *n as f64 / total as f64;
                            td class=(if i == j { "hit" } else { "miss" }) style={ "--share:" (format!("{share:.3}")) } {
                                (n) span class="interval" { (format!("{:.0} %", share * 100.0)) }
                            }
                        }
                    }
                }
            } }
        }
    }
}

/// How the metric grows with the number of positives.
pub(super) fn learning(report: &RunReport) -> Markup {
    let first = report.learning_curves.first();
    let body = first.map(|first| {
        let drawn: Vec<Curve> = report
            .learning_curves
            .iter()
            .map(|curve| Curve {
                name: curve.name.clone(),
                // Each doubling of the positives takes the same room.
                points: curve
                    .points
                    .iter()
                    .map(|p| [(p.n_positives.max(1) as f64).log2(), p.estimate])
                    .collect(),
                band: curve.points.iter().map(|p| [p.lower, p.upper]).collect(),
                marks: true,
            })
            .collect();
        let names: Vec<&str> = report.learning_curves.iter().map(|c| c.name.as_str()).collect();
        let x = drawn.iter().flat_map(|c| c.points.iter().map(|p| p[0]));
        let (low, high) = x.fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
        let labels = ["positives fitted on, powers of two", first.metric.as_str()];
        html! {
            (legend(&names))
            (curves("Learning curves", labels, [(low.min(high), high.max(low.min(high) + 1.0)), (0.0, 1.0)], &drawn, None))
            div class="scroll" { table {
                thead { tr { th { "Arm" } th { (first.metric) } } }
                tbody { @for curve in &report.learning_curves { @for p in &curve.points {
                    tr {
                        td { (curve.name) ", " (p.n_positives) " positives" }
                        td { (score(p.estimate)) " " span class="interval" { (interval(p.lower, p.upper)) } }
                    }
                } } }
            } }
        }
    });
    section("Learning curves", body)
}

/// Metrics per centre.
pub(super) fn centres(report: &RunReport) -> Markup {
    let first = report.centres.first();
    let body = first.map(|first| html! {
        p { "The same heads, scored on the test tiles of each centre alone." }
        div class="scroll" { table {
            thead { tr {
                th { "Centre" } th { "Arm" } th class="number" { "Tiles" } th class="number" { "Positives" }
                @for metric in &first.metrics { th { (metric.name) } }
            } }
            tbody { @for row in &report.centres { tr {
                td { (row.centre) }
                td { (report.arms.get(row.arm).map(Arm::label).unwrap_or_default()) }
                td class="number" { (row.n_test) }
                td class="number" { (row.n_test_positives) }
                @for m in &row.metrics { td { (score(m.estimate)) " " span class="interval" { (interval(m.lower, m.upper)) } } }
            } } }
        } }
    });
    section("Centres", body)
}
