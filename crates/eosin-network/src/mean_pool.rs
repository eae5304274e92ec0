// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_core::{
    Bags, Error, Head, HeadRecord, HeadTrainer, LabelledSet, Probabilities, Result, SlideHead,
    SlideHeadTrainer, TrainBags, TrainBatch, TrainView,
};

pub(crate) const KIND: &str = "mean-pool";

/// Kind `mean-pool`: any tile head on the mean embedding of each slide, by default `logistic`.
///
/// It is the baseline that attention has to beat, and with the exact logistic head it costs
/// nothing. [`mean_pooled`](eosin_core::Bags::mean_pooled) rows can also be tuned like tiles.
pub struct MeanPoolTrainer {
    trainer: Arc<dyn HeadTrainer>,
}

/// A fitted [`MeanPoolTrainer`].
pub struct MeanPoolHead {
    head: Box<dyn Head>,
}

impl MeanPoolTrainer {
    /// Uses `trainer` on the slides' means.
    pub fn new(trainer: Arc<dyn HeadTrainer>) -> Self {
        Self { trainer }
    }

    /// Fits one head.
    pub fn fit(&self, bags: &TrainBags, penalty: f64) -> Result<MeanPoolHead> {
        let set = LabelledSet::new(
            bags.bags()?.mean_pooled()?,
            bags.classes().to_vec(),
            bags.labels(),
            &bags.group_names(),
        )?;
        let batch = TrainBatch::from_view(&TrainView::whole(&set));
        Ok(MeanPoolHead { head: self.trainer.fit(&batch, penalty)? })
    }
}

impl SlideHeadTrainer for MeanPoolTrainer {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn penalties(&self) -> Vec<f64> {
        self.trainer.penalties()
    }

    fn fit_slides(&self, bags: &TrainBags, penalty: f64) -> Result<Box<dyn SlideHead>> {
        Ok(Box::new(self.fit(bags, penalty)?))
    }
}

impl MeanPoolHead {
    /// Makes a head again; `remake` makes the tile head that it uses, of kind `logistic` or such.
    pub fn from_record(
        record: &HeadRecord,
        remake: impl FnOnce(&HeadRecord) -> Result<Box<dyn Head>>,
    ) -> Result<Self> {
        let inner = record.kind.strip_prefix(KIND).and_then(|rest| rest.strip_prefix('/'));
        let Some(kind) = inner else {
            return Err(Error::input(
                "head of slides",
                format!("kind {KIND}/… with the kind of the head on the means"),
                record.kind.clone(),
                "use the release that trained it",
            ));
        };
        let head = remake(&HeadRecord { kind: kind.to_string(), ..record.clone() })?;
        Ok(Self { head })
    }
}

impl SlideHead for MeanPoolHead {
    fn classes(&self) -> &[String] {
        self.head.classes()
    }

    fn predict(&self, bags: &Bags) -> Result<Probabilities> {
        self.head.predict(&bags.mean_pooled()?)
    }

    fn attention(&self, bags: &Bags) -> Result<Vec<Vec<f32>>> {
        let equal = |n: usize| vec![1.0 / n as f32; n];
        Ok(bags.bags().iter().map(|bag| equal(bag.rows.len())).collect())
    }

    fn record(&self) -> HeadRecord {
        let record = self.head.record();
        HeadRecord { kind: format!("{KIND}/{}", record.kind), ..record }
    }
}
