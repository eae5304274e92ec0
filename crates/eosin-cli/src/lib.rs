// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command `eosin` as a library, so that a plugin makes a command of its own of a few lines.
//!
//! ```no_run
//! # fn command() -> std::process::ExitCode {
//! let registry = eosin_cli::default_registry();
//! // A plugin's function adds to it: `my_plugin::register(&mut registry)`.
//! eosin_cli::main_with(registry)
//! # }
//! ```
//!
//! `eosin --help` describes the command; `tests/plugin` of the repository is a whole plugin.

// First, since its macros stand before the standard library's in all that follows.
#[macro_use]
mod output;

mod arguments;
mod bounds;
mod commands;
mod exit;
mod progress;

use std::process::ExitCode;

use clap::Parser;
use eosin::Registry;
pub use eosin::default_registry;

use crate::arguments::Cli;

/// Runs the command of this process's arguments with the kinds of a registry, and gives the exit
/// code that `--help` describes.
pub fn main_with(registry: Registry) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return output::of_arguments(&said),
    };
    keep_guarded_panics_quiet();
    start_logging(cli.global.verbose);
    if cli.global.threads > 0 {
        let pool = rayon_threads(cli.global.threads);
        if let Err(error) = pool {
            return exit::report(&error);
        }
    }
    match commands::dispatch(&cli, &registry) {
        Ok(outcome) => outcome.code(),
        Err(error) => exit::report(&error),
    }
}

fn start_logging(verbose: u8) {
    let level = match verbose {
        // Of slides, warnings too: what they lack changes every tile. Of heads, that one cannot be
        // checked.
        0 => "error,eosin_tile=warn,eosin_head::file=warn",
        1 => "info,eosin=info",
        _ => "info,eosin=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("EOSIN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| output::Stderr).init();
}

/// Crates that read foreign files and texts work on threads that are called `guarded`, and polars
/// on its own: what panics there becomes an error with its hint, beside which a trace would only
/// confuse. `-vv` shows it.
fn keep_guarded_panics_quiet() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        match thread.name() {
            Some(name) if name == "guarded" || name.starts_with("polars-") => {
                tracing::debug!(thread = name, "{panic}");
            }
            _ => usual(panic),
        }
    }));
}

fn rayon_threads(threads: usize) -> anyhow::Result<()> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?)
}
