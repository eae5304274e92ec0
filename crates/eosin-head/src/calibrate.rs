// SPDX-License-Identifier: MIT OR Apache-2.0

//! Makes probabilities mean what they say, fitted on out-of-fold predictions.

use eosin_core::{Error, Probabilities, Result};
use serde::{Deserialize, Serialize};

use crate::linear::softmax;

/// Points from which on isotonic regression is preferred to Platt's line.
const MANY: usize = 1000;

/// Which correction to fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CalibrationMethod {
    /// Leave probabilities as the head gives them.
    #[default]
    None,
    /// One temperature for all classes.
    Temperature,
    /// Platt's line through the logits of two classes.
    Platt,
    /// Isotonic regression of two classes.
    Isotonic,
    /// Isotonic for two classes with 1,000 rows or more, Platt for fewer, temperature for more
    /// classes.
    Auto,
}

/// How a head's probabilities are corrected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Calibration {
    /// softmax(ln p / t); any number of classes. Above 1 the temperature makes predictions less
    /// sure (Guo et al. 2017).
    Temperature {
        /// The temperature t.
        temperature: f64,
    },
    /// σ(slope · logit p + intercept) for class 1 of two (Platt 1999).
    Platt {
        /// Factor of the logit; 1 leaves it.
        slope: f64,
        /// What is added to it.
        intercept: f64,
    },
    /// A rising function of the probability of class 1 of two, linear between its knots.
    Isotonic {
        /// Where the knots are, rising.
        x: Vec<f64>,
        /// Their values, not falling.
        y: Vec<f64>,
    },
}

impl Calibration {
    /// Fits the method on out-of-fold predictions.
    pub fn fit(
        method: CalibrationMethod,
        oof: &Probabilities,
        labels: &[u32],
    ) -> Result<Option<Self>> {
        let fitted = match method {
            CalibrationMethod::None => return Ok(None),
            CalibrationMethod::Temperature => Self::temperature(oof, labels),
            CalibrationMethod::Platt => Self::platt(oof, labels),
            CalibrationMethod::Auto if oof.n_classes() > 2 => Self::temperature(oof, labels),
            CalibrationMethod::Auto if labels.len() < MANY => Self::platt(oof, labels),
            CalibrationMethod::Isotonic | CalibrationMethod::Auto => Self::isotonic(oof, labels),
        };
        fitted.map(Some)
    }

    /// The temperature of the least log loss, between 0.01 and 100.
    pub fn temperature(oof: &Probabilities, labels: &[u32]) -> Result<Self> {
        check_labels(oof, labels, None)?;
        let loss = |log_t: f64| -> f64 {
            let t = log_t.exp();
            let mut row = Vec::new();
            let mut sum = 0.0;
            for (i, &label) in labels.iter().enumerate() {
                row.clear();
                row.extend(oof.row(i).iter().map(|p| log_of(*p) / t));
                softmax(&mut row);
                sum -= log_of(row[label as usize]);
            }
            sum
        };
        // The loss is convex in 1/t, so that it has one valley in ln t too.
        let limit = 100_f64.ln();
        Ok(Self::Temperature { temperature: golden_section(loss, -limit, limit).exp() })
    }

    /// Platt's line through the logits, with targets smoothed to (N₊ + 1)/(N₊ + 2) and 1/(N₋ + 2).
    pub fn platt(oof: &Probabilities, labels: &[u32]) -> Result<Self> {
        check_labels(oof, labels, Some(2))?;
        let positive = labels.iter().filter(|&&l| l == 1).count() as f64;
        let negative = labels.len() as f64 - positive;
        let target = |l: &u32| {
            if *l == 1 { (positive + 1.0) / (positive + 2.0) } else { 1.0 / (negative + 2.0) }
        };
        let scores: Vec<f64> = oof.column(1).into_iter().map(logit).collect();
        let targets: Vec<f64> = labels.iter().map(target).collect();
        let (slope, intercept) = fit_line(&scores, &targets);
        Ok(Self::Platt { slope, intercept })
    }

    /// Isotonic regression of the labels on the probability of class 1, by pooling adjacent
    /// violators; it wants 1,000 rows or more.
    pub fn isotonic(oof: &Probabilities, labels: &[u32]) -> Result<Self> {
        check_labels(oof, labels, Some(2))?;
        let targets: Vec<f64> = labels.iter().map(|&l| f64::from(l.min(1))).collect();
        let (x, y) = isotonic_fit(&oof.column(1), &targets);
        Ok(Self::Isotonic { x, y })
    }

    /// Refuses what no fit can give, as a damaged file may hold it.
    pub(crate) fn check(&self) -> Result<()> {
        let sound = match self {
            Self::Temperature { temperature } => temperature.is_finite() && *temperature > 0.0,
            Self::Platt { slope, intercept } => slope.is_finite() && intercept.is_finite(),
            Self::Isotonic { x, y } => {
                !x.is_empty()
                    && x.len() == y.len()
                    && x.windows(2).all(|w| w[0] < w[1])
                    && y.windows(2).all(|w| w[0] <= w[1])
                    && y.iter().all(|p| (0.0..=1.0).contains(p))
            }
        };
        if sound {
            return Ok(());
        }
        Err(Error::input(
            "calibration",
            "finite numbers, and knots that rise",
            format!("{self:?}"),
            "the head is damaged; train it again",
        ))
    }

