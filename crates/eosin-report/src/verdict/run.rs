// SPDX-License-Identifier: MIT OR Apache-2.0

use super::Verdict;
use crate::number::{interval, percent, score, signed};
use crate::{Gain, RunReport};

/// Groups below which there is no interval, and nothing can be told.
const FEWEST_GROUPS: u64 = 5;

/// What a run found.
pub fn run_verdict(report: &RunReport) -> Verdict {
    let total = total_gain(report);
    let sentence = match (total, trivial(report)) {
        (_, Some(trivial)) => trivial,
        (Some(gain), None) => answer(report, gain),
        (None, None) => {
            "No pair of arms was compared, so this run shows no gain and no loss.".into()
        }
    };
    let mut beside: Vec<String> = total.map(|gain| said(report, gain)).into_iter().collect();
    beside.extend(report.coverage());
    beside.extend(selection(report));
    beside.extend(few_positives(report));
    beside.extend(skipped(report));
    let details = report.gains.iter().filter(|gain| Some(*gain) != total);
    let mut details: Vec<String> = details.map(|gain| said(report, gain)).collect();
    let ranking = report.rankings.first().filter(|ranking| !ranking.verdict.is_empty());
    details.extend(ranking.map(|ranking| ranking.verdict.clone()));
    Verdict::new(sentence, beside, details)
}

/// The gain from the reference arm to selected backbone and augmentation together.
fn total_gain(report: &RunReport) -> Option<&Gain> {
    let is = |at: usize, selected, augmented| {
        report.arms.get(at).is_some_and(|a| a.selected == selected && a.augmented == augmented)
    };
    report.gains.iter().find(|g| is(g.from, false, false) && is(g.to, true, true))
}

/// That heads are no better than calls that look at no tile, where all of the 2×2 are so.
fn trivial(report: &RunReport) -> Option<String> {
    let (call, level) = report.trivial_level()?;
    let best = report
        .arms
        .iter()
        .filter_map(|arm| report.main(&arm.metrics))
        .filter(|m| m.estimate.is_finite())
        .max_by(|a, b| a.estimate.total_cmp(&b.estimate))?;
    report.arms.iter().all(|arm| report.is_trivial(arm)).then(|| {
        format!(
            "No head is told from a call that looks at no tile: {} is {} at best, and {} with {}; \
             no gain is claimed below that.",
            report.metric,
            score(best.estimate),
            score(level),
            call.name
        )
    })
}

/// The answer to whether choosing and augmenting helped.
fn answer(report: &RunReport, gain: &Gain) -> String {
    let m = &gain.absolute;
    let value = |at: usize| {
        let metric = report.arms.get(at).and_then(|arm| arm.metric(&m.name));
        metric.map_or_else(|| "–".into(), |m| score(m.estimate))
    };
    let what = if report.selected_backbone == report.default_backbone {
        "augmentation"
    } else {
        "choosing the backbone and augmenting"
    };
    let values =
        format!("{} is {} with it and {} without", m.name, value(gain.to), value(gain.from));
    let n = gain.n_groups;
    match gain.word.as_str() {
        _ if report.is_trivial_gain(gain) => format!(
            "No gain is claimed for {what}: {values}, at the level of a call that looks at no tile."
        ),
        "better" => format!("On the test part {what} helped: {values}."),
        "worse" => format!("On the test part {what} did harm: {values}."),
        "not tested" if n < FEWEST_GROUPS => format!(
            "Too few groups to tell whether {what} helped ({n} in the test part, and at least \
             {FEWEST_GROUPS} are needed): {values}."
        ),
        "not tested" => format!("Whether {what} helped cannot be told: {values}."),
        _ => format!(
            "It cannot be told whether {what} helped: {values}, a difference within chance."
        ),
    }
}

/// A change with its numbers and what they allow.
fn said(report: &RunReport, gain: &Gain) -> String {
    let m = &gain.absolute;
    let sure = match gain.word.as_str() {
        _ if report.is_trivial_gain(gain) => {
            "at the level of a trivial call, so no gain is claimed"
        }
        "better" => "a gain on these test groups",
        "worse" => "a loss on these test groups",
        "not tested" => "too few groups to tell",
        _ => "not told apart from none",
    };
    let mut change = gain.change.clone();
    if let Some(first) = change.get(..1).map(str::to_uppercase) {
        change.replace_range(..1, &first);
    }
    let numbers: Vec<String> = [signed(m.estimate), interval(m.lower, m.upper)]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    format!("{change}: {} {} ({}), {sure}.", m.name, numbers.join(" "), percent(gain.relative))
}

fn selection(report: &RunReport) -> Option<String> {
    let ranking = report.rankings.first()?;
    let (selected, default) = (&report.selected_backbone, &report.default_backbone);
    let mut text = if selected == default {
        format!("Selection by {} kept the default backbone, `{default}`.", ranking.proxy)
    } else {
        format!("Selection by {} took `{selected}` over the default, `{default}`.", ranking.proxy)
    };
    if ranking.rows.first().is_some_and(|row| row.is_control) {
        text.push_str(
            " A control came first, so this task does not need what a trained backbone knows.",
        );
    }
    Some(text)
}

fn few_positives(report: &RunReport) -> Option<String> {
    let positives = report.arms.first().map_or(0, |arm| arm.n_test_positives);
    match (&report.data.positive, positives) {
        (Some(positive), 1..=29) => Some(format!(
            "The test part has {positives} tiles of class {positive}; with so few, every interval \
             is wide and its ends are rough."
        )),
        _ => None,
    }
}

fn skipped(report: &RunReport) -> Option<String> {
    let n = report.skipped.len();
    let tiles = if n == 1 { "tile was" } else { "tiles were" };
    (n > 0).then(|| format!("{n} {tiles} left out; the reasons stand below."))
}
