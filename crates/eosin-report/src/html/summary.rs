// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::section;
use crate::number::{interval, percent, score, signed};
use crate::plot::{IntervalRow, intervals};
use crate::{Arm, Gain, RunReport};

/// The 2×2 with every metric, then the differences.
pub(super) fn result(report: &RunReport) -> Markup {
    let first = report.arms.first();
    section(
        "Result",
        first.map(|first| {
            html! {
                (square(report, first))
                @if !report.gains.is_empty() { (gains(report)) }
            }
        }),
    )
}

/// Metrics that stand in the table at once; the others are folded away below it.
const SHOWN: usize = 4;

fn square(report: &RunReport, first: &Arm) -> Markup {
    let names: Vec<&str> = first.metrics.iter().map(|m| m.name.as_str()).collect();
    let (shown, folded) = names.split_at(names.len().min(SHOWN));
    let label = report.arms.iter().find(|arm| arm.augmented).map(|arm| &arm.augmentation);
    html! {
        (table(report, shown))
        @if !folded.is_empty() { details { summary { "Other metrics" } (table(report, folded)) } }
        p class="small" {
            "Each head was fitted on " (first.n_train) " tiles and scored once on " (first.n_test) " test tiles"
            @if let Some(positive) = &report.data.positive {
                " (" (first.n_train_positives) " and " (first.n_test_positives) " of class " (positive) ")"
            }
            ". Brackets are " (percent_level(report.level)) " bootstrap intervals over groups (" (report.replicates) " replicates)."
        }
        @if let Some(opened) = report.opened { p { "Test part: " (opened.sentence()) } }
        @if let Some(text) = report.coverage() { p { (text) } }
        @if let Some(label) = label { p class="small" { "Augmentation: " code { (label) } } }
    }
}

fn table(report: &RunReport, names: &[&str]) -> Markup {
    let same = report.selected_backbone == report.default_backbone;
    let roles = [
        (false, if same { "Default and selected" } else { "Default" }, &report.default_backbone),
        (true, "Selected", &report.selected_backbone),
    ];
    html! {
        div class="scroll" { table class="square" {
            thead { tr { th {} th {} th { "Augmentation off" } th { "Augmentation on" } } }
            tbody {
                @for (selected, role, backbone) in roles.into_iter().filter(|(selected, ..)| !(same && *selected)) {
                    @for (i, name) in names.iter().enumerate() {
                        tr class=[(i + 1 < names.len()).then_some("first")] {
                            @if i == 0 { th rowspan=(names.len()) { (role) br; code { (backbone) } } }
                            td { (name) }
                            @for augmented in [false, true] {
                                td {
                                    @if let Some(m) = report.arm(selected, augmented).and_then(|a| a.metric(name)) {
                                        @if i == 0 { strong { (score(m.estimate)) } } @else { (score(m.estimate)) }
                                        " " span class="interval" { (interval(m.lower, m.upper)) }
                                    } @else { "–" }
                                }
                            }
                        }
                    }
                }
                @for call in &report.trivial {
                    @let known: Vec<(&str, f64)> = names.iter().filter_map(|name| Some((*name, call.metric(name)?))).collect();
                    @for (i, (name, level)) in known.iter().enumerate() {
                        tr class="trivial" {
                            @if i == 0 { th rowspan=(known.len()) { em { (call.name) } } }
                            td { (name) }
                            td colspan="2" { (score(*level)) }
                        }
                    }
                }
            }
        } }
        @let at_level: Vec<String> = report.distinct_arms().into_iter().filter(|arm| report.is_trivial(arm)).map(Arm::label).collect();
        @if let (Some((call, level)), false) = (report.trivial_level(), at_level.is_empty()) {
            p class="small" {
                "By " (report.metric) " not told from " (call.name) " (" (score(level)) "), which looks at no tile: " (at_level.join("; ")) "."
            }
        }
    }
}

fn gains(report: &RunReport) -> Markup {
    html! {
        h3 { "Gains" }
        @let rows: Vec<IntervalRow> = report.gains.iter().map(row).collect();
        (intervals("Differences between arms", "difference, paired interval", &rows, Some(0.0)))
        div class="scroll" {
            table {
                thead { tr { th { "Change" } th { "Metric" } th { "From → to" } th { "Absolute" } th { "Relative" } } }
                tbody {
                    @for gain in &report.gains {
                        tr {
                            td { (gain.change) }
                            td { (gain.absolute.name) }
                            td { (label(report, gain.from)) " → " (label(report, gain.to)) }
                            td class=(reading(report, gain)) { (signed(gain.absolute.estimate)) " " span class="interval" { (interval(gain.absolute.lower, gain.absolute.upper)) } }
                            td { (percent(gain.relative)) }
                        }
                    }
                }
            }
        }
    }
}

fn row(gain: &Gain) -> IntervalRow {
    let m = &gain.absolute;
    IntervalRow {
        name: gain.change.clone(),
        estimate: m.estimate,
        lower: m.lower,
        upper: m.upper,
        class: "",
        with_best: false,
        remark: format!("{} {} ({})", m.name, signed(m.estimate), percent(gain.relative)),
    }
}

/// Coloured only where the difference was told from none, and no gain at a trivial level.
fn reading(report: &RunReport, gain: &Gain) -> &'static str {
    match gain.word.as_str() {
        "better" if !report.is_trivial_gain(gain) => "good",
        "worse" => "bad",
        _ => "",
    }
}

fn label(report: &RunReport, arm: usize) -> String {
    report.arms.get(arm).map(Arm::label).unwrap_or_default()
}

fn percent_level(level: f64) -> String {
    format!("{:.0} %", level * 100.0)
}
