// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `cargo xtask ci --full` runs beyond the usual: hours, before a release.

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::ci::Ending;
use crate::parity;
use crate::python;
use crate::workspace::Workspace;

/// Kills of the tests that kill, in all.
const KILLS: u32 = 500;
/// Damaged files that each parser reads.
const MUTANTS: u32 = 10_000;
/// The memory that the largest networks need, in GiB.
const PARITY_GIB: u64 = 18;

/// Processes are killed at random instants: each command that writes, many times.
pub fn kills(workspace: &Workspace) -> Result<Ending> {
    let _kills = workspace.shell.push_env("EOSIN_KILLS", KILLS.to_string());
    workspace.cargo("build --workspace --bins --locked").run()?;
    // As CI builds them: other selections compile shared crates again.
    let tests = || workspace.cargo("test --workspace --locked --test eosin -- kills::");
    let listed = tests().arg("--list").read()?;
    // The harness is content with no test at all.
    ensure!(listed.lines().any(|line| line.ends_with(": test")), "no test is called kills::");
    tests().run()?;
    Ok(Ending::Done)
}

/// Every parser reads damaged files, as many as the bar asks for.
pub fn mutants(workspace: &Workspace) -> Result<Ending> {
    let xtask = std::env::current_exe()?;
    let mutants = MUTANTS.to_string();
    cmd!(workspace.shell, "{xtask} fuzz --mutants {mutants}").run()?;
    Ok(Ending::Done)
}

/// Tests that are too long for every change: kills of the store, and simulations whose truth is
/// known.
pub fn simulations(workspace: &Workspace) -> Result<Ending> {
    workspace.cargo("build --workspace --bins --locked").run()?;
    // These belong to the steps `parity` and `mutants`, or are no tests.
    let skipped = ["large_architectures", "every::", "corpus"].map(|name| ["--skip", name]);
    workspace
        .cargo("test --workspace --locked --no-fail-fast --lib --bins --tests -- --ignored")
        .args(skipped.concat())
        .run()?;
    Ok(Ending::Done)
}

/// Every architecture against timm and torchvision, in its true size.
pub fn parity_of_all(workspace: &Workspace) -> Result<Ending> {
    if let Some(found) = memory_gib().filter(|found| *found < PARITY_GIB) {
        return Ok(Ending::Skipped(format!(
            "the largest networks need {PARITY_GIB} GiB of memory, and {found} GiB are free"
        )));
    }
    if let Err(error) = python::environment(workspace, "parity-venv", &[parity::REQUIREMENTS]) {
        return Ok(Ending::Skipped(format!("PyTorch and timm cannot be installed: {error:#}")));
    }
    parity::parity(workspace, &parity::Options::of_all())?;
    Ok(Ending::Done)
}

/// Memory that is free, where the system says so.
fn memory_gib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib >> 20)
}
