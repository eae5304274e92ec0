// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sets of classes that hold the true one with a stated probability, for a tile of a new patient.

use std::collections::BTreeMap;

use eosin_core::{Error, Probabilities, Result};
use serde::{Deserialize, Serialize};

/// Hierarchical conformal prediction by patient (Dunn, Wasserman & Ramdas 2018; Lee, Barber &
/// Willett 2023), class by class, with the score 1 − p(true class).
///
/// For a patient who is exchangeable with those of the calibration and has tiles of a class, a
/// tile of it drawn at random lacks its class in its set with probability at most `risk`, over
/// patients and draws. Tiles of one patient may depend on each other in whatever way. With n
/// patients of a class, n < 1/risk − 1, nothing less than all tiles would do: the class is then in
/// every set, and there is no guarantee to speak of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Form")]
pub struct Conformal {
    /// The probability of a miss that is allowed.
    pub risk: f64,
    /// What puts each class into a set.
    pub classes: Vec<ClassCutoff>,
}

/// What puts a class into a set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassCutoff {
    /// The class is in the set where its probability is at least this.
    pub cutoff: f64,
    /// Patients of the class that it was found on; 0 where an older release counted rows.
    pub patients: usize,
}

/// What a file may hold: older heads have one cutoff, found on rows.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    ByPatient { risk: f64, classes: Vec<ClassCutoff> },
    ByRow { risk: f64, cutoff: f64 },
}

impl From<Form> for Conformal {
    fn from(form: Form) -> Self {
        match form {
            Form::ByPatient { risk, classes } => Self { risk, classes },
            Form::ByRow { risk, cutoff } => {
                Self { risk, classes: vec![ClassCutoff { cutoff, patients: 0 }] }
            }
        }
    }
}

impl Conformal {
    /// Calibrates on cross-fitted predictions: those of heads, and of calibrations, that did not
    /// see the row's patient.
    pub fn fit(
        held_out: &Probabilities,
        labels: &[u32],
        groups: &[u32],
        risk: f64,
    ) -> Result<Self> {
        let known = labels.iter().all(|&l| (l as usize) < held_out.n_classes());
        let same = labels.len() == held_out.n_rows() && groups.len() == labels.len();
        if !same || labels.is_empty() || !known {
            return Err(Error::input(
                "conformal prediction",
                format!("{} known labels and groups, one per prediction", held_out.n_rows()),
                format!("{} labels and {} groups", labels.len(), groups.len()),
                "calibrate on held-out predictions with their labels and patients",
            ));
        }
        if !(risk > 0.0 && risk < 1.0) {
            return Err(Error::input(
                "risk",
                "a number between 0 and 1",
                risk.to_string(),
                "0.1 allows one miss in ten",
            ));
        }
        let of = |class: usize| {
            let rows = (0..labels.len()).filter(|&i| labels[i] as usize == class);
            class_cutoff(rows.map(|i| (groups[i], 1.0 - held_out.row(i)[class])), risk)
        };
        Ok(Self { risk, classes: (0..held_out.n_classes()).map(of).collect() })
    }

    /// Patients of a class below which no guarantee can be given at this risk.
    pub fn needed(&self) -> usize {
        // The small number forgives rounding.
        (1.0 / self.risk - 1.0 - 1e-9).ceil().max(1.0) as usize
    }

    /// Whether the guarantee holds for a class.
    pub fn is_guaranteed(&self, class: usize) -> bool {
        self.classes.get(class).is_some_and(|c| c.patients >= self.needed())
    }

    /// The classes of every row's set, which may be none or several.
    pub fn sets(&self, probabilities: &Probabilities) -> Vec<Vec<u32>> {
        let set = |i: usize| {
            let row = probabilities.row(i).iter().zip(&self.classes).zip(0..);
            // 1 − (1 − p) may be a last digit off p.
            row.filter(|((p, class), _)| **p >= class.cutoff - 1e-12).map(|(_, c)| c).collect()
        };
        (0..probabilities.n_rows()).map(set).collect()
    }

    /// The class of every row whose set has exactly one; `None` abstains.
    pub fn decide(&self, probabilities: &Probabilities) -> Vec<Option<u32>> {
        let alone = |set: Vec<u32>| if let [class] = set[..] { Some(class) } else { None };
        self.sets(probabilities).into_iter().map(alone).collect()
    }

    /// One cutoff of an older release, for each of so many classes.
    pub(crate) fn spread(&mut self, n_classes: usize) {
        if let [only] = self.classes[..]
            && only.patients == 0
        {
            self.classes = vec![only; n_classes];
        }
    }
}

/// The smallest score that holds 1 − risk of the mass, each of n patients having 1/(n + 1) of it,
/// shared by their rows, and a score beyond all the rest.
fn class_cutoff(rows: impl Iterator<Item = (u32, f64)>, risk: f64) -> ClassCutoff {
    let mut of_patient: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (group, score) in rows {
        of_patient.entry(group).or_default().push(score);
    }
    let patients = of_patient.len();
    let mass = 1.0 / (patients + 1) as f64;
    let mut scores: Vec<(f64, f64)> = of_patient
        .values()
        .flat_map(|own| own.iter().map(|&score| (score, mass / own.len() as f64)))
        .collect();
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut held = 0.0;
    for (score, weight) in scores {
        held += weight;
        // The small number forgives rounding.
        if held >= 1.0 - risk - 1e-9 {
            return ClassCutoff { cutoff: 1.0 - score, patients };
        }
    }
    ClassCutoff { cutoff: 0.0, patients }
}

#[cfg(test)]
mod tests;
