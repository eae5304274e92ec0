// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{HeadKind, Registry, TransformKind};

use crate::{
    BorderlineSmote, CentreSwap, ClassWeights, ClusterNoise, CovarianceTransfer, Delta, Duplicate,
    Extrapolate, FeatureDropout, GaussianNoise, Interpolate, IsdaTrainer, Mixup, Smote,
    ViewBankTransform, ViewOperator,
};

/// Registers transforms that are their own options.
macro_rules! register_transforms {
    ($registry:ident, $($kind:literal => $transform:ty,)+) => {
        $($registry.transforms.register($kind, TransformKind::of::<$transform>($kind));)+
    };
}

/// Adds every transform of this crate, and the head `isda`, which augments as it fits.
pub fn register(registry: &mut Registry) {
    register_transforms! { registry,
        "gaussian-noise" => GaussianNoise,
        "view-bank" => ViewBankTransform,
        "class-weights" => ClassWeights,
        "duplicate" => Duplicate,
        "interpolate" => Interpolate,
        "extrapolate" => Extrapolate,
        "smote" => Smote,
        "borderline-smote" => BorderlineSmote,
        "mixup" => Mixup,
        "feature-dropout" => FeatureDropout,
        "cluster-noise" => ClusterNoise,
        "covariance-transfer" => CovarianceTransfer,
        "centre-swap" => CentreSwap,
        "delta" => Delta,
        "view-operator" => ViewOperator,
    }
    registry.heads.register("isda", HeadKind::saved_as::<IsdaTrainer>("isda", "logistic"));
}
