// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{
    Draw, FeatureTransform, FittedTransform, LabelledSet, Matrix, Result, TrainBatch, TrainView,
};

use super::clock;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    FitsOnHeldOut,
    OtherGroups,
    Clock,
    OneDimensionLess,
    TargetsOfTwo,
    NotFinite,
    AllWeightsZero,
    NoRows,
}

/// Adds a copy of every row, moved by a draw.
#[derive(Clone, Copy)]
pub struct Jitter(pub Fault);

struct Fitted(Fault, f32);

impl FeatureTransform for Jitter {
    fn kind(&self) -> &'static str {
        "jitter"
    }

    fn fit(&self, train: &TrainView) -> Result<Box<dyn FittedTransform>> {
        let mut scale = train.features().values().iter().sum::<f32>();
        if self.0 == Fault::FitsOnHeldOut {
            // Reaches around the view, through the bank, to rows that it must not see.
            let bank = train.bank();
            let rows = (0..96).filter_map(|row| bank.and_then(|b| b.row(row, 0)));
            scale += rows.map(|r| r[0]).sum::<f32>();
        }
        Ok(Box::new(Fitted(self.0, scale)))
    }
}

impl FittedTransform for Fitted {
    fn apply(&self, batch: &TrainBatch, draw: Draw) -> Result<TrainBatch> {
        let n = batch.n_rows();
        let mut step = self.1 * 1e-3 + draw.seed as f32 + draw.epoch as f32;
        let (mut features, mut targets) = (batch.features().clone(), batch.targets().clone());
        let mut sources: Vec<usize> = (0..n).collect();
        let mut weights = vec![1.0; n];
        match self.0 {
            Fault::Clock => step += clock() as f32,
            Fault::NotFinite => step = f32::INFINITY,
            Fault::OneDimensionLess => features = Matrix::new(n, 7, vec![0.0; n * 7])?,
            Fault::TargetsOfTwo => targets.row_mut(0).fill(1.0),
            Fault::AllWeightsZero => weights.fill(0.0),
            Fault::NoRows => {
                sources.clear();
                weights.clear();
                features = features.select(&[]);
                targets = targets.select(&[]);
            }
            Fault::OtherGroups => {
                // Rows of a set of its own: parents and groups belong to that set.
                let names: Vec<String> = (0..n).map(|i| format!("g{i}")).collect();
                let labels = batch.labels();
                let own = LabelledSet::new(features, batch.classes().to_vec(), labels, &names)?;
                return Ok(TrainBatch::from_view(&TrainView::whole(&own)));
            }
            _ => {}
        }
        for i in 0..features.n_rows() {
            features.row_mut(i)[0] += step;
        }
        let moved = batch.derive_with_targets(features, targets, &sources, weights)?;
        match self.0 {
            Fault::OneDimensionLess | Fault::AllWeightsZero | Fault::NoRows => Ok(moved),
            _ => batch.clone().concat(&moved),
        }
    }
}
