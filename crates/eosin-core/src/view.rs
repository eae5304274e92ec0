// SPDX-License-Identifier: MIT OR Apache-2.0

use crate::{Error, LabelledSet, Matrix, Result, ViewBank};

/// Rows of a view, by position in it: those to fit on and those held out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Positions to fit on.
    pub train: Vec<usize>,
    /// Positions to score.
    pub held_out: Vec<usize>,
}

/// Rows that may be fitted on.
///
/// It can be made only from a whole set or by a split that keeps groups together, and everything
/// that fits takes it: rows that are held out cannot reach a fit by mistake.
///
/// ```compile_fail
/// fn fit(_: &eosin_core::TrainView) {}
/// fn leak(held_out: &eosin_core::HeldOutView) { fit(held_out) }
/// ```
#[derive(Clone, Debug)]
pub struct TrainView<'a> {
    rows: Rows<'a>,
}

/// Rows that were held out: they can be predicted and scored, not fitted on.
#[derive(Clone, Debug)]
pub struct HeldOutView<'a> {
    rows: Rows<'a>,
}

#[derive(Clone, Debug)]
struct Rows<'a> {
    set: &'a LabelledSet,
    rows: Vec<usize>,
}

impl<'a> TrainView<'a> {
    /// Every row of a set, for work that holds nothing out of it.
    pub fn whole(set: &'a LabelledSet) -> Self {
        Self { rows: Rows { set, rows: (0..set.n_rows()).collect() } }
    }

    /// Parts this view; a group on both sides, or a position that is out of range or taken twice,
    /// is refused.
    pub fn split(&self, fold: &Fold) -> Result<(Self, HeldOutView<'a>)> {
        let train = self.rows.pick(&fold.train)?;
        let held_out = self.rows.pick(&fold.held_out)?;
        let set = self.rows.set;
        let mut first_in_train = vec![None; set.group_names().len()];
        for &row in &train.rows {
            first_in_train[set.groups()[row] as usize].get_or_insert(row);
        }
        for &row in &held_out.rows {
            let group = set.groups()[row] as usize;
            if let Some(other) = first_in_train[group] {
                return Err(Error::Leakage {
                    what: format!("group {}", set.group_names()[group]),
                    rows: vec![format!("row {other}"), format!("row {row}")],
                });
            }
        }
        Ok((Self { rows: train }, HeldOutView { rows: held_out }))
    }

    /// View `view` of position `i`, where the set has a bank and the bank has that tile.
    pub fn bank_row(&self, i: usize, view: usize) -> Option<&'a [f32]> {
        self.rows.set.bank()?.row(self.rows.rows[i], view)
    }

    /// How view `view` of position `i` was made, where the bank knows.
    pub fn bank_parameters(&self, i: usize, view: usize) -> Option<&'a [f32]> {
        self.rows.set.bank()?.parameters(self.rows.rows[i], view)
    }
}

/// What both kinds of view can tell of their rows.
macro_rules! row_accessors {
    ($view:ident) => {
        impl<'a> $view<'a> {
            /// Number of rows.
            pub fn n_rows(&self) -> usize {
                self.rows.rows.len()
            }

            /// Row numbers in the set, by position.
            pub fn rows(&self) -> &[usize] {
                &self.rows.rows
            }

            /// A copy of the features, N × D.
            pub fn features(&self) -> Matrix {
                self.rows.set.features().select(&self.rows.rows)
            }

            /// The features of position `i`.
            pub fn feature_row(&self, i: usize) -> &'a [f32] {
                self.rows.set.features().row(self.rows.rows[i])
            }

            /// Length of a feature row.
            pub fn dim(&self) -> usize {
                self.rows.set.features().n_cols()
            }

            /// A class index per position.
            pub fn labels(&self) -> Vec<u32> {
                self.rows.rows.iter().map(|&r| self.rows.set.labels()[r]).collect()
            }

            /// A group index per position.
            pub fn groups(&self) -> Vec<u32> {
                self.rows.rows.iter().map(|&r| self.rows.set.groups()[r]).collect()
            }

            /// Class names, also those that no row here has.
            pub fn classes(&self) -> &'a [String] {
                self.rows.set.classes()
            }

            /// Rows per class.
            pub fn class_counts(&self) -> Vec<usize> {
                let mut counts = vec![0; self.classes().len()];
                for &row in &self.rows.rows {
                    counts[self.rows.set.labels()[row] as usize] += 1;
                }
                counts
            }

            /// The set's bank of views, where one was made.
            pub fn bank(&self) -> Option<&'a ViewBank> {
                self.rows.set.bank()
            }
        }
    };
}

row_accessors!(TrainView);
row_accessors!(HeldOutView);

impl Rows<'_> {
    fn pick(&self, positions: &[usize]) -> Result<Self> {
        let mut seen = vec![false; self.rows.len()];
        let mut rows = Vec::with_capacity(positions.len());
        for &at in positions {
            match seen.get_mut(at) {
                Some(taken) if !*taken => *taken = true,
                _ => {
                    return Err(Error::input(
                        "fold",
                        format!("distinct positions below {}", self.rows.len()),
                        at.to_string(),
                        "make folds for the view that is split",
                    ));
                }
            }
            rows.push(self.rows[at]);
        }
        Ok(Self { set: self.set, rows })
    }
}
