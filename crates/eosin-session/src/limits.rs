// SPDX-License-Identifier: MIT OR Apache-2.0

//! What numbers may be: one table for the command line and every configuration.

use std::fmt;

use eosin_core::{Error, Result};

/// What a number may be. Both ends are allowed, except the lower one of `Above`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// A whole number from the first to the second.
    Whole(u64, u64),
    /// A number from the first to the second.
    Real(f64, f64),
    /// A number above the first, at most the second.
    Above(f64, f64),
}

/// Every number that a user may give, by the word that is its option, `--tile-um`, and its key,
/// `tile_um`. The bounds are wide: what is beyond them is a slip of the hand, or would exhaust the
/// machine. What a single kind can do with a value inside them, it says itself.
const LIMITS: &[(&str, Limit)] = &[
    // The machine.
    ("batch_size", Limit::Whole(1, 65_536)),
    ("cache_mib", Limit::Whole(0, 1 << 20)),
    ("limit", Limit::Whole(0, 1_000_000_000)),
    ("min_age", Limit::Whole(0, 52_560_000)),
    ("threads", Limit::Whole(0, 1024)),
    // Randomness.
    ("seed", Limit::Whole(0, u64::MAX)),
    // Tiles.
    ("max_upsampling", Limit::Real(1.0, 16.0)),
    ("min_share", Limit::Above(0.0, 1.0)),
    ("min_roi", Limit::Real(0.0, 1.0)),
    ("min_tissue", Limit::Real(0.0, 1.0)),
    ("mpp", Limit::Real(0.01, 100.0)),
    ("mpp_tolerance", Limit::Real(0.0, 0.5)),
    ("overlap", Limit::Real(0.0, 0.95)),
    ("tile_px", Limit::Whole(1, 4096)),
    ("tile_um", Limit::Above(0.0, 100_000.0)),
    // Tissue.
    ("close_px", Limit::Whole(0, 1024)),
    ("fixed", Limit::Whole(0, 255)),
    ("focus", Limit::Real(0.0, 1e6)),
    ("max_hole", Limit::Real(0.0, 1.0)),
    ("median_px", Limit::Whole(1, 255)),
    ("min_area", Limit::Real(0.0, 1.0)),
    ("thumbnail_px", Limit::Whole(1, 8192)),
    // Pictures.
    ("merge", Limit::Real(0.0, 1.0)),
    ("opacity", Limit::Real(0.0, 1.0)),
    ("px", Limit::Whole(256, 4096)),
    ("smoothing", Limit::Real(0.0, 20.0)),
    // Views.
    ("blur_px", Limit::Real(0.0, 16.0)),
    ("brightness", Limit::Real(0.0, 0.999)),
    ("contrast", Limit::Real(0.0, 0.999)),
    ("hed_sigma", Limit::Real(0.0, 0.999)),
    ("jpeg_quality", Limit::Whole(0, 100)),
    ("n_views", Limit::Whole(2, 256)),
    ("views", Limit::Whole(2, 256)),
    ("zoom", Limit::Real(0.0, 1.0)),
    // Designs: folds, repeats, intervals.
    ("abstention_risk", Limit::Above(0.0, 0.999)),
    ("budget", Limit::Whole(1, 10_000)),
    ("certainty", Limit::Above(0.0, 0.999_999)),
    ("conformal_risk", Limit::Above(0.0, 0.999)),
    ("folds", Limit::Whole(2, 1000)),
    ("inner_folds", Limit::Whole(2, 1000)),
    ("level", Limit::Above(0.0, 0.999_999)),
    ("logit_adjustment", Limit::Real(0.0, 100.0)),
    ("parameters", Limit::Whole(0, 1_000_000_000_000_000)),
    ("pca", Limit::Whole(0, 65_536)),
    ("positives", Limit::Whole(1, 1_000_000_000)),
    ("prevalence", Limit::Above(0.0, 0.999_999)),
    ("repeats", Limit::Whole(1, 1000)),
    ("replicates", Limit::Whole(100, 1_000_000)),
    ("rope", Limit::Real(0.0, 1.0)),
    ("shortlist", Limit::Whole(1, 10_000)),
    ("transform", Limit::Whole(0, 1000)),
    ("validation_folds", Limit::Whole(0, 1000)),
    // Proxies and probes.
    ("block_px", Limit::Whole(1, 1_000_000_000)),
    ("episodes", Limit::Whole(1, 1_000_000)),
    ("radius", Limit::Above(0.0, 1e9)),
    ("shots", Limit::Whole(1, 1_000_000)),
    ("tiles", Limit::Whole(1, 1_000_000_000)),
    // Heads.
    ("attention", Limit::Whole(1, 65_536)),
    ("batch", Limit::Whole(1, 1_000_000)),
    ("dropout", Limit::Real(0.0, 0.999)),
    ("epochs", Limit::Whole(1, 1_000_000)),
    ("hidden", Limit::Whole(1, 65_536)),
    ("ks", Limit::Whole(1, 1_000_000_000)),
    ("learning_rate", Limit::Above(0.0, 1000.0)),
    ("max_iterations", Limit::Whole(1, 1_000_000_000)),
    ("max_passes", Limit::Whole(1, 1_000_000_000)),
    ("max_rounds", Limit::Whole(1, 1_000_000_000)),
    ("max_tiles", Limit::Whole(1, 1_000_000_000)),
    ("patience", Limit::Whole(1, 1_000_000)),
    ("penalties", Limit::Real(0.0, 1e15)),
    ("shrinkages", Limit::Real(0.0, 1.0)),
    ("temperatures", Limit::Above(0.0, 1e9)),
    ("tolerance", Limit::Real(0.0, 1.0)),
    ("weight_decay", Limit::Real(0.0, 1e9)),
    // Augmentation.
    ("alpha", Limit::Above(0.0, 1e6)),
    ("centre_of_group", Limit::Whole(0, 4_294_967_295)),
    ("clusters", Limit::Whole(1, 100_000)),
    ("copies", Limit::Whole(0, 1000)),
    ("gamma", Limit::Real(0.0, 1000.0)),
    ("k", Limit::Whole(1, 1_000_000)),
    ("lambda", Limit::Real(0.0, 1000.0)),
    ("m", Limit::Whole(1, 1_000_000)),
    ("min_rows", Limit::Whole(0, 1_000_000_000)),
    ("n", Limit::Whole(0, 256)),
    ("neighbours", Limit::Whole(1, 1_000_000)),
    ("p", Limit::Real(0.0, 0.999)),
    ("power", Limit::Real(0.0, 100.0)),
    ("ratio", Limit::Real(0.0, 1000.0)),
    ("rich", Limit::Whole(0, 1_000_000_000)),
    ("ridge", Limit::Real(0.0, 1e15)),
];

