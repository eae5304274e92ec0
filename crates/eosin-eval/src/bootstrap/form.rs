// SPDX-License-Identifier: MIT OR Apache-2.0

//! From replicates of a statistic to its interval.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, quantile};

/// From so many groups on an interval is that of the percentiles.
pub const PERCENTILE_GROUPS: usize = 40;
/// Below so many groups there is no interval.
pub const FEWEST_GROUPS: usize = 5;

/// How an interval was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Percentiles of the replicates.
    #[default]
    Percentile,
    /// θ̂ ± t(G − 1)·s·√(G/(G − 1)) on the statistic's scale, s being the standard deviation of the
    /// replicates: for fewer than [`PERCENTILE_GROUPS`] groups.
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
    /// The value on the scale; values at an end are taken `least` inside, where all are finite.
    fn stretch(self, value: f64, least: f64) -> f64 {
        let log_odds = |p: f64| {
            let p = p.clamp(least, 1.0 - least);
            (p / (1.0 - p)).ln()
        };
        match self {
            Self::Unit => log_odds(value),
            Self::Signed => log_odds(f64::midpoint(value, 1.0)),
            Self::Positive => value.max(least).ln(),
            Self::Real => value,
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
    // An end is as far as one row's worth of a group: further in than any replicate but the ends.
    let least = 1.0 / (20.0 * groups);
    let centre = scale.stretch(estimate, least);
    let stretched: Vec<f64> = values.iter().map(|&v| scale.stretch(v, least)).collect();
    let n = stretched.len() as f64;
    let mean = stretched.iter().sum::<f64>() / n;
    let variance = stretched.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t = StudentsT::new(0.0, 1.0, groups - 1.0).ok()?.inverse_cdf(f64::midpoint(1.0, level));
    let half = t * variance.sqrt() * (groups / (groups - 1.0)).sqrt();
    Some((scale.restore(centre - half), scale.restore(centre + half)))
}
