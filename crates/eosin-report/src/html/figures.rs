// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands beside the metrics of heads, the same on every page.

use maud::{Markup, html};

use crate::number::{interval, percent_of, score};
use crate::{CalibrationResult, Metric, PrecisionAtPrevalence, RecallAtPrecision, ReliabilityBin};

/// A head's estimate with its interval.
pub(super) fn cell(m: &Metric) -> Markup {
    html! { (score(m.estimate)) " " span class="interval" { (interval(m.lower, m.upper)) } }
}

/// Rows by true and called class, with a column of those left uncalled where there may be such.
pub(super) fn confusion(classes: &[&str], counts: &[Vec<u64>], uncalled: &[u64]) -> Markup {
    html! {
        div class="scroll" { table class="confusion" {
            tr {
                th {}
                @for class in classes { th { (class) } }
                @if !uncalled.is_empty() { th { em { "uncalled" } } }
            }
            @for (i, row) in counts.iter().enumerate() {
                @let missed = uncalled.get(i);
                @let total = (row.iter().sum::<u64>() + missed.unwrap_or(&0)).max(1);
                tr {
                    th { @if let Some(class) = classes.get(i) { (class) } }
                    @for (j, n) in row.iter().chain(missed).enumerate() {
                        @let share = *n as f64 / total as f64;
                        // Steps of a twentieth, since the page's policy allows no style of a cell.
                        td class={ (if i == j { "hit" } else { "miss" }) " s" ((share * 20.0).round()) } {
                            (n) span class="interval" { (percent_of(share)) }
                        }
                    }
                }
            }
        } }
    }
}

/// Predicted against observed probability, as points of a curve.
pub(super) fn points(bins: &[ReliabilityBin]) -> Vec<[f64; 2]> {
    bins.iter().map(|bin| [bin.predicted, bin.observed]).collect()
}

/// How the probabilities of heads hold; one head needs no name.
pub(super) fn calibration(heads: &[(String, &CalibrationResult)]) -> Markup {
    let named = heads.len() > 1;
    html! {
        div class="scroll" { table {
            thead {
                tr {
                    @if named { th rowspan="2" { "Head" } }
                    th rowspan="2" { "Calibration" }
                    th colspan="4" { "Expected calibration error" }
                    th colspan="2" { "Brier score" }
                    th colspan="2" { "Log loss" }
                }
                tr {
                    th class="number" { "before" } th class="number" { "after" }
                    th class="number" { "of a perfect head" } th class="number" { "95 % of such below" }
                    th class="number" { "before" } th class="number" { "after" }
                    th class="number" { "before" } th class="number" { "after" }
                }
            }
            tbody { @for (name, c) in heads { tr {
                @if named { td { (name) } }
                td { (c.method) }
                @for value in [
                    c.ece_before, c.ece_after, c.ece_perfect, c.ece_perfect_upper, c.brier_before,
                    c.brier_after, c.log_loss_before, c.log_loss_after,
                ] { td class="number" { (score(value)) } }
            } } }
        } }
        p class="small" {
            "Before and after the head's calibration. A perfect head of the same probabilities shows an "
            "error too on so many rows: what is below it is no more than chance explains."
        }
    }
}

/// What the calls of heads are worth at other prevalences.
pub(super) fn prevalences(heads: &[(String, &[PrecisionAtPrevalence])]) -> Markup {
    let named = heads.len() > 1;
    html! {
        p class="small" {
            "Where positives have another share and look the same, recall and false-positive rate stay "
            "and precision changes. The threshold is on the head's own probabilities: calls from there on "
            "are those that its threshold makes after recalibration to that share."
        }
        div class="scroll" { table {
            thead { tr {
                @if named { th { "Head" } }
                th class="number" { "Prevalence" } th { "Precision" }
                th class="number" { "Negative predictive value" } th class="number" { "F1" }
                th class="number" { "Threshold for it" }
            } }
            tbody { @for (name, found) in heads { @for (i, at) in found.iter().enumerate() { tr {
                @if named && i == 0 { td rowspan=(found.len()) { (name) } }
                td class="number" { (percent(at.prevalence)) @if at.stated { " (stated)" } }
                td { (cell(&at.interval)) }
                td class="number" { (score(at.negative_predictive_value)) }
                td class="number" { (score(at.f1)) }
                td class="number" { (at.threshold.map_or_else(|| "–".into(), score)) }
            } } } }
        } }
    }
}

/// How many positives heads find where calls must be so precise.
pub(super) fn fixed_precisions(heads: &[(String, &[RecallAtPrecision])]) -> Markup {
    let named = heads.len() > 1;
    html! {
        div class="scroll" { table {
            thead { tr {
                @if named { th { "Head" } }
                th class="number" { "Precision of at least" } th { "Recall" }
                th class="number" { "Threshold on these rows" }
            } }
            tbody { @for (name, found) in heads { @for (i, at) in found.iter().enumerate() { tr {
                @if named && i == 0 { td rowspan=(found.len()) { (name) } }
                td class="number" { (percent_of(at.precision)) }
                td { (cell(&at.interval)) }
                td class="number" { (at.threshold.map_or_else(|| "none is so precise".into(), score)) }
            } } } }
        } }
    }
}

/// A prevalence may be small.
fn percent(share: f64) -> String {
    if share < 0.01 { format!("{:.2} %", share * 100.0) } else { format!("{:.1} %", share * 100.0) }
}
