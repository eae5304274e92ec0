// SPDX-License-Identifier: MIT OR Apache-2.0

//! A saved head where classes are more or less frequent than where it was trained.

use eosin_core::{Error, Probabilities, Result, numbered};
use eosin_eval::Interval;
use eosin_eval::prevalence::{estimate_prevalence, recalibrated, recalibrated_threshold};
use eosin_head::{Decided, HeadFile, confidence};

use crate::config::EvaluationConfig;

/// The class shares that a head's probabilities assume: those of its training rows, less what a
/// logit adjustment has divided out; none for heads of releases that did not save them.
pub fn assumed_shares(file: &HeadFile) -> Option<Vec<f64>> {
    let n_classes = file.record.classes.len();
    let shares = &file.trained_on.shares;
    if shares.len() != n_classes || !shares.iter().all(|s| *s > 0.0 && s.is_finite()) {
        return None;
    }
    let tau = file.decision.logit_adjustment.as_ref().map_or(0.0, |adjustment| adjustment.tau);
    let left: Vec<f64> = shares.iter().map(|share| share.powf(1.0 - tau)).collect();
    let total: f64 = left.iter().sum();
    Some(left.into_iter().map(|share| share / total).collect())
}

/// As [`assumed_shares`]; a head that does not say them is an error.
pub fn required_shares(file: &HeadFile) -> Result<Vec<f64>> {
    assumed_shares(file).ok_or_else(|| {
        Error::input(
            "head",
            "one that says which shares its classes had in training",
            format!("one that Eosin {} saved without", file.eosin_version),
            "train it again",
        )
    })
}

/// The shares of two classes of which the second has this prevalence.
pub fn stated_shares(file: &HeadFile, prevalence: &[f64]) -> Result<Vec<f64>> {
    let classes = &file.record.classes;
    let refused = |expected: String| {
        let found: Vec<String> = prevalence.iter().map(ToString::to_string).collect();
        let hint = "for two classes give the share of the second, such as --prevalence 0.02; for \
                    more give one share per class, such as --prevalence 0.7,0.2,0.1";
        Error::input("--prevalence", expected, found.join(","), hint)
    };
    let inside = prevalence.iter().all(|p| *p > 0.0 && *p < 1.0);
    match prevalence {
        [positive] if classes.len() == 2 && inside => Ok(vec![1.0 - positive, *positive]),
        shares if shares.len() == classes.len() && inside => {
            let total: f64 = shares.iter().sum();
            if (total - 1.0).abs() > 1e-6 {
                return Err(refused("shares that sum to 1".into()));
            }
            Ok(shares.to_vec())
        }
        _ => Err(refused(format!(
            "a share inside (0, 1) for each class ({}){}",
            classes.join(", "),
            if classes.len() == 2 { ", or of the second alone" } else { "" }
        ))),
    }
}

/// The shares that classes have among the rows that are predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Shares<'a> {
    /// Those of the training.
    #[default]
    AsTrained,
    /// Those that somebody states: of each class, or of the second of two.
    Stated(&'a [f64]),
    /// Those that the unlabelled rows themselves speak for.
    Estimated,
}

/// Decides again for classes of other shares; the sentences say what was done.
///
/// The head's threshold is applied to probabilities recalibrated to those shares. Rows that the
/// head is too unsure of stay uncalled, and sets stay as they are: their guarantee is per class.
pub fn decide_for(
    shares: Shares,
    file: &HeadFile,
    decided: Decided,
    groups: &[&str],
) -> Result<(Decided, Vec<String>)> {
    let classes = &file.record.classes;
    let mut told = Vec::new();
    let to = match shares {
        Shares::AsTrained => return Ok((decided, told)),
        Shares::Stated(stated) => {
            let to = stated_shares(file, stated)?;
            let each = classes.iter().zip(&to).map(|(class, share)| format!("{class} {share}"));
            let each = each.collect::<Vec<_>>().join(", ");
            told.push(format!("recalibrated to the stated shares {each}"));
            to
        }
        Shares::Estimated => {
            let found = estimated(file, &decided.probabilities, groups)?;
            let each = classes.iter().zip(&found).map(|(class, share)| {
                format!("{class} {:.3} [{:.3}, {:.3}]", share.estimate, share.lower, share.upper)
            });
            let each = each.collect::<Vec<_>>().join(", ");
            told.push(format!(
                "recalibrated to the shares that these rows speak for, if classes look as in \
                 training and only their shares differ: {each}"
            ));
            found.iter().map(|share| share.estimate).collect()
        }
    };
    let from = required_shares(file)?;
    let probabilities = recalibrated(&decided.probabilities, &from, &to)?;
    let call = |(i, call): (usize, &Option<u32>)| {
        call.map(|_| confidence(probabilities.row(i), file.threshold).0)
    };
    let called = decided.called.iter().enumerate().map(call).collect();
    if let (Some(threshold), [_, from], [_, to]) = (file.threshold, &from[..], &to[..]) {
        let own = recalibrated_threshold(threshold, *to, *from);
        told.push(format!(
            "the head's threshold of {threshold:.4} is then one of {own:.4} on its own \
             probabilities"
        ));
    }
    if file.decision.abstention.is_some() {
        told.push(
            "the share of calls that are wrong was bounded for the shares of the training, not for \
             these"
                .into(),
        );
    }
    Ok((Decided { probabilities, called, sets: decided.sets }, told))
}

/// Shares by the EM algorithm of Saerens et al. (2002) with their intervals; a refusal is an error.
fn estimated(
    file: &HeadFile,
    probabilities: &Probabilities,
    groups: &[&str],
) -> Result<Vec<Interval>> {
    let from = required_shares(file)?;
    let (numbers, _) = numbered(groups.iter().copied());
    let bootstrap = EvaluationConfig::default().bootstrap(0);
    let found = estimate_prevalence(probabilities, &numbers, &from, &bootstrap)?;
    // A share of 0 leaves no probability to recalibrate.
    let least = found.shares.iter().map(|s| s.estimate).fold(1.0, f64::min);
    let refusal = found.refusal.or_else(|| {
        (least <= f64::EPSILON).then(|| "a class that these rows do not show at all".to_string())
    });
    match refusal {
        None => Ok(found.shares),
        Some(reason) => Err(Error::input(
            "--recalibrate",
            "unlabelled rows that tell how frequent the classes are",
            reason,
            "give tiles of more patients, or state what is known with --prevalence",
        )),
    }
}