/// A number that the table does not know, such as a plugin's.
const UNKNOWN: Limit = Limit::Real(-1e15, 1e15);

/// What the number of this name may be; for other names, any that is finite and not enormous.
pub fn limit(name: &str) -> Limit {
    LIMITS.iter().find(|(key, _)| *key == name).map_or(UNKNOWN, |(_, limit)| *limit)
}

impl Limit {
    /// Reads a number as it is typed, or says what was expected.
    pub fn parse(self, text: &str) -> Result<f64, String> {
        let refused = || format!("expected {self}, found {text}");
        let value = match self {
            Self::Whole(..) => {
                // In integers, so that no digit is lost.
                let value: u64 = text.parse().map_err(|_| refused())?;
                return if self.holds_whole(value) { Ok(value as f64) } else { Err(refused()) };
            }
            Self::Real(..) | Self::Above(..) => text.parse().map_err(|_| refused())?,
        };
        if self.holds(value) { Ok(value) } else { Err(refused()) }
    }

    /// Reads a whole number as it is typed, or says what was expected.
    pub fn parse_whole(self, text: &str) -> Result<u64, String> {
        let value = text.parse().ok().filter(|value| self.holds_whole(*value));
        value.ok_or_else(|| format!("expected {self}, found {text}"))
    }

    fn holds_whole(self, value: u64) -> bool {
        match self {
            Self::Whole(least, most) => (least..=most).contains(&value),
            Self::Real(..) | Self::Above(..) => self.holds(value as f64),
        }
    }

    /// Whether a number that need not be whole is allowed; NaN never is.
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Whole(least, most) => {
                value.fract() == 0.0 && (least as f64..=most as f64).contains(&value)
            }
            Self::Real(least, most) => (least..=most).contains(&value),
            Self::Above(least, most) => value > least && value <= most,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Whole(least, u64::MAX) => write!(f, "a whole number from {least} to 2^64 - 1"),
            Self::Whole(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Real(least, most) if least.abs() >= 1e15 => {
                write!(f, "a number from {least:e} to {most:e}")
            }
            Self::Real(least, most) => write!(f, "a number from {least} to {most}"),
            Self::Above(least, most) => write!(f, "a number above {least}, at most {most}"),
        }
    }
}

/// Refuses a configuration in which some number is beyond its limit; `place` is its file or
/// component.
pub fn check_numbers(place: &str, table: &toml::Table) -> Result<()> {
    for (key, value) in table {
        check_value(place, key, key, value)?;
    }
    Ok(())
}

/// `path` is where the value stands, such as `selection.folds`; `key` its last word.
fn check_value(place: &str, path: &str, key: &str, value: &toml::Value) -> Result<()> {
    let limit = limit(key);
    let is_sound = match value {
        toml::Value::Integer(i) => match u64::try_from(*i) {
            Ok(whole) => limit.holds_whole(whole),
            Err(_) => limit.holds(*i as f64),
        },
        // A whole number that is written as 2.0 is refused by its type.
        toml::Value::Float(x) => match limit {
            Limit::Whole(least, most) => (least as f64..=most as f64).contains(x),
            _ => limit.holds(*x),
        },
        toml::Value::Array(values) => {
            return values.iter().try_for_each(|value| check_value(place, path, key, value));
        }
        toml::Value::Table(table) => {
            return table
                .iter()
                .try_for_each(|(k, v)| check_value(place, &format!("{path}.{k}"), k, v));
        }
        _ => true,
    };
    if is_sound {
        return Ok(());
    }
    Err(Error::data(
        place,
        format!("`{path}` to be {limit}"),
        value.to_string(),
        "change the value, or leave it out for the default",
    ))
}
