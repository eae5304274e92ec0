// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use anyhow::Result;
use xshell::cmd;

use crate::python;
use crate::workspace::Workspace;

const REQUIREMENTS: &str = "tests/golden/backbone/requirements-parity.txt";

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask parity\n  cargo xtask parity --all\n\n\
    The goldens are made anew, in the working tree: `git diff` shows whether they changed.\n\
    --python takes an environment that is there instead of making one (some gigabytes).")]
pub struct Options {
    /// The true architectures of the large cards too: up to 16 GB of memory, and minutes each.
    #[arg(long)]
    all: bool,
    /// An interpreter that has tests/golden/backbone/requirements-parity.txt.
    #[arg(long)]
    python: Option<PathBuf>,
}

/// Lets timm and torchvision embed with the deterministic weights, exports the networks as ONNX,
/// and runs the tests that compare every engine with the results.
pub fn parity(workspace: &Workspace, options: &Options) -> Result<()> {
    let sh = &workspace.shell;
    let folder = workspace.root.join("tests/golden/backbone");
    let python = match &options.python {
        Some(python) => python.clone(),
        None => python::environment(workspace, "parity-venv", &[REQUIREMENTS])?,
    };
    let script = folder.join("parity.py");
    let models = workspace.target.join("parity");
    let all: &[&str] = if options.all { &["--all"] } else { &[] };
    cmd!(sh, "{python} {script} {all...}").run()?;
    cmd!(sh, "{python} {script} --onnx {models} {all...}").run()?;
    let mut test = workspace.cargo("test --package eosin-backbone --test backbone -- --nocapture");
    if options.all {
        test = test.arg("--include-ignored");
    }
    test.arg("architectures").run()?;
    // The wheel's library lies in the environment of the interpreter.
    let prefix = cmd!(sh, "{python} -c 'import onnxruntime; print(onnxruntime.__path__[0])'");
    workspace
        .cargo("test --package eosin-backbone-onnx --test onnx -- --nocapture architectures")
        .env("EOSIN_ONNXRUNTIME", PathBuf::from(prefix.read()?).join("capi"))
        .env("EOSIN_ONNX_MODELS", &models)
        .run()?;
    Ok(())
}
