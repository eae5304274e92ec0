// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

/// One contender on one case; `benches/README.md` describes the fields.
#[derive(Clone, Debug, Serialize)]
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

/// Figures by series, in the order in which they were taken.
#[derive(Default)]
pub struct Figures(BTreeMap<Series, Vec<f64>>);

impl Figures {
    pub fn add(&mut self, series: Series, value: f64) {
        self.0.entry(series).or_default().push(value);
    }

    pub fn into_measurements(self) -> Vec<Measurement> {
        self.0
            .into_iter()
            .map(|(series, mut values)| {
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
                }
            })
            .collect()
    }
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
        let _ = writeln!(
            out,
            "{:44} {} threads  {:14} {:12} {:>12.4} {:8} ({:.4}–{:.4})  eosin is {ratio:.2}×",
            m.case, m.threads, m.system, m.version, m.median, m.unit, m.min, m.max
        );
    }
    out
}
