// SPDX-License-Identifier: MIT OR Apache-2.0

//! What arms gain on labels that mean nothing.

use eosin_core::{Error, Result};
use eosin_eval::hypothesis::{CorrectedT, corrected_resampled_t, holm};
use eosin_report::{Metric, StudyControl};

use super::summary::Findings;
use super::unit::Part;

/// Name of the metric of the control.
const METRIC: &str = "AUROC";

/// Every arm of the control on every backbone, Holm's correction over all of them.
///
/// A permutation that is missing for an arm which has results on the true labels is an error:
/// a control that was not run must not read like one that found nothing.
pub fn controls(findings: &Findings) -> Result<Vec<StudyControl>> {
    let Some(config) = &findings.config.permuted else { return Ok(Vec::new()) };
    let reference = findings.arm_number(&findings.config.design.reference);
    let mut found = Vec::new();
    for backbone in 0..findings.input.sets.len() {
        let base = scores(findings, backbone, reference, config.draws)?;
        found.push(control(findings, (backbone, reference), &base, None)?);
        for name in &config.arms {
            let arm = findings.arm_number(name);
            if arm == reference {
                continue;
            }
            let scores = scores(findings, backbone, arm, config.draws)?;
            found.push(control(findings, (backbone, arm), &scores, Some(&base))?);
        }
    }
    let of = |pick: fn(&mut StudyControl) -> &mut f64, found: &mut Vec<StudyControl>| {
        let p: Vec<f64> = found.iter_mut().map(|c| *pick(c)).collect();
        for (control, corrected) in found.iter_mut().zip(holm(&p)) {
            *pick(control) = corrected;
        }
    };
    of(|c| &mut c.gain_p, &mut found);
    of(|c| &mut c.chance_p, &mut found);
    Ok(found)
}

/// AUROC per draw; NaN where the held-out rows of a draw cannot be compared.
fn scores(findings: &Findings, backbone: usize, arm: usize, draws: usize) -> Result<Vec<f64>> {
    let set = &findings.input.sets[backbone].set;
    let k = findings.main.k;
    let permutation = findings.permutation;
    let mut found = Vec::with_capacity(draws);
    for draw in 0..draws {
        let unit = findings.unit(Part::Permuted, backbone, arm, draw, draw % k);
        let fitted = match unit.map(|u| &u.result) {
            Some(Ok(fitted)) => fitted,
            Some(Err(reason)) => return Err(incomplete(findings, arm, draw, reason)),
            None => return Err(incomplete(findings, arm, draw, "it was not run")),
        };
        let fold = findings.main.of_draw(draw);
        let permuted = permutation.labels(
            &findings.input.split.train,
            fold,
            set.labels(),
            set.groups(),
            (findings.input.seed, draw),
        )?;
        let pick = |of: &[u32]| -> Vec<u32> { fitted.rows.iter().map(|&row| of[row]).collect() };
        let (labels, groups) = (pick(&permuted), pick(set.groups()));
        found.push(permutation.auroc(&fitted.probabilities, &labels, &groups)?);
    }
    Ok(found)
}

fn control(
    findings: &Findings,
    (backbone, arm): (usize, usize),
    scores: &[f64],
    base: Option<&[f64]>,
) -> Result<StudyControl> {
    let level = findings.config.design.evaluation.level;
    let scored: Vec<f64> = scores.iter().copied().filter(|s| s.is_finite()).collect();
    let above: Vec<f64> = scored.iter().map(|s| s - 0.5).collect();
    // Draws are independent given the rows, so this is the ordinary t-test.
    let chance = corrected_resampled_t(&above, 0.0)?;
    let gain = base.map(|base| {
        let differences: Vec<f64> =
            scores.iter().zip(base).map(|(a, b)| a - b).filter(|d| d.is_finite()).collect();
        corrected_resampled_t(&differences, 0.0)
    });
    let gain = gain.transpose()?;
    let metric = |t: &CorrectedT, shift: f64| {
        let (lower, upper) = t.interval(level)?;
        Ok::<_, Error>(Metric {
            name: METRIC.into(),
            estimate: t.mean + shift,
            lower: lower + shift,
            upper: upper + shift,
        })
    };
    Ok(StudyControl {
        backbone: findings.input.sets[backbone].backbone.clone(),
        arm: findings.arms[arm].name.clone(),
        permuted: findings.permutation.describe().into(),
        draws: scores.len() as u64,
        scored: scored.len() as u64,
        score: metric(&chance, 0.5)?,
        chance_p: chance.p,
        gain: gain.as_ref().map(|t| metric(t, 0.0)).transpose()?,
        gain_p: gain.map_or(f64::NAN, |t| t.p),
    })
}

fn incomplete(findings: &Findings, arm: usize, draw: usize, reason: &str) -> Error {
    Error::data(
        format!("control of arm `{}` on permuted labels", findings.arms[arm].name),
        "a result for every permutation",
        format!("none for number {draw}: {reason}"),
        "take the arm out of `[permuted]`, or mend what its fits fail of; a control that was not \
         run would read like one that found nothing",
    )
}
