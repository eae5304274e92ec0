// SPDX-License-Identifier: MIT OR Apache-2.0

//! A study in words and in plain text.

use crate::number::{interval, percent, score, signed};
use crate::study_report::{StudyArm, StudyControl, StudyGain, StudyReport};
use crate::tables::columns;

/// What the study found, in sentences; Markdown's backticks mark names.
pub fn verdict(report: &StudyReport) -> Vec<String> {
    let mut sentences = Vec::new();
    for gain in &report.square {
        sentences.push(said(gain, "by cross-validation"));
    }
    if let Some(gain) = report.test_square.last() {
        sentences.push(said(gain, "on the test part"));
    }
    for backbone in &report.backbones {
        let arms: Vec<&StudyArm> =
            report.arms.iter().filter(|a| a.backbone == *backbone && a.gain.is_some()).collect();
        let names = |wanted: fn(&StudyGain) -> bool| {
            let named: Vec<String> = arms
                .iter()
                .filter(|a| a.gain.as_ref().is_some_and(wanted))
                .map(|a| format!("`{}`", a.arm))
                .collect();
            named
        };
        let (better, worse) =
            (names(|g| g.absolute.lower > 0.0), names(|g| g.absolute.upper < 0.0));
        sentences.push(match (better.is_empty(), worse.is_empty()) {
            (true, true) => format!(
                "On `{backbone}` no arm's interval of the gain over `{}` leaves zero out.",
                report.reference
            ),
            (false, true) => {
                format!("On `{backbone}` {} gained over `{}`.", better.join(", "), report.reference)
            }
            (true, false) => {
                format!("On `{backbone}` {} lost against `{}`.", worse.join(", "), report.reference)
            }
            (false, false) => format!(
                "On `{backbone}` {} gained over `{}`, {} lost against it.",
                better.join(", "),
                report.reference,
                worse.join(", ")
            ),
        });
    }
    sentences.extend(control(report));
    sentences
}

/// What the control says, where there is one.
pub fn control(report: &StudyReport) -> Option<String> {
    let draws = report.controls.first()?.draws;
    let named = |wanted: fn(&StudyControl) -> bool| -> Vec<String> {
        let found = report.controls.iter().filter(|c| wanted(c));
        found.map(|c| format!("`{}` on `{}`", c.arm, c.backbone)).collect()
    };
    let (gaining, above) = (named(StudyControl::gains), named(StudyControl::beats_chance));
    Some(if !gaining.is_empty() {
        format!(
            "The control failed: on labels that mean nothing ({draws} permutations) {} gained. Do \
             not believe gains of this study before that is explained.",
            gaining.join(", ")
        )
    } else if !above.is_empty() {
        format!(
            "The control failed: on labels that mean nothing ({draws} permutations) {} scored \
             above chance, so something of the held-out rows is known to the heads.",
            above.join(", ")
        )
    } else {
        format!("On labels that mean nothing ({draws} permutations) no arm gained.")
    })
}

fn said(gain: &StudyGain, place: &str) -> String {
    let m = &gain.absolute;
    let sure = if m.lower > 0.0 {
        "a gain"
    } else if m.upper < 0.0 {
        "a loss"
    } else {
        "not to be told from none"
    };
    let mut change = gain.change.clone();
    if let Some(first) = change.get(..1).map(str::to_uppercase) {
        change.replace_range(..1, &first);
    }
    format!(
        "{change}, {place}: {} {} {} ({}), {sure}.",
        m.name,
        signed(m.estimate),
        interval(m.lower, m.upper),
        percent(gain.relative)
    )
}

/// A methods section that a paper can quote, made from the settings.
pub fn methods(report: &StudyReport) -> Vec<String> {
    let d = &report.design;
    let rows = |counts: &[u64]| {
        let of: Vec<String> =
            d.classes.iter().zip(counts).map(|(class, n)| format!("{n} {class}")).collect();
        of.join(", ")
    };
    let mut paragraphs = vec![format!(
        "Task: {} Training part: {} tiles of {} groups. Embeddings of frozen backbones ({}) were computed once per tile{}; heads of kind `{}` were fitted on them.",
        d.task,
        rows(&d.train_counts),
        d.train_groups,
        report.backbones.join(", "),
        if d.n_views > 0 {
            format!(", and of {} augmented views of each", d.n_views)
        } else {
            String::new()
        },
        d.head
    )];
    paragraphs.push(format!(
        "Every arm was scored by {} × {}-fold cross-validation, stratified by class and grouped so that no group is on both sides of a fold, on identical folds. Inside each outer training side, {} inner folds made in the same way chose the penalty, the strength of the augmentation where it has one, and the threshold; every arm was allowed {} settings. Augmentation was fitted on training rows alone.",
        d.repeats, d.folds, d.inner_folds, d.budget
    ));
    paragraphs.push(format!(
        "{} is the mean over the rounds of folds. Intervals are percentile bootstrap intervals at {:.0} % over groups with {} replicates, paired across arms. p-values are of the corrected resampled t-test (Nadeau & Bengio 2003) over the outer folds, corrected by Holm's method within a table. Seed {}.",
        report.metric,
        report.level * 100.0,
        report.replicates,
        report.seed
    ));
    if d.test_counts.iter().any(|&n| n > 0) {
        paragraphs.push(format!(
            "For the test part ({} tiles of {} groups) each arm was tuned and fitted once on the whole training part.",
            rows(&d.test_counts),
            d.test_groups
        ));
    }
    paragraphs
}

/// The ablation and the 2×2 for the terminal.
pub fn study_tables(report: &StudyReport) -> String {
    let tested = report.arms.iter().any(|a| !a.test.is_empty());
    let mut rows = Vec::new();
    for backbone in &report.backbones {
        let mut header =
            vec![backbone.clone(), report.metric.clone(), "gain".into(), "p, Holm".into()];
        if tested {
            header.extend(["test".into(), "gain, test".into()]);
        }
        rows.push(header);
        for arm in report.arms.iter().filter(|a| a.backbone == *backbone) {
            let gain = |g: &Option<StudyGain>| {
                g.as_ref().map_or_else(
                    || "–".into(),
                    |g| {
                        let m = &g.absolute;
                        format!("{} {}", signed(m.estimate), interval(m.lower, m.upper))
                    },
                )
            };
            let metric = |m: Option<&crate::Metric>| {
                m.map_or_else(
                    || "–".into(),
                    |m| format!("{} {}", score(m.estimate), interval(m.lower, m.upper)),
                )
            };
            let mut row = vec![
                format!("  {}", arm.arm),
                metric(arm.metrics.first()),
                gain(&arm.gain),
                arm.gain.as_ref().map_or_else(|| "–".into(), |g| score(g.p_holm)),
            ];
            if tested {
                row.extend([metric(arm.test.first()), gain(&arm.test_gain)]);
            }
            rows.push(row);
        }
    }
    columns(&rows)
}
