// SPDX-License-Identifier: MIT OR Apache-2.0

//! The `eosin` command: `eosin --help` describes it.

use std::process::ExitCode;

fn main() -> ExitCode {
    eosin_cli::main_with(eosin_cli::default_registry())
}
