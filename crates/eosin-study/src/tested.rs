// SPDX-License-Identifier: MIT OR Apache-2.0

//! The chosen arm on the test part, with what an evaluation shows of a head.

use std::collections::BTreeMap;

use eosin_core::{Probabilities, Result};
use eosin_eval::GroupBootstrap;
use eosin_head::{Calibration, Decision};
use eosin_report::StudyTest;

use super::summary::{CHOSEN, Findings};
use super::unit::{Fitted, Part};
use eosin_session::evaluate::Scored;
use eosin_session::figures;

/// Of the last backbone: the arm that inner folds choose, or the one that stands for "on" where none
/// is chosen. Nothing where it has no result there.
pub fn chosen(findings: &Findings, bootstrap: &GroupBootstrap) -> Result<Option<StudyTest>> {
    let (input, design) = (findings.input, &findings.config.design);
    let backbone = input.sets.len() - 1;
    let (arm, name) = if design.choose {
        (findings.arms.len(), CHOSEN)
    } else {
        (findings.arm_number(&design.on), design.on.as_str())
    };
    let Ok(tested) = findings.fitted(Part::Test, backbone, arm) else { return Ok(None) };
    let set = &input.sets[backbone].set;
    let scored = |fitted: &Fitted| -> Result<Scored> {
        let pick = |of: &[u32]| fitted.rows.iter().map(|&row| of[row]).collect();
        let raw = Probabilities::new(set.classes().len(), fitted.probabilities.clone())?;
        let decision = Decision::default();
        let decided = (&decision, fitted.threshold);
        Scored::decided(decided, raw, pick(set.labels()), pick(set.groups()))
    };
    let raw = scored(tested[0])?;
    let mut found = StudyTest {
        backbone: input.sets[backbone].backbone.clone(),
        arm: name.to_string(),
        taken: design
            .choose
            .then(|| findings.best(Part::Test, backbone, 0, 0))
            .flatten()
            .map(|(taken, _)| findings.arms[taken].name.clone()),
        trivial: raw.trivial(),
        ..StudyTest::default()
    };
    if !raw.is_binary() {
        return Ok(Some(found));
    }
    if let Ok(folds) = findings.fitted(Part::Main, backbone, arm) {
        let (oof, labels) = out_of_fold(&folds, set.labels())?;
        let platt = Calibration::platt(&oof, &labels)?;
        let calibrated = Scored { probabilities: platt.apply(&raw.probabilities)?, ..raw.clone() };
        let method = "Platt's line, fitted on the outer folds' predictions of the training part";
        found.calibration = Some(figures::calibration(&calibrated, method, input.seed));
    }
    let train = &input.split.train;
    let positives = train.iter().filter(|&&row| set.labels()[row] == 1).count();
    let assumed = positives as f64 / train.len() as f64;
    let own = (Some(assumed), tested[0].threshold);
    found.precision_at_prevalence = figures::at_prevalences(&raw, &[], own, bootstrap)?;
    found.recall_at_precision = figures::at_precisions(&raw, bootstrap)?;
    Ok(Some(found))
}

/// Each row's mean over the outer folds that held it out, with its class.
fn out_of_fold(folds: &[&Fitted], labels: &[u32]) -> Result<(Probabilities, Vec<u32>)> {
    let mut sums: BTreeMap<usize, ([f64; 2], f64)> = BTreeMap::new();
    for fitted in folds {
        for (&row, of_row) in fitted.rows.iter().zip(fitted.probabilities.chunks_exact(2)) {
            let (sum, n) = sums.entry(row).or_default();
            *sum = [sum[0] + of_row[0], sum[1] + of_row[1]];
            *n += 1.0;
        }
    }
    let values = sums.values().flat_map(|(sum, n)| sum.map(|sum| sum / n)).collect();
    Ok((Probabilities::new(2, values)?, sums.keys().map(|&row| labels[row]).collect()))
}
