// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;
use std::time::Duration;

/// How many damaged inputs are made, which, and what each may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutantOptions {
    /// Makes other inputs; with the number of a mutant it tells the input.
    pub seed: u64,
    /// Number of the first mutant.
    pub first: u64,
    /// How many are made at most.
    pub mutants: u64,
    /// For how long they are made at most.
    pub duration: Duration,
    /// How long one input may be read.
    pub each: Duration,
    /// Bytes that reading one input may hold at once.
    pub max_bytes: usize,
    /// Where inputs at fault are kept, and inputs under way are written.
    pub folder: PathBuf,
    /// A file for the [`MutantReport`](super::MutantReport) in JSON.
    pub report: Option<PathBuf>,
}

/// Mutants of each parser where the environment names neither a number nor a time.
const USUAL_MUTANTS: u64 = 150;

impl MutantOptions {
    /// As tests run, or as the environment says: `EOSIN_MUTANTS` for each parser,
    /// `EOSIN_MUTANT_SECONDS` for each parser, `EOSIN_MUTANT_SEED`, `EOSIN_MUTANT_FIRST`,
    /// `EOSIN_MUTANT_REPORT`. Where a time is given and no number, only the time counts.
    pub fn from_environment(folder: PathBuf) -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
        let seconds = number("EOSIN_MUTANT_SECONDS");
        let usual = if seconds.is_some() { u64::MAX } else { USUAL_MUTANTS };
        Self {
            seed: number("EOSIN_MUTANT_SEED").unwrap_or(0),
            first: number("EOSIN_MUTANT_FIRST").unwrap_or(0),
            mutants: number("EOSIN_MUTANTS").unwrap_or(usual),
            duration: seconds.map_or(Duration::MAX, Duration::from_secs),
            each: Duration::from_secs(20),
            max_bytes: 512 << 20,
            folder,
            report: std::env::var_os("EOSIN_MUTANT_REPORT").map(PathBuf::from),
        }
    }
}
