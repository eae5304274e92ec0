// SPDX-License-Identifier: MIT OR Apache-2.0

use std::process::ExitCode;

use eosin::crates::core::Error;

/// What `eosin --help` says of exit codes.
pub const HELP: &str = "Exit codes:
  0  done
  1  unexpected failure
  2  wrong argument or configuration value
  3  a file is damaged or not what it should be
  4  the system refused (missing file, permission, full disk)
  5  not available in this build
  6  embeddings of two contracts would be mixed
  7  a patient, slide or tile stands on both sides of a split
  8  done, but some slides, tiles or backbones were left out; they are named
  141  whoever read the output has gone, as in `eosin … | head -1`";

/// The system refused.
pub const ENVIRONMENT: u8 = 4;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The work is done, but not for every slide, tile or backbone.
    Partial,
}

impl Outcome {
    /// Partial where anything was skipped.
    pub fn of(n_skipped: usize) -> Self {
        if n_skipped == 0 { Self::Done } else { Self::Partial }
    }

    pub fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Partial => ExitCode::from(8),
        }
    }
}

/// Prints the error, its causes and what to do, and gives the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    let Some(known) = error.chain().find_map(|e| e.downcast_ref::<Error>()) else {
        return ExitCode::from(1);
    };
    eprintln!("hint: {}", known.hint());
    ExitCode::from(match known {
        Error::Input { .. } => 2,
        Error::Data { .. } => 3,
        Error::Environment { .. } => ENVIRONMENT,
        Error::Unsupported { .. } => 5,
        Error::Contract { .. } => 6,
        Error::Leakage { .. } => 7,
        _ => 1,
    })
}
