// SPDX-License-Identifier: MIT OR Apache-2.0

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// How long damaged files are made and read.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Damaged copies of each fixture in a round.
    #[arg(long, default_value_t = 2000)]
    mutants: u64,
    /// Seed of the first round; round i has the seed plus i.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Header parsers that cargo-fuzz has a target for.
const TARGETS: [&str; 4] = ["tiff", "svs", "ndpi", "dicom"];

/// Whether the targets of cargo-fuzz compile; stable Rust and no C++ compiler suffice for that.
pub fn check(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root.join("crates/eosin-tile/fuzz");
    // They are a workspace of their own, in which what both use has our versions.
    std::fs::copy(workspace.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let manifest = folder.join("Cargo.toml");
    // Named, libFuzzer itself is not compiled, which a check does not link.
    let check = workspace.cargo("check --manifest-path").arg(manifest);
    Ok(check.env("CUSTOM_LIBFUZZER_PATH", folder.join("libfuzzer.a")).run()?)
}

/// Fuzzes the slide readers: guided by coverage where cargo-fuzz and nightly Rust are installed,
/// and always by the mutation driver of eosin-tile's tests, which knows nothing of coverage.
pub fn fuzz(workspace: &Workspace, options: &Options) -> Result<()> {
    let sh = &workspace.shell;
    let guided = cmd!(sh, "cargo +nightly fuzz --version").quiet().ignore_stderr();
    if guided.ignore_status().output().is_ok_and(|o| o.status.success()) {
        let folder = workspace.root.join("crates/eosin-tile");
        let _folder = sh.push_dir(folder);
        let seconds = (options.minutes * 60 / TARGETS.len() as u64).max(1).to_string();
        for target in TARGETS {
            cmd!(
                sh,
                "cargo +nightly fuzz run {target} -- -max_total_time={seconds} -rss_limit_mb=512"
            )
            .run()
            .with_context(|| format!("the target {target} found a fault"))?;
        }
    } else {
        println!("skipped: coverage-guided fuzzing, because cargo-fuzz on nightly Rust is absent");
    }
    let started = Instant::now();
    let budget = Duration::from_secs(options.minutes * 60);
    let mut rounds = 0;
    while rounds == 0 || started.elapsed() < budget {
        let seed = (options.seed + rounds).to_string();
        workspace
            .cargo("test --package eosin-tile --test tile --locked -- mutants")
            .env("EOSIN_MUTANTS", options.mutants.to_string())
            .env("EOSIN_MUTANT_SEED", &seed)
            .run()
            .with_context(|| {
                format!("a damaged file of seed {seed} panics, hangs or takes memory")
            })?;
        rounds += 1;
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    println!(
        "fuzz: {rounds} rounds of {} damaged copies per fixture in {minutes:.1} min, no fault",
        options.mutants
    );
    Ok(())
}
