// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands in for training in a build without a backend of burn.

use eosin_core::{Error, Result};

use crate::dense::Array;
use crate::schedule::{Items, Plan, TrainingLog};

/// Refuses to train, naming the feature that would.
pub(crate) fn train<T>(
    plan: &Plan,
    _data: &T,
    _parameters: Vec<Array>,
    _items: &Items,
) -> Result<(Vec<Array>, TrainingLog)> {
    Err(Error::unsupported(
        format!("training on engine `{}` in this build", plan.compute.engine),
        &[],
        format!("build with the Cargo feature `{}`", plan.compute.engine),
    ))
}
