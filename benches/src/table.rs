// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// One contender on one case; `benches/README.md` describes the fields.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Measurement {
    pub case: String,
    pub system: String,
    pub version: String,
    pub threads: usize,
    pub unit: String,
    pub higher_is_better: bool,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub repeats: usize,
    /// How near it came to the reference, where there is one.
    #[serde(flatten)]
    pub agreement: Option<Agreement>,
}

/// How near a contender's result is to the reference's.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Agreement {
    /// Largest difference over the largest value.
    pub max_difference: f64,
    /// Least cosine.
    pub cosine: f64,
}

/// What is measured, without the figures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    pub case: String,
    pub threads: usize,
    pub system: String,
    pub version: String,
    pub unit: String,
    pub higher_is_better: bool,
}

/// Figures by series.
#[derive(Default)]
pub struct Figures(BTreeMap<Series, (Vec<f64>, Option<Agreement>)>);

impl Figures {
    pub fn add(&mut self, series: Series, value: f64) {
        self.0.entry(series).or_default().0.push(value);
    }

    pub fn agree(&mut self, series: Series, agreement: Agreement) {
        self.0.entry(series).or_default().1 = Some(agreement);
    }

    pub fn into_measurements(self) -> Vec<Measurement> {
        self.0
            .into_iter()
            .filter(|(_, (values, _))| !values.is_empty())
            .map(|(series, (mut values, agreement))| {
                values.sort_by(f64::total_cmp);
                let middle = values.len() / 2;
                let median = if values.len() % 2 == 1 {
                    values[middle]
                } else {
                    f64::midpoint(values[middle - 1], values[middle])
                };
                Measurement {
                    case: series.case,
                    system: series.system,
                    version: series.version,
                    threads: series.threads,
                    unit: series.unit,
                    higher_is_better: series.higher_is_better,
                    median,
                    min: values[0],
                    max: values[values.len() - 1],
                    repeats: values.len(),
                    agreement,
                }
            })
            .collect()
    }
}

/// The measurements of an earlier run; none where there was none.
pub fn read(path: &Path) -> Result<Vec<Measurement>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(serde_json::from_str(&text)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// `new`, and those of `old` whose case `new` has not got with as many threads.
pub fn merged(old: Vec<Measurement>, new: Vec<Measurement>) -> Vec<Measurement> {
    let is_new = |o: &Measurement| new.iter().any(|n| n.case == o.case && n.threads == o.threads);
    let mut all: Vec<Measurement> = old.into_iter().filter(|o| !is_new(o)).collect();
    all.extend(new);
    all.sort_by(|a, b| (&a.case, a.threads, &a.system).cmp(&(&b.case, b.threads, &b.system)));
    all
}

/// A line per measurement, with Eosin's ratio to each peer.
pub fn text(measurements: &[Measurement]) -> String {
    let mut out = String::new();
    for m in measurements {
        let ours = measurements
            .iter()
            .find(|o| o.case == m.case && o.threads == m.threads && o.system == "eosin")
            .map_or(f64::NAN, |o| o.median);
        let ratio = if m.higher_is_better { ours / m.median } else { m.median / ours };
        let ratio = if ratio.is_nan() { String::new() } else { format!("  eosin is {ratio:.2}×") };
        let agreement = m.agreement.map_or(String::new(), |a| {
            format!(
                ", largest difference {:.1e}, 1 - cosine {:.1e}",
                a.max_difference,
                1.0 - a.cosine
            )
        });
        let _ = writeln!(
            out,
            "{:44} {} threads  {:14} {:12} {:>12.4} {:8} ({:.4}–{:.4}, {} repeats){ratio}{agreement}",
            m.case, m.threads, m.system, m.version, m.median, m.unit, m.min, m.max, m.repeats
        );
    }
    out
}
