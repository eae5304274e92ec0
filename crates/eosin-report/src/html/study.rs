// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Result;
use maud::{Markup, html};

use super::{curves, evaluation, inline, page, remarks, section, verdict};
use crate::number::{interval, percent, score, signed};
use crate::plot::{IntervalRow, intervals};
use crate::study_report::{StudyArm, StudyGain, StudyReport, StudyTest};
use crate::{Metric, study_text};

/// Draws a study, the verdict first; every text of it is escaped.
pub fn render_study_html(report: &StudyReport) -> Result<String> {
    let head = html! {
        h1 { (report.title) }
        p class="meta" {
            "Eosin " (report.eosin_version) " · study " code { (report.digest) } " · seed " (report.seed)
        }
        (verdict::verdict(&study_text::verdict(report)))
        (remarks(&report.notes, &report.warnings))
        @if let Some(opened) = report.opened { p class="small" { "Test part: " (opened.sentence()) } }
    };
    let sections = [
        square(report),
        ablation(report),
        section(
            "The chosen arm on the test part",
            report.tested.as_ref().map(|t| tested(report, t)),
        ),
        curves::learning(&report.curves),
        controls(report),
        section(
            "Methods",
            Some(html! {
                @for paragraph in study_text::methods(report) { p { (inline(&paragraph)) } }
            }),
        ),
    ];
    Ok(page(&report.title, &head, &sections))
}

/// {default, selected} × {off, on}, by cross-validation and on the test part.
fn square(report: &StudyReport) -> Markup {
    let tables = [
        ("By cross-validation on the training part", &report.square, false),
        ("On the test part, once", &report.test_square, true),
    ];
    let body = html! {
        @for (title, gains, tested) in tables {
            @if !gains.is_empty() || !tested {
                h3 { (title) }
                div class="scroll" { table {
                    thead { tr { th { "Backbone" } th { "Augmentation off" } th { "Augmentation on" } } }
                    tbody { @for backbone in &report.backbones { tr {
                        td { code { (backbone) } }
                        @for arm in [&report.reference, &report.on] {
                            td { (cell(report.arm(backbone, arm).and_then(|a| main_metric(report, a, tested)))) }
                        }
                    } } }
                } }
                @if !gains.is_empty() { (gain_table(report, gains)) }
            }
        }
        p class="small" {
            "Off is the arm " code { (report.reference) } ", on is " code { (report.on) } ". "
            "Brackets and p are of the corrected resampled t-test over folds, corrected by Holm's method within a table ("
            (format!("{:.0} %", report.level * 100.0)) " over the whole of it); on the test part, of the bootstrap over groups ("
            (report.replicates) " replicates), paired for differences."
        }
    };
    section(&format!("Backbone and augmentation: {}", report.metric), Some(body))
}

fn gain_table(report: &StudyReport, gains: &[StudyGain]) -> Markup {
    let rows: Vec<IntervalRow> = gains.iter().map(|g| gain_row(&g.change, g)).collect();
    html! {
        (intervals(&format!("Differences in {}", report.metric), "difference, paired interval", &rows, Some(0.0)))
        div class="scroll" { table {
            thead { tr { th { "Change" } th { "Absolute" } th { "Relative" } th { "p" } th { "p, Holm" } } }
            tbody { @for gain in gains { tr {
                td { (gain.change) }
                td class=(reading(gain)) { (cell(Some(&gain.absolute))) }
                td { (percent(gain.relative)) }
                td { (score(gain.p)) }
                td { (score(gain.p_holm)) }
            } } }
        } }
    }
}

/// Every arm of every backbone.
fn ablation(report: &StudyReport) -> Markup {
    let body = html! {
        @for backbone in &report.backbones {
            @let arms: Vec<&StudyArm> = report.arms.iter().filter(|a| a.backbone == *backbone).collect();
            h3 { code { (backbone) } }
            @let rows: Vec<IntervalRow> = arms.iter().filter_map(|a| Some(gain_row(&a.arm, a.gain.as_ref()?))).collect();
            @if !rows.is_empty() {
                (intervals("Gain over the reference arm", "difference, paired interval", &rows, Some(0.0)))
            }
            (arm_table(report, &arms))
        }
        details { summary { "What the arms do" } ul {
            @for arm in report.arms.iter().filter(|a| report.backbones.first() == Some(&a.backbone)) {
                li { strong { (arm.arm) } ": " (inline(&arm.description)) " (" (arm.n_settings) " settings searched)" }
            }
        } }
    };
    section("Ablation", (!report.arms.is_empty()).then_some(body))
}

