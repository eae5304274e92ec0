// SPDX-License-Identifier: MIT OR Apache-2.0

//! The predictions behind a study's report.

use std::collections::BTreeSet;
use std::sync::Arc;

use eosin_core::{Fold, Probabilities, Result, TrainView};

use super::plan;
use super::summary::{CHOSEN, Findings};
use super::unit::{Fitted, Part, UnitKey, called};
use eosin_session::exports::{Exports, FoldRows, Predictions, RowName, TEST, place};

/// What a study's rows and task are called.
pub struct Named<'a> {
    pub task: &'a str,
    pub rows: Arc<[RowName]>,
}

/// Every prediction of every arm, those of the arm that inner folds chose under its name too.
pub fn exports(findings: &Findings, named: &Named) -> Result<Exports> {
    let mut exports = Exports { folds: folds(findings, named)?, ..Exports::default() };
    for (key, unit) in findings.units {
        if let Ok(fitted) = &unit.result {
            let arm = &findings.arms[key.arm].name;
            exports.predictions.push(predictions(findings, named, *key, arm, fitted)?);
        }
    }
    if !findings.config.design.choose {
        return Ok(exports);
    }
    let chosen: BTreeSet<UnitKey> = findings
        .units
        .keys()
        .filter(|key| matches!(key.part, Part::Main | Part::Test))
        .map(|key| UnitKey { arm: 0, ..*key })
        .collect();
    for key in chosen {
        let best = findings.best(key.part, key.backbone, key.repeat, key.fold);
        if let Some(Ok(fitted)) = best.map(|(_, unit)| &unit.result) {
            exports.predictions.push(predictions(findings, named, key, CHOSEN, fitted)?);
        }
    }
    Ok(exports)
}

fn predictions(
    findings: &Findings,
    named: &Named,
    key: UnitKey,
    arm: &str,
    fitted: &Fitted,
) -> Result<Predictions> {
    let input = findings.input;
    let set = &input.sets[key.backbone].set;
    let probabilities = Probabilities::new(set.classes().len(), fitted.probabilities.clone())?;
    // The labels that the head was scored on, which in the control are not the true ones.
    let labels = if key.part == Part::Permuted {
        findings.permutation.labels(
            &input.split.train,
            findings.main.of_draw(key.repeat),
            set.labels(),
            set.groups(),
            (input.seed, key.repeat),
        )?
    } else {
        set.labels().to_vec()
    };
    Ok(Predictions {
        part: part_name(key.part),
        task: named.task.into(),
        backbone: input.sets[key.backbone].backbone.clone(),
        arm: arm.into(),
        fold: (key.part != Part::Test).then_some((key.repeat as u32, key.fold as u32)),
        names: Arc::clone(&named.rows),
        rows: fitted.rows.clone(),
        classes: set.classes().into(),
        labels: fitted.rows.iter().map(|&row| labels[row]).collect(),
        called: called(&probabilities, fitted.threshold).into_iter().map(Some).collect(),
        probabilities,
        raw: None,
        threshold: fitted.threshold,
    })
}

/// Outer folds, the thinned ones of learning curves, and the test part.
fn folds(findings: &Findings, named: &Named) -> Result<Vec<FoldRows>> {
    let (input, main) = (findings.input, findings.main);
    let rows = |of: &[usize]| of.iter().map(|&at| input.split.train[at]).collect();
    let fold_rows = |part: &str, fold: Option<(u32, u32)>, sides: Fold| FoldRows {
        part: part.into(),
        task: named.task.into(),
        fold,
        names: Arc::clone(&named.rows),
        sides,
    };
    let of_train = |fold: &Fold| Fold { train: rows(&fold.train), held_out: rows(&fold.held_out) };
    let mut found: Vec<FoldRows> = main
        .all
        .iter()
        .enumerate()
        .map(|(i, fold)| fold_rows(&part_name(Part::Main), Some(place(i, main.k)), of_train(fold)))
        .collect();
    let (train, _) = TrainView::whole(&input.sets[0].set).split(input.split)?;
    let curves: BTreeSet<(Part, usize, usize)> = findings
        .units
        .keys()
        .filter(|key| matches!(key.part, Part::Curve(_)))
        .map(|key| (key.part, key.repeat, key.fold))
        .collect();
    for (part, repeat, fold) in curves {
        let Part::Curve(n) = part else { continue };
        let seed = plan::seed_of(input.seed, repeat, fold);
        let thinned = plan::thinned(&train, main.get(repeat, fold), n, seed);
        let at = Some((repeat as u32, fold as u32));
        found.push(fold_rows(&part_name(part), at, of_train(&thinned)));
    }
    if !input.split.held_out.is_empty() {
        found.push(fold_rows(TEST, None, input.split.clone()));
    }
    Ok(found)
}

/// `cross-validation`, `curve 25`, `permuted`, whose repeat is the number of the draw, or `test`.
fn part_name(part: Part) -> String {
    match part {
        Part::Main => "cross-validation".into(),
        Part::Permuted => "permuted".into(),
        Part::Curve(n) => format!("curve {n}"),
        Part::Test => TEST.into(),
    }
}
