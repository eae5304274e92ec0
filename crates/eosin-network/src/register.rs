// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{HeadKind, Options, Registry, SlideHeadKind, TransformKind};
use serde::Deserialize;

use crate::abmil::{self, AbmilHead};
use crate::mean_pool::{self, MeanPoolHead};
use crate::mlp::{self, MlpHead};
use crate::{AbmilTrainer, LearnedOperator, MeanPoolTrainer, MlpTrainer};

/// Adds `mlp`, the heads of slides `abmil` and `mean-pool`, and the transform `learned-operator`.
pub fn register(registry: &mut Registry) {
    let mlp =
        HeadKind::of::<MlpTrainer>(mlp::KIND, |record| Ok(Box::new(MlpHead::from_record(record)?)));
    registry.heads.register(mlp::KIND, mlp);
    let abmil = SlideHeadKind::of::<AbmilTrainer>(abmil::KIND, |record| {
        Ok(Box::new(AbmilHead::from_record(record)?))
    });
    registry.slide_heads.register(abmil::KIND, abmil);
    let mean_pool = SlideHeadKind::new(
        |options, registry| {
            let MeanPoolOptions { head } = options.read("head mean-pool")?;
            let head = registry.heads.get(&head.kind)?.make(&head.options)?;
            Ok(Box::new(MeanPoolTrainer::new(head)))
        },
        |record, registry| {
            let remake = |record: &_| registry.restore_head(record);
            Ok(Box::new(MeanPoolHead::from_record(record, remake)?))
        },
    );
    registry.slide_heads.register(mean_pool::KIND, mean_pool);
    let operator = TransformKind::of::<LearnedOperator>("learned-operator");
    registry.transforms.register("learned-operator", operator);
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MeanPoolOptions {
    /// The head on the slides' means.
    head: InnerHead,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InnerHead {
    kind: String,
    #[serde(default)]
    options: Options,
}

impl Default for InnerHead {
    fn default() -> Self {
        Self { kind: "logistic".into(), options: Options::default() }
    }
}