fn arm_table(report: &StudyReport, arms: &[&StudyArm]) -> Markup {
    let names: Vec<&str> = arms
        .iter()
        .map(|a| &a.metrics)
        .find(|m| !m.is_empty())
        .map(|m| m.iter().map(|m| m.name.as_str()).collect())
        .unwrap_or_default();
    let tested = arms.iter().any(|a| !a.test.is_empty());
    html! {
        div class="scroll" { table {
            thead { tr {
                th { "Arm" }
                @for name in &names { th { (name) } }
                th { "Gain" } th { "Relative" } th { "p, Holm" }
                @if tested { th { (report.metric) ", test" } th { "Gain, test" } }
                th { "Taken by the inner folds" }
            } }
            tbody {
            @for call in &report.trivial { tr class="trivial" {
                td { em { (call.name) } }
                @for metric in &call.metrics { td { (score(metric.estimate)) } }
            } }
            @for arm in arms { tr {
                td { (arm.arm) @if arm.arm == report.reference { " (reference)" } }
                @if let Some(reason) = &arm.failure {
                    td colspan=(names.len() + 3) { "no result: " (reason) }
                } @else {
                    @for metric in &arm.metrics { td { (cell(Some(metric))) } }
                    @if let Some(gain) = &arm.gain {
                        td class=(reading(gain)) { (cell(Some(&gain.absolute))) }
                        td { (percent(gain.relative)) }
                        td { (score(gain.p_holm)) }
                    } @else { td { "–" } td { "–" } td { "–" } }
                }
                @if tested {
                    td { (cell(report.main(&arm.test))) }
                    td class=(arm.test_gain.as_ref().map(reading).unwrap_or_default()) {
                        (cell(arm.test_gain.as_ref().map(|g| &g.absolute)))
                    }
                }
                td class="small" { (arm.chosen.join(", ")) }
            } } }
        } }
    }
}

/// One arm as an evaluation shows a head.
fn tested(report: &StudyReport, test: &StudyTest) -> Markup {
    html! {
        p {
            strong { (test.arm) } " on " code { (test.backbone) }
            @if let Some(taken) = &test.taken { ", which took " strong { (taken) } }
            ", fitted once on the whole training part."
        }
        (evaluation::beside_trivial(report.tested_metrics(), &test.trivial))
        @if let Some(found) = &test.calibration { h3 { "Calibration" } (evaluation::calibration(found)) }
        @if let Some(shown) = evaluation::prevalence(&test.precision_at_prevalence, &test.recall_at_precision) {
            h3 { "Prevalence and fixed precision" } (shown)
        }
    }
}

fn controls(report: &StudyReport) -> Markup {
    let first = report.controls.first();
    let body = html! {
        p {
            @if let Some(sentence) = study_text::control(report) { (inline(&sentence)) }
        }
        @if let Some(first) = first { p class="small" {
            "Labels of the training rows changed places " (first.permuted) ", " (first.draws)
            " times. Each time the arms were tuned and fitted anew and scored on one outer fold"
            @if first.permuted == "within groups" { ", by pairs of rows of one group alone" }
            ". 0.5 is what labels without meaning give; p is of the t-test over permutations, corrected by Holm's method."
        } }
        div class="scroll" { table {
            thead { tr { th { "Backbone" } th { "Arm" } th { "AUROC" } th { "p of 0.5" } th { "Gain" } th { "p of no gain" } th { "Scored" } } }
            tbody { @for control in &report.controls { tr {
                td { code { (control.backbone) } }
                td { (control.arm) @if control.arm == report.reference { " (reference)" } }
                td class=(if control.beats_chance() { "bad" } else { "" }) { (cell(Some(&control.score))) }
                td { (score(control.chance_p)) }
                td class=(if control.gains() { "bad" } else { "" }) { (cell(control.gain.as_ref())) }
                td { (score(control.gain_p)) }
                td { (control.scored) " of " (control.draws) }
            } } }
        } }
    };
    section("Control: labels that mean nothing", first.is_some().then_some(body))
}

fn main_metric<'a>(report: &StudyReport, arm: &'a StudyArm, tested: bool) -> Option<&'a Metric> {
    report.main(if tested { &arm.test } else { &arm.metrics })
}

fn gain_row(name: &str, gain: &StudyGain) -> IntervalRow {
    let m = &gain.absolute;
    IntervalRow {
        name: name.to_string(),
        estimate: m.estimate,
        lower: m.lower,
        upper: m.upper,
        class: "",
        with_best: false,
        remark: format!("{} {} ({})", m.name, signed(m.estimate), percent(gain.relative)),
    }
}

fn cell(metric: Option<&Metric>) -> Markup {
    html! {
        @if let Some(m) = metric {
            (score(m.estimate)) " " span class="interval" { (interval(m.lower, m.upper)) }
        } @else { "–" }
    }
}

/// Coloured only where the difference was told from none.
fn reading(gain: &StudyGain) -> &'static str {
    if gain.is_better() {
        "good"
    } else if gain.is_worse() {
        "bad"
    } else {
        ""
    }
}
