// SPDX-License-Identifier: MIT OR Apache-2.0

//! From replicates of a statistic to its interval.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, quantile};

/// From so many groups on an interval is that of the percentiles.
pub const PERCENTILE_GROUPS: usize = 40;
/// Below so many groups there is no interval.
pub const FEWEST_GROUPS: usize = 5;

/// Where the replicates' standard deviation is so many times the distance to the nearest end, the
/// scale stretches what is next to nothing beyond all bounds, and the numbers themselves are taken.
const TOO_NEAR: f64 = 2.0;

/// How an interval was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Percentiles of the replicates.
    #[default]
    Percentile,
    /// θ̂ ± t(G − 1)·s·√(G/(G − 1)) on the statistic's scale, s being the standard deviation of the
    /// replicates times the scale's slope at θ̂: for fewer than [`PERCENTILE_GROUPS`] groups. At an
    /// end of its scale, such as an AUROC of 1, what the number of groups leaves open.
    Student,
    /// There is none: too few groups, or too few replicates in which the statistic is defined.
    None,
}

/// The scale on which a statistic's error is nearest to a normal one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// From 0 to 1, such as F1 or AUROC: log odds.
    #[default]
    Unit,
    /// From −1 to 1, such as MCC: the inverse hyperbolic tangent.
    Signed,
    /// From 0 on, such as the log loss: the logarithm.
    Positive,
    /// Any number, such as a difference: the number itself.
    Real,
}

impl Scale {
    /// The value on the scale and the slope there; none at an end, where both are infinite.
    fn stretch(self, value: f64) -> Option<(f64, f64)> {
        let log_odds =
            |p: f64| (p > 0.0 && p < 1.0).then(|| ((p / (1.0 - p)).ln(), 1.0 / (p * (1.0 - p))));
        match self {
            Self::Unit => log_odds(value),
            Self::Signed => {
                log_odds(f64::midpoint(value, 1.0)).map(|(at, slope)| (at, slope / 2.0))
            }
            Self::Positive => (value > 0.0).then(|| (value.ln(), 1.0 / value)),
            Self::Real => Some((value, 1.0)),
        }
    }

    /// The least and the largest value.
    fn ends(self) -> (f64, f64) {
        match self {
            Self::Unit => (0.0, 1.0),
            Self::Signed => (-1.0, 1.0),
            Self::Positive => (0.0, f64::INFINITY),
            Self::Real => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    fn restore(self, value: f64) -> f64 {
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        match self {
            Self::Unit => logistic(value),
            Self::Signed => 2.0 * logistic(value) - 1.0,
            Self::Positive => value.exp(),
            Self::Real => value,
        }
    }

    /// The interval of a value at an end of a bounded scale: what so many groups without an
    /// exception leave open (Clopper & Pearson), each group being one trial.
    fn at_end(self, value: f64, groups: f64, level: f64) -> Option<(f64, f64)> {
        let reach = ((1.0 - level) / 2.0).powf(1.0 / groups);
        let (low, high) = self.ends();
        if !(low.is_finite() && high.is_finite()) {
            None
        } else if value >= high {
            Some((low + (high - low) * reach, high))
        } else if value <= low {
            Some((low, high - (high - low) * reach))
        } else {
            None
        }
    }
}

/// The interval of a statistic from its replicates.
pub(super) fn interval(
    form: Form,
    scale: Scale,
    estimate: f64,
    mut values: Vec<f64>,
    n_groups: usize,
    level: f64,
) -> Interval {
    let replicates = values.len();
    values.retain(|v| !v.is_nan());
    let undefined = replicates - values.len();
    let ends = match form {
        Form::None => None,
        Form::Percentile if values.is_empty() => None,
        Form::Percentile => {
            values.sort_by(f64::total_cmp);
            let tail = (1.0 - level) / 2.0;
            Some((quantile(&values, tail), quantile(&values, 1.0 - tail)))
        }
        Form::Student => student(scale, estimate, &values, n_groups, level),
    };
    let (lower, upper) = ends.unwrap_or((f64::NAN, f64::NAN));
    let form = if ends.is_some() { form } else { Form::None };
    Interval { estimate, lower, upper, undefined, replicates, n_groups, form }
}

fn student(
    scale: Scale,
    estimate: f64,
    values: &[f64],
    n_groups: usize,
    level: f64,
) -> Option<(f64, f64)> {
    if estimate.is_nan() || values.len() < 2 || n_groups < 2 {
        return None;
    }
    let groups = n_groups as f64;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let Some((centre, slope)) = scale.stretch(estimate) else {
        return scale.at_end(estimate, groups, level);
    };
    // Sums of equal numbers may be a last digit off.
    if variance.sqrt() <= 1e-12 * estimate.abs() && scale != Scale::Real {
        // Replicates that do not vary say nothing of the spread, which is not known to be 0.
        return None;
    }
    let t = StudentsT::new(0.0, 1.0, groups - 1.0).ok()?.inverse_cdf(f64::midpoint(1.0, level));
    let error = variance.sqrt() * (groups / (groups - 1.0)).sqrt();
    if slope * variance.sqrt() > TOO_NEAR {
        let (low, high) = scale.ends();
        return Some(((estimate - t * error).max(low), (estimate + t * error).min(high)));
    }
    let half = t * slope * error;
    Some((scale.restore(centre - half), scale.restore(centre + half)))
}
