// SPDX-License-Identifier: MIT OR Apache-2.0

//! Metrics as scikit-learn defines them, with a weight per row everywhere.
//!
//! A weight of `None` is 1 for every row. A metric that is undefined, such as the AUROC of rows of
//! one class, is NaN, so that a bootstrap can count it instead of stopping.

mod binary;
mod calibration;
mod centres;
mod confusion;
mod perfect;
mod ranked;

pub use binary::{BinaryCounts, precision_at_prevalence};
pub use calibration::{
    ReliabilityBin, brier, brier_multiclass, expected_calibration_error, log_loss,
    log_loss_multiclass, reliability,
};
pub use centres::{CentreMetrics, confusion_by_centre, metrics_by_centre, rows_by_centre};
pub use confusion::ConfusionMatrix;
pub use perfect::{PerfectEce, perfect_ece};
pub use ranked::{CurvePoint, Ranked, Threshold, auprc, auroc};

/// The weight of row `i`.
fn weight(weights: Option<&[f64]>, i: usize) -> f64 {
    weights.map_or(1.0, |w| w.get(i).copied().unwrap_or(0.0))
}

/// `a / b`, or `otherwise` where `b` is zero.
fn ratio(a: f64, b: f64, otherwise: f64) -> f64 {
    if b == 0.0 { otherwise } else { a / b }
}
