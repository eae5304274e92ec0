// SPDX-License-Identifier: MIT OR Apache-2.0

//! What sets and abstention promise for a new patient, or that they cannot, in words.

use crate::{Abstention, Conformal, HeadFile};

impl HeadFile {
    /// A sentence for each guarantee that was asked for: what it says, over how many patients, or
    /// why none can be given. Empty where none was asked for.
    pub fn promises(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if let Some(conformal) = &self.decision.conformal {
            sentences.extend(sets(conformal, &self.record.classes));
        }
        sentences.extend(self.decision.abstention.as_ref().map(calls));
        sentences
    }

    /// The sentences of [`promises`](Self::promises) that say that none can be given.
    pub fn lacking_guarantees(&self) -> Vec<String> {
        let lacks = |sentence: &String| sentence.contains(NONE);
        self.promises().into_iter().filter(lacks).collect()
    }
}

const NONE: &str = "no guarantee can be given";
const OLDER: &str = "an older release counted tiles instead of patients: train the head again";

fn sets(conformal: &Conformal, classes: &[String]) -> Vec<String> {
    let risk = 100.0 * conformal.risk;
    let of = |(i, class): (usize, &String)| {
        let patients = conformal.classes.get(i).map_or(0, |c| c.patients);
        if conformal.is_guaranteed(i) {
            format!(
                "Sets: of the tiles of {class} of a new patient at most {risk:.1} % lack {class} in \
                 their set, on average over patients ({patients} with {class} were calibrated on)."
            )
        } else if patients == 0 && conformal.classes.get(i).is_some_and(|c| c.cutoff > 0.0) {
            format!("Sets of {class}: {NONE}, since {OLDER}.")
        } else {
            let needed = conformal.needed();
            format!(
                "Sets of {class}: {NONE} at {risk:.1} %, with {patients} patients of {class} where \
                 at least {needed} are needed; {class} is in every set."
            )
        }
    };
    classes.iter().enumerate().map(of).collect()
}

fn calls(rule: &Abstention) -> String {
    let (risk, certainty) = (100.0 * rule.risk, 100.0 * rule.certainty);
    let needed = rule.needed();
    if rule.is_guaranteed() {
        let (cutoff, coverage) = (rule.cutoff, 100.0 * rule.coverage);
        format!(
            "Calls: tiles of confidence below {cutoff:.4} are left uncalled; of those called of new \
             patients, each patient counting the same, at most {risk:.1} % are wrong, with a \
             certainty of {certainty:.1} % over the {} patients that it was fitted on, of whose \
             tiles {coverage:.1} % are called.",
            rule.patients
        )
    } else if rule.patients == 0 {
        format!("Calls: {NONE}, since {OLDER}.")
    } else if rule.patients < needed {
        format!(
            "Calls: {NONE} of {risk:.1} % wrong at a certainty of {certainty:.1} %, with {} \
             patients where at least {needed} are needed; no tile is called.",
            rule.patients
        )
    } else {
        format!(
            "Calls: {NONE} of {risk:.1} % wrong at a certainty of {certainty:.1} %: over {} patients \
             no cutoff keeps it; no tile is called.",
            rule.patients
        )
    }
}

#[cfg(test)]
mod tests;
