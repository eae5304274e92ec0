// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use crate::Metric;

/// A way to call rows that looks at no tile: the level that a head must beat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrivialCall {
    /// What is called.
    pub name: String,
    /// The metrics of the arms, without intervals; NaN where such a call has none.
    pub metrics: Vec<Metric>,
}

impl TrivialCall {
    /// The metric of this name, where the call has one.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let found = self.metrics.iter().find(|m| m.name == name)?;
        found.estimate.is_finite().then_some(found.estimate)
    }
}

/// The call of the highest value of a metric, with that value.
pub(crate) fn level<'a>(calls: &'a [TrivialCall], metric: &str) -> Option<(&'a TrivialCall, f64)> {
    let found = calls.iter().filter_map(|call| Some((call, call.metric(metric)?)));
    found.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Whether what was measured is not told from a level: its interval reaches down to it.
pub(crate) fn reaches(own: &Metric, level: f64) -> bool {
    own.lower <= level || own.estimate <= level
}
