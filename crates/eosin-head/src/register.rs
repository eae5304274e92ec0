// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{HeadKind, Registry};

#[cfg(feature = "linfa-logistic")]
use crate::LinfaLogisticTrainer;
use crate::record::head_from_record;
use crate::{KnnTrainer, NearestMeanTrainer};
#[cfg(feature = "fit")]
use crate::{LdaTrainer, LinearSvmTrainer, LogisticTrainer, RidgeTrainer};

/// Registers heads whose trainers are their own options.
macro_rules! register_heads {
    ($registry:ident, $($kind:literal => $trainer:ty,)+) => {
        $($registry.heads.register($kind, HeadKind::of::<$trainer>($kind, head_from_record));)+
    };
}

/// Adds every kind of head of this crate, and names the features of those that were left out.
pub fn register(registry: &mut Registry) {
    #[cfg(feature = "fit")]
    register_heads! { registry,
        "logistic" => LogisticTrainer,
        "ridge" => RidgeTrainer,
        "lda" => LdaTrainer,
        "linear-svm" => LinearSvmTrainer,
    }
    #[cfg(not(feature = "fit"))]
    for kind in ["logistic", "ridge", "lda", "linear-svm"] {
        registry.heads.compiled_out(kind, "fit");
    }
    #[cfg(feature = "linfa-logistic")]
    register_heads! { registry, "linfa-logistic" => LinfaLogisticTrainer, }
    #[cfg(not(feature = "linfa-logistic"))]
    registry.heads.compiled_out("linfa-logistic", "linfa-logistic");
    register_heads! { registry,
        "knn" => KnnTrainer,
        "nearest-mean" => NearestMeanTrainer,
    }
}
