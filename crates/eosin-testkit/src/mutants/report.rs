// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What came of a parser's damaged inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MutantReport {
    /// The parser.
    pub parser: String,
    /// The seed.
    pub seed: u64,
    /// Inputs that were read.
    pub mutants: u64,
    /// Those that were read without an error.
    pub accepted: u64,
    /// Those that were refused.
    pub rejected: u64,
    /// The longest reading in milliseconds, of those that ended.
    pub slowest_ms: f64,
    /// The mutant that took it.
    pub slowest_mutant: u64,
    /// Bytes held at once at most, beyond those before.
    pub peak_bytes: u64,
    /// The mutant that held them.
    pub peak_mutant: u64,
    /// How long all took.
    pub seconds: f64,
    /// One of each kind.
    pub faults: Vec<MutantFault>,
}

/// A damaged input that a parser did not survive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MutantFault {
    /// The mutant's number.
    pub mutant: u64,
    /// What happened, with the place in the source where that is known.
    pub kind: String,
    /// What the program said.
    pub message: String,
    /// The input, if it was kept.
    pub file: PathBuf,
    /// How many more inputs did the same.
    pub more: u64,
}

impl MutantReport {
    /// Writes JSON so that a reader sees the old report or the new.
    pub(super) fn write(&self, path: &Path) {
        let text = serde_json::to_string(self).unwrap_or_default();
        let aside = path.with_extension("tmp");
        // Where there is no room for it, the run that reads it says so.
        let _ = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, path));
    }

    pub(super) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Adds what a later child found.
    pub(super) fn add(&mut self, later: Self) {
        self.mutants += later.mutants;
        self.accepted += later.accepted;
        self.rejected += later.rejected;
        if later.slowest_ms > self.slowest_ms {
            (self.slowest_ms, self.slowest_mutant) = (later.slowest_ms, later.slowest_mutant);
        }
        if later.peak_bytes > self.peak_bytes {
            (self.peak_bytes, self.peak_mutant) = (later.peak_bytes, later.peak_mutant);
        }
        for fault in later.faults {
            self.add_fault(fault);
        }
    }

    /// Notes a fault, or counts it where one of its kind is known.
    pub(super) fn add_fault(&mut self, fault: MutantFault) -> bool {
        if let Some(known) = self.faults.iter_mut().find(|f| f.kind == fault.kind) {
            known.more += 1 + fault.more;
            return false;
        }
        self.faults.push(fault);
        true
    }
}
