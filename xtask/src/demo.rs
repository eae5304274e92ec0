// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use xshell::cmd;

use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// A smaller setting of the same work, as CI runs it.
    #[arg(long)]
    pub tiny: bool,
    /// Folder for tiles, store and report [default: demo, in the folder above the target directory]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Threads; 0 takes all cores.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
}

/// Builds the command that the demo needs and runs the demo with it.
///
/// The command has no feature that the first report can do without, and is optimised: the same
/// binary then serves a user's own data.
pub fn demo(workspace: &Workspace, options: &Options) -> Result<()> {
    let packages = "--package eosin-cli --package eosin-testkit";
    let features = "--no-default-features \
        --features eosin-cli/embedded-weights,eosin-testkit/demo";
    workspace.cargo(&format!("build --release --locked --bins {packages} {features}")).run()?;
    run(workspace, options, true)?;
    println!("command: {}", workspace.binary("eosin", true).display());
    Ok(())
}

/// The demo with the command as CI's tests build it.
pub fn demo_in_ci(workspace: &Workspace, options: &Options) -> Result<()> {
    // The whole workspace: other selections would compile shared crates again.
    workspace.cargo("build --workspace --bins --locked").run()?;
    run(workspace, options, false)
}

/// Makes the demo's tiles from the slide in the checkout and runs the main job on them.
fn run(workspace: &Workspace, options: &Options, is_release: bool) -> Result<()> {
    let sh = &workspace.shell;
    let name = if options.tiny { "demo-tiny" } else { "demo" };
    let tiles = if options.tiny { "tiles-tiny" } else { "tiles" };
    let out = match &options.out {
        // A relative folder is meant from where the user stands, which may not be the root.
        Some(out) => std::path::absolute(out)?,
        None => workspace.target.with_file_name(name),
    };
    let eosin = workspace.binary("eosin", is_release);
    let demo_data = workspace.binary("demo-data", is_release);
    let started = Instant::now();
    let data = out.join("tiles");
    cmd!(
        sh,
        "{demo_data} --config configs/demo/{tiles}.toml
            --slide tests/fixtures/cmu-1-small-region.svs --out {data}"
    )
    .run()?;
    let (run_out, threads) = (out.join("run"), options.threads.to_string());
    cmd!(
        sh,
        "{eosin} run configs/run/{name}.toml --data {data} --out {run_out} --threads {threads}"
    )
    .run()?;
    println!("demo: {:.0} s of run time", started.elapsed().as_secs_f64());
    println!("report: {}", run_out.join("report.html").display());
    Ok(())
}
