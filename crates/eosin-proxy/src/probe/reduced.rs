// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_core::{Error, Fold, LabelledSet, Matrix, ProxyScores, ProxyTask, Result, TrainView};
use ndarray::{Axis, s};

use super::score_folds_by;
use crate::scores::spectrum::{gram, rows, spectrum};

/// Any probe on the leading principal components of each fold's training rows: the control that
/// tells a better backbone from one with more dimensions.
///
/// It is named after the probe and the number, such as `linear-pca-256`. A backbone with fewer
/// dimensions keeps all of them.
#[derive(Clone)]
pub struct Reduced {
    /// The probe.
    pub probe: Arc<dyn ProxyTask>,
    /// Dimensions that are kept; 256 are usual.
    pub dimensions: usize,
}

impl ProxyTask for Reduced {
    fn kind(&self) -> &'static str {
        "pca"
    }

    fn score(&self, train: &TrainView, folds: &[Fold]) -> Result<ProxyScores> {
        if self.dimensions == 0 {
            return Err(Error::input("pca, option dimensions", "at least 1", "0", "256 are usual"));
        }
        let name = format!("{}-pca-{}", self.probe.kind(), self.dimensions);
        score_folds_by(&name, train, folds, |fold, _, _| {
            let (set, fold) = reduce(train, fold, self.dimensions)?;
            let scores = self.probe.score(&TrainView::whole(&set), &[fold])?;
            Ok(scores.folds.first().copied().unwrap_or(f64::NAN))
        })
    }
}

/// The rows of one fold in the coordinates of its training rows, with the fold that parts them.
fn reduce(train: &TrainView, fold: &Fold, dimensions: usize) -> Result<(LabelledSet, Fold)> {
    let all = train.features();
    let mut x = rows(&all.select(&fold.train))?;
    let mean = x.sum_axis(Axis(0)) / x.nrows().max(1) as f64;
    x -= &mean;
    let spectrum = spectrum(&gram(&x))?;
    let d = x.ncols();
    let leading = spectrum.vectors.slice(s![.., d - dimensions.min(d)..]);
    let order: Vec<usize> = fold.train.iter().chain(&fold.held_out).copied().collect();
    let projected = (rows(&all.select(&order))? - &mean).dot(&leading);
    let values = projected.iter().map(|&v| v as f32).collect();
    let (labels, groups) = (train.labels(), train.groups());
    let names: Vec<String> = order.iter().map(|&i| groups[i].to_string()).collect();
    let set = LabelledSet::new(
        Matrix::new(order.len(), projected.ncols(), values)?,
        train.classes().to_vec(),
        order.iter().map(|&i| labels[i]).collect(),
        &names,
    )?;
    let n = fold.train.len();
    Ok((set, Fold { train: (0..n).collect(), held_out: (n..order.len()).collect() }))
}
