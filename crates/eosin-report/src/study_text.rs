// SPDX-License-Identifier: MIT OR Apache-2.0

//! A study in words and in plain text.

use crate::number::{interval, percent, score, signed};
use crate::study_report::{StudyArm, StudyControl, StudyGain, StudyReport};
use crate::tables::columns;
use crate::trivial;
use crate::verdict::Verdict;

/// What the study found.
pub fn verdict(report: &StudyReport) -> Verdict {
    let main = report.square.last();
    let sentence = match (main, none_beats_trivial(report)) {
        (_, Some(trivial)) => trivial,
        (Some(gain), None) => plainly(gain),
        (None, None) => "No arm has a result, so nothing can be said.".into(),
    };
    let mut bullets = vec![arms(report)];
    bullets.extend(report.test_square.last().map(|gain| said(gain, "on the test part")));
    bullets.extend(control(report));
    let details = report.square.iter().map(|gain| said(gain, "by cross-validation"));
    let tested = report.test_square.iter().map(|gain| said(gain, "on the test part"));
    let chosen = on_test(report);
    Verdict::new(sentence, bullets, details.chain(tested).chain(chosen).collect())
}

/// A gain by cross-validation in one plain sentence, the numbers last.
fn plainly(gain: &StudyGain) -> String {
    let (m, change) = (&gain.absolute, &gain.change);
    let numbers = format!(
        "{} {} ({}) by cross-validation",
        signed(m.estimate),
        interval(m.lower, m.upper),
        percent(gain.relative)
    );
    match gain.word.as_str() {
        "better" => format!("{} is higher with {change}: {numbers}.", m.name),
        "worse" => format!("{} is lower with {change}: {numbers}.", m.name),
        "equivalent" => format!("{} stays what it is with {change}: {numbers}.", m.name),
        "not tested" => format!("Nothing can be said of {change}: too few folds or groups."),
        _ => format!("That {} changes with {change} cannot be told: {numbers}.", m.name),
    }
}

/// What the chosen arm is worth on the test part beside a trivial call, and how its probabilities
/// hold.
fn on_test(report: &StudyReport) -> Vec<String> {
    let Some(test) = &report.tested else { return Vec::new() };
    let mut said = Vec::new();
    if let Some(own) = report.main(report.tested_metrics()) {
        let beside = trivial::level(&test.trivial, &report.metric);
        let beside = beside.map_or_else(String::new, |(call, level)| {
            format!("; with {} it would be {}", call.name, score(level))
        });
        said.push(format!(
            "On the test part `{}` on `{}` has {} {} {}{beside}.",
            test.arm,
            test.backbone,
            own.name,
            score(own.estimate),
            interval(own.lower, own.upper),
        ));
    }
    if let Some(c) = &test.calibration {
        said.push(format!(
            "Its probabilities are off by {} on average before calibration and by {} after it; a \
             perfect head of that size is by {}.",
            score(c.ece_before),
            score(c.ece_after),
            score(c.ece_perfect)
        ));
    }
    said
}

/// That heads are no better than calls that look at no tile, where all of the 2×2 are so.
fn none_beats_trivial(report: &StudyReport) -> Option<String> {
    let (call, level) = report.trivial_level()?;
    let mut of_square = report.backbones.iter().flat_map(|backbone| {
        [&report.reference, &report.on].into_iter().filter_map(|arm| report.arm(backbone, arm))
    });
    let best = of_square
        .clone()
        .filter_map(|arm| report.main(&arm.metrics))
        .max_by(|a, b| a.estimate.total_cmp(&b.estimate))?;
    of_square.all(|arm| report.is_trivial(arm)).then(|| {
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

/// Arms that differ from the reference.
fn arms(report: &StudyReport) -> String {
    let named = |wanted: fn(&StudyGain) -> bool| -> Vec<String> {
        let found = report.arms.iter().filter(|a| a.gain.as_ref().is_some_and(wanted));
        let name = |a: &StudyArm| {
            let level = if report.is_trivial(a) { " (at the level of a trivial call)" } else { "" };
            if report.backbones.len() == 1 {
                format!("`{}`{level}", a.arm)
            } else {
                format!("`{}` on `{}`{level}", a.arm, a.backbone)
            }
        };
        found.map(name).collect()
    };
    let (better, worse) = (named(StudyGain::is_better), named(StudyGain::is_worse));
    let n = report.arms.iter().filter(|a| a.gain.is_some()).count();
    let reference = &report.reference;
    match (better.is_empty(), worse.is_empty()) {
        (true, true) => format!("None of {n} arms is told apart from `{reference}`."),
        (false, true) => format!("Of {n} arms, {} gained over `{reference}`.", better.join(", ")),
        (true, false) => format!("Of {n} arms, {} lost against `{reference}`.", worse.join(", ")),
        (false, false) => format!(
            "Of {n} arms, {} gained over `{reference}`, and {} lost against it.",
            better.join(", "),
            worse.join(", ")
        ),
    }
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
    let sure = match gain.word.as_str() {
        "better" => "a gain",
        "worse" => "a loss",
        "equivalent" => "no difference that matters",
        "not tested" => "too few folds or groups to tell",
        _ => "not told apart from none",
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
        "Every arm was scored by {} × {}-fold cross-validation, stratified by class and grouped so that no group is on both sides of a fold, on identical folds. Inside each outer training side, {} inner folds made in the same way chose the penalty, the strength of the augmentation where it has one, and the threshold; every arm searched the same {} penalties. Augmentation was fitted on training rows alone.",
        d.repeats, d.folds, d.inner_folds, d.budget
    ));
    paragraphs.push(format!(
        "{} is the mean over the outer folds. Intervals and p-values are of the corrected resampled t-test (Nadeau & Bengio 2003) over the outer folds, n_te/n_tr counted in groups; within a table Holm's method corrects p-values, intervals and words alike, at {:.0} % over the whole table. \u{201c}Equivalent\u{201d} is said where the posterior probability of a difference within 0.01 is 0.95 or more (Benavoli et al. 2017). Seed {}.",
        report.metric,
        report.level * 100.0,
        report.seed
    ));
    if d.test_counts.iter().any(|&n| n > 0) {
        paragraphs.push(format!(
            "For the test part ({} tiles of {} groups) each arm was tuned and fitted once on the whole training part; its intervals are of the bootstrap over groups ({} replicates), paired for differences, with Student's t on the logit scale below 40 groups and none below 5.",
            rows(&d.test_counts),
            d.test_groups,
            report.replicates
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
        for call in &report.trivial {
            let level =
                report.main(&call.metrics).map_or_else(|| "–".into(), |m| score(m.estimate));
            rows.push(vec![format!("  ({})", call.name), level]);
        }
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
                metric(report.main(&arm.metrics)),
                gain(&arm.gain),
                arm.gain.as_ref().map_or_else(|| "–".into(), |g| score(g.p_holm)),
            ];
            if tested {
                row.extend([metric(report.main(&arm.test)), gain(&arm.test_gain)]);
            }
            rows.push(row);
        }
    }
    columns(&rows)
}
