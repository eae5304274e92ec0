// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the run showed, in sentences; never more than its intervals allow.

use crate::number::{interval, percent, score, signed};
use crate::{Gain, RunReport};

/// The verdict, the most important sentence first.
pub fn sentences(report: &RunReport) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.extend(total_gain(report).map(|gain| gain_sentence(report, gain)));
    if sentences.is_empty() {
        sentences
            .push("No pair of arms was compared, so this run shows no gain and no loss.".into());
    }
    sentences.extend(selection_sentence(report));
    let positives = report.arms.first().map_or(0, |arm| arm.n_test_positives);
    if let (Some(positive), 1..=29) = (&report.data.positive, positives) {
        sentences.push(format!(
            "The test side has {positives} tiles of class {positive}; with so few, every interval \
             is wide and its ends are rough."
        ));
    }
    let skipped = report.skipped.len();
    if skipped > 0 {
        let tiles = if skipped == 1 { "tile was" } else { "tiles were" };
        sentences.push(format!("{skipped} {tiles} left out; the reasons stand below."));
    }
    sentences
}

/// The gain from the reference arm to selected backbone and augmentation together.
fn total_gain(report: &RunReport) -> Option<&Gain> {
    let is = |at: usize, selected, augmented| {
        report.arms.get(at).is_some_and(|a| a.selected == selected && a.augmented == augmented)
    };
    report.gains.iter().find(|g| is(g.from, false, false) && is(g.to, true, true))
}

fn gain_sentence(report: &RunReport, gain: &Gain) -> String {
    let m = &gain.absolute;
    let value = |at: usize| {
        let metric = report.arms.get(at).and_then(|arm| arm.metric(&m.name));
        metric.map_or_else(|| "–".into(), |m| score(m.estimate))
    };
    let reading = if !(m.lower.is_finite() && m.upper.is_finite()) {
        "There is no interval, so nothing is shown."
    } else if m.lower > 0.0 {
        "The paired interval lies above 0: a gain on these test groups."
    } else if m.upper < 0.0 {
        "The paired interval lies below 0: a loss on these test groups."
    } else {
        "The paired interval contains 0: neither a gain nor a loss is shown."
    };
    let (with, without) = if report.selected_backbone == report.default_backbone {
        ("augmentation", "none")
    } else {
        ("the selected backbone and augmentation", "the default backbone and none")
    };
    format!(
        "{} is {} with {with}, against {} with {without}: {} {} ({}). {reading}",
        m.name,
        value(gain.to),
        value(gain.from),
        signed(m.estimate),
        interval(m.lower, m.upper),
        percent(gain.relative),
    )
}

fn selection_sentence(report: &RunReport) -> Option<String> {
    let ranking = report.rankings.first()?;
    let (selected, default) = (&report.selected_backbone, &report.default_backbone);
    let mut text = if selected == default {
        format!("Selection by {} kept the default backbone, {default}.", ranking.proxy)
    } else {
        format!("Selection by {} took {selected} over the default, {default}.", ranking.proxy)
    };
    if !ranking.verdict.is_empty() {
        text = format!("{text} {}", ranking.verdict);
    }
    let control_first = ranking.rows.first().is_some_and(|row| row.is_control);
    if control_first && !ranking.verdict.contains("control") {
        text.push_str(
            " A control came first, so this proxy does not need what a trained backbone knows.",
        );
    }
    Some(text)
}
