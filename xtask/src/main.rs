// SPDX-License-Identifier: MIT OR Apache-2.0

//! Maintainers' commands: `cargo xtask --help` lists them.
//!
//! This crate links no eosin crate, so that it builds in seconds and works when they do not.

mod bench;
mod ci;
mod combinations;
mod demo;
mod fuzz;
mod long;
mod package;
mod parity;
mod plugin;
mod python;
mod readme_table;
mod run;
mod tidy;
mod workspace;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Maintainers' commands of Eosin", version)]
#[command(after_help = "All commands build into one folder outside the checkout: \
    $EOSIN_TARGET_DIR, or `eosin/target` in the user's cache folder.\n\n\
    Examples:\n  cargo xtask demo\n  cargo xtask ci\n  cargo xtask ci --full --only combinations\n  cargo xtask run mitosis -- --data DIR")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build eosin and run the whole main job on the clone's own slide.
    Demo(demo::Options),
    /// Build eosin with the features that a run needs, and run it.
    Run(run::Options),
    /// Everything that must hold before a change lands: format, lints, tests, a minute of damaged
    /// inputs for each parser, docs, features, demo; with --full what must hold before a release too.
    Ci(ci::Options),
    /// Read damaged inputs with every parser: no panic, no hang, at most 512 MiB.
    Fuzz(fuzz::Options),
    /// Package every crate that is published, and build those from their packages that people take
    /// alone.
    Package(package::Options),
    /// Check crate edges, file lengths, licence headers and documentation.
    Tidy,
    /// Build the plugin of tests/plugin and run every command that its kinds serve.
    Plugin,
    /// Compare every architecture with timm and torchvision, natively, on burn and on onnxruntime.
    Parity(parity::Options),
    /// Measure Eosin against its peers in one run.
    Bench(bench::Options),
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let workspace = Workspace::find()?;
    match cli.command {
        Command::Demo(options) => demo::demo(&workspace, &options),
        Command::Run(options) => run::run(&workspace, &options),
        Command::Ci(options) => ci::ci(&workspace, &options),
        Command::Fuzz(options) => fuzz::fuzz(&workspace, &options),
        Command::Package(options) => package::package(&workspace, &options),
        Command::Tidy => tidy::tidy(&workspace),
        Command::Plugin => plugin::plugin(&workspace),
        Command::Parity(options) => parity::parity(&workspace, &options),
        Command::Bench(options) => bench::bench(&workspace, &options),
    }
}
