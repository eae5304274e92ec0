// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::figures::{self, cell, points};
use super::{legend, section};
use crate::number::{interval, score};
use crate::plot::{Chart, Curve, curves};
use crate::{Arm, LearningCurve, RunReport};

/// Precision–recall, ROC and reliability curves, then confusion matrices.
pub(super) fn performance(report: &RunReport) -> Markup {
    let body = (!report.arms.is_empty()).then(|| html! {
        @if report.arms.iter().any(|arm| !arm.roc.is_empty() || !arm.precision_recall.is_empty()) {
            (legend(&report.distinct_arms().into_iter().map(Arm::label).collect::<Vec<_>>()))
            div class="grid-of" {
                (precision_recall(report))
                (roc(report))
                (reliability(report))
            }
        }
        h3 { "Confusion matrices" }
        p class="small" { "Rows are true classes, columns predicted ones; shades are shares of the row." }
        div class="grid-of pairs" { @for arm in report.distinct_arms() { (confusion(report, arm)) } }
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
        .distinct_arms()
        .into_iter()
        .map(|arm| Curve {
            name: arm.label(),
            points: points(arm).clone(),
            band: Vec::new(),
            marks: false,
        })
        .collect();
    curves(&Chart { title, labels, ranges: UNIT, x_marks: None, reference }, &lines)
}

fn reliability(report: &RunReport) -> Markup {
    let lines: Vec<Curve> = report
        .distinct_arms()
        .into_iter()
        .map(|arm| Curve {
            name: arm.label(),
            points: points(&arm.reliability),
            band: Vec::new(),
            marks: true,
        })
        .collect();
    let chart = Chart {
        title: "Reliability",
        labels: ["predicted probability", "observed share"],
        ranges: UNIT,
        x_marks: None,
        reference: Some([[0.0, 0.0], [1.0, 1.0]]),
    };
    curves(&chart, &lines)
}

fn confusion(report: &RunReport, arm: &Arm) -> Markup {
    let classes: Vec<&str> = report.data.classes.iter().map(|class| class.name.as_str()).collect();
    html! {
        div {
            figcaption { (arm.label()) }
            p class="small" {
                (arm.head) ", penalty " (arm.penalty)
                @if let Some(threshold) = arm.threshold { ", threshold " (score(threshold)) }
            }
            (figures::confusion(&classes, &arm.confusion, &arm.uncalled))
        }
    }
}

/// How the probabilities of the heads hold.
pub(super) fn calibration(report: &RunReport) -> Markup {
    let heads: Vec<_> = report
        .distinct_arms()
        .into_iter()
        .filter_map(|arm| Some((arm.label(), arm.calibration.as_ref()?)))
        .collect();
    section("Calibration", (!heads.is_empty()).then(|| figures::calibration(&heads)))
}

/// What the calls are worth at other prevalences, and recall at fixed precision.
pub(super) fn prevalence(report: &RunReport) -> Markup {
    let arms = report.distinct_arms();
    let known = arms.iter().any(|arm| !arm.precision_at_prevalence.is_empty());
    let shares: Vec<_> =
        arms.iter().map(|arm| (arm.label(), &arm.precision_at_prevalence[..])).collect();
    let fixed: Vec<_> =
        arms.iter().map(|arm| (arm.label(), &arm.recall_at_precision[..])).collect();
    section(
        "Prevalence and fixed precision",
        known
            .then(|| html! { (figures::prevalences(&shares)) (figures::fixed_precisions(&fixed)) }),
    )
}

/// How the metric grows with the number of positives.
pub(super) fn learning(curves_of: &[LearningCurve]) -> Markup {
    let first = curves_of.first();
    let body = first.map(|first| {
        let drawn: Vec<Curve> = curves_of.iter().map(learning_curve).collect();
        let names: Vec<&str> = curves_of.iter().map(|c| c.name.as_str()).collect();
        let sizes = curves_of.iter().flat_map(|c| c.points.iter());
        let sizes: BTreeSet<u64> = sizes.map(|p| p.n_positives).collect();
        let marks: Vec<(f64, String)> =
            sizes.iter().map(|&n| (doublings(n), n.to_string())).collect();
        let ends = (marks.first().map_or(0.0, |m| m.0), marks.last().map_or(0.0, |m| m.0));
        let chart = Chart {
            title: "Growth with the number of positives",
            labels: ["positives fitted on", first.metric.as_str()],
            ranges: [(ends.0, ends.1.max(ends.0 + 1.0)), (0.0, 1.0)],
            x_marks: Some(marks),
            reference: None,
        };
        html! {
            (legend(&names))
            (curves(&chart, &drawn))
            div class="scroll" { table {
                thead { tr { th { "Arm" } @for n in &sizes { th { (n) " positives" } } } }
                tbody { @for curve in curves_of { tr {
                    td { (curve.name) }
                    @for n in &sizes { td {
                        @if let Some(p) = curve.points.iter().find(|p| p.n_positives == *n) {
                            (score(p.estimate)) br; span class="interval" { (interval(p.lower, p.upper)) }
                        } @else { "–" }
                    } }
                } } }
            } }
        }
    });
    section("Learning curves", body)
}

fn learning_curve(curve: &LearningCurve) -> Curve {
    Curve {
        name: curve.name.clone(),
        points: curve.points.iter().map(|p| [doublings(p.n_positives), p.estimate]).collect(),
        band: curve.points.iter().map(|p| [p.lower, p.upper]).collect(),
        marks: true,
    }
}

/// Each doubling of the positives takes the same room.
fn doublings(n_positives: u64) -> f64 {
    (n_positives.max(1) as f64).log2()
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
                @for m in &row.metrics { td { (cell(m)) } }
            } } }
        } }
    });
    section("Centres", body)
}