    /// Corrected probabilities.
    pub fn apply(&self, probabilities: &Probabilities) -> Result<Probabilities> {
        let n_classes = probabilities.n_classes();
        if n_classes != 2 && !matches!(self, Self::Temperature { .. }) {
            return Err(two_classes(n_classes));
        }
        let mut values = probabilities.values().to_vec();
        for row in values.chunks_exact_mut(n_classes) {
            match self {
                Self::Temperature { temperature } => {
                    for p in row.iter_mut() {
                        *p = log_of(*p) / temperature;
                    }
                    softmax(row);
                }
                Self::Platt { slope, intercept } => {
                    let p = sigmoid(slope * logit(row[1]) + intercept);
                    row.copy_from_slice(&[1.0 - p, p]);
                }
                Self::Isotonic { x, y } => {
                    let p = interpolate(x, y, row[1]);
                    row.copy_from_slice(&[1.0 - p, p]);
                }
            }
        }
        Probabilities::new(n_classes, values)
    }
}

/// The knots of the isotonic regression of `y` on `x`: x rising, y not falling.
///
/// Equal x are one point of their mean y, and of a run of equal values only the ends are knots, as
/// in scikit-learn.
fn isotonic_fit(x: &[f64], y: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| x[a].total_cmp(&x[b]).then(a.cmp(&b)));
    let mut points: Vec<Block> = Vec::new();
    for i in order {
        match points.last_mut() {
            Some(point) if point.last >= x[i] => {
                point.sum += y[i];
                point.weight += 1.0;
            }
            _ => points.push(Block { first: x[i], last: x[i], sum: y[i], weight: 1.0 }),
        }
    }
    let mut blocks: Vec<Block> = Vec::new();
    for mut block in points {
        while let Some(before) = blocks.pop_if(|before| before.mean() >= block.mean()) {
            block = Block {
                first: before.first,
                last: block.last,
                sum: before.sum + block.sum,
                weight: before.weight + block.weight,
            };
        }
        blocks.push(block);
    }
    let (mut knots, mut values) = (Vec::new(), Vec::new());
    for block in blocks {
        knots.push(block.first);
        values.push(block.mean());
        if block.last > block.first {
            knots.push(block.last);
            values.push(block.mean());
        }
    }
    (knots, values)
}

/// Points from `first` to `last` that share their mean.
struct Block {
    first: f64,
    last: f64,
    sum: f64,
    weight: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

/// Linear between knots, constant beyond them.
fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    let above = x.partition_point(|&knot| knot < at);
    match (above.checked_sub(1), x.get(above)) {
        (None, _) => y.first().copied().unwrap_or(at),
        (Some(below), None) => y[below],
        (Some(below), Some(&right)) => {
            let share = (at - x[below]) / (right - x[below]);
            y[below] + share * (y[above] - y[below])
        }
    }
}

/// Slope and intercept of the logistic line through soft targets, by Newton's method.
fn fit_line(scores: &[f64], targets: &[f64]) -> (f64, f64) {
    let loss = |a: f64, b: f64| -> f64 {
        let of = |(s, t): (&f64, &f64)| {
            let z = a * s + b;
            z.max(0.0) + (-z.abs()).exp().ln_1p() - t * z
        };
        scores.iter().zip(targets).map(of).sum()
    };
    let (mut a, mut b) = (0.0, 0.0);
    let mut value = loss(a, b);
    for _ in 0..100 {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12);
        for (s, t) in scores.iter().zip(targets) {
            let p = sigmoid(a * s + b);
            let (r, h) = (p - t, p * (1.0 - p));
            ga += r * s;
            gb += r;
            haa += h * s * s;
            hab += h * s;
            hbb += h;
        }
        let determinant = haa * hbb - hab * hab;
        if determinant <= 0.0 || ga.abs().max(gb.abs()) < 1e-12 {
            break;
        }
        let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
        let mut step = 1.0;
        while step > 1e-10 && loss(a - step * da, b - step * db) > value {
            step *= 0.5;
        }
        (a, b) = (a - step * da, b - step * db);
        value = loss(a, b);
    }
    (a, b)
}

fn golden_section(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let ratio = (5_f64.sqrt() - 1.0) / 2.0;
    let (mut c, mut d) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut fc, mut fd) = (f(c), f(d));
    while high - low > 1e-9 {
        if fc < fd {
            (high, d, fd) = (d, c, fc);
            c = high - ratio * (high - low);
            fc = f(c);
        } else {
            (low, c, fc) = (c, d, fd);
            d = low + ratio * (high - low);
            fd = f(d);
        }
    }
    f64::midpoint(low, high)
}

fn check_labels(oof: &Probabilities, labels: &[u32], n_classes: Option<usize>) -> Result<()> {
    if n_classes.is_some_and(|n| n != oof.n_classes()) {
        return Err(two_classes(oof.n_classes()));
    }
    let known = labels.iter().all(|&l| (l as usize) < oof.n_classes());
    let several = labels.iter().any(|l| *l != labels[0]);
    if labels.len() == oof.n_rows() && known && several {
        return Ok(());
    }
    Err(Error::input(
        "calibration",
        "one known label per prediction, of at least two classes",
        format!("{} labels for {} predictions", labels.len(), oof.n_rows()),
        "calibrate on out-of-fold predictions of every class",
    ))
}

fn two_classes(found: usize) -> Error {
    Error::input(
        "calibration by Platt's line or isotonic regression",
        "two classes",
        found.to_string(),
        "use temperature scaling for more classes",
    )
}

/// ln p, with 0 taken as the smallest number that is not.
fn log_of(p: f64) -> f64 {
    p.max(1e-300).ln()
}

/// ln p/(1 − p) with p kept 1e-15 from 0 and 1.
fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-15, 1.0 - 1e-15);
    (p / (1.0 - p)).ln()
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

#[cfg(all(test, feature = "fit"))]
mod tests;
