// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use anyhow::Result;
use xshell::cmd;

use crate::python;
use crate::workspace::Workspace;

const REQUIREMENTS: &str = "tests/golden/backbone/requirements-parity.txt";

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask parity\n  cargo xtask parity --all\n  \
    cargo xtask parity conch musk\n\n\
    The goldens are made anew, in the working tree: `git diff` shows whether they changed.\n\
    --python takes an environment that is there instead of making one (some gigabytes).")]
pub struct Options {
    /// Networks of parity.py; without any, every one that CI checks.
    names: Vec<String>,
    /// The true architectures of the large cards too: up to 16 GB of memory, and minutes each.
    #[arg(long)]
    all: bool,
    /// An interpreter that has tests/golden/backbone/requirements-parity.txt.
    #[arg(long)]
    python: Option<PathBuf>,
}

/// Lets timm and torchvision embed with the deterministic weights, exports the networks as ONNX,
/// and runs the tests that compare every engine with the results, network after network.
pub fn parity(workspace: &Workspace, options: &Options) -> Result<()> {
    let sh = &workspace.shell;
    let folder = workspace.root.join("tests/golden/backbone");
    let python = match &options.python {
        Some(python) => python.clone(),
        None => python::environment(workspace, "parity-venv", &[REQUIREMENTS])?,
    };
    let script = folder.join("parity.py");
    let models = workspace.target.join("parity");
    // The wheel's library lies in the environment of the interpreter.
    let prefix = cmd!(sh, "{python} -c 'import onnxruntime; print(onnxruntime.__path__[0])'");
    let library = PathBuf::from(prefix.read()?).join("capi");
    let mut names = options.names.clone();
    if names.is_empty() {
        let all: &[&str] = if options.all { &["--all"] } else { &[] };
        let listed = cmd!(sh, "{python} {script} --names {all...}").read()?;
        names = listed.lines().map(str::to_string).collect();
    }
    // As CI builds them: other selections compile shared crates again.
    let test = |binary: &str| workspace.cargo("test --workspace --test").arg(binary).arg("--");
    for name in &names {
        // One file at a time: all of them are 12 GB.
        sh.remove_path(&models)?;
        cmd!(sh, "{python} {script} --onnx {models} {name}").run()?;
        test("backbone")
            .args(["architectures", "--include-ignored", "--nocapture"])
            .env("EOSIN_PARITY", name)
            .run()?;
        // The largest are not exported; the script says so.
        if models.join(format!("{name}.onnx")).exists() {
            test("onnx")
                .args(["architectures", "--nocapture"])
                .env("EOSIN_ONNXRUNTIME", &library)
                .env("EOSIN_ONNX_MODELS", &models)
                .run()?;
        }
    }
    sh.remove_path(&models)?;
    Ok(())
}
