// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use xshell::cmd;

use crate::python;
use crate::workspace::Workspace;

/// What the environment of the comparison needs.
pub const REQUIREMENTS: &str = "tests/golden/backbone/requirements-parity.txt";

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask parity\n  cargo xtask parity --all\n  \
    cargo xtask parity conch musk\n\n\
    The goldens are made anew, in the working tree: `git diff` shows whether they changed.\n\
    --python takes an environment that is there instead of making one (some gigabytes).\n\
    Other engines of burn are compared where --engine names them and README's needs are there:\n  \
    cargo xtask parity --all --engine tch --engine cuda")]
pub struct Options {
    /// Networks of parity.py; without any, every one that CI checks.
    names: Vec<String>,
    /// The true architectures of the large cards too: up to 16 GB of memory, and minutes each.
    #[arg(long)]
    all: bool,
    /// Compare this engine of burn as well.
    #[arg(long = "engine", value_parser = ["tch", "cuda", "wgpu"])]
    engines: Vec<String>,
    /// An interpreter that has tests/golden/backbone/requirements-parity.txt.
    #[arg(long)]
    python: Option<PathBuf>,
}

impl Options {
    /// Every network, on the engines that need no toolkit.
    pub fn of_all() -> Self {
        Self { names: Vec::new(), all: true, engines: Vec::new(), python: None }
    }
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
    let all: &[&str] = if options.all || !options.names.is_empty() { &["--all"] } else { &[] };
    let listed = cmd!(sh, "{python} {script} --names {all...}").read()?;
    let known: Vec<String> = listed.lines().map(str::to_string).collect();
    if let Some(unknown) = options.names.iter().find(|name| !known.contains(name)) {
        bail!("parity.py knows no network `{unknown}`; known: {}", known.join(", "));
    }
    let names = if options.names.is_empty() { known } else { options.names.clone() };
    let features: Vec<String> = options
        .engines
        .iter()
        .map(|engine| format!("--features=eosin-backbone-burn/{engine}"))
        .collect();
    // As CI builds them: other selections compile shared crates again.
    let test = |binary: &str| {
        workspace.cargo("test --workspace --test").arg(binary).args(&features).arg("--")
    };
    let compare = |name: &String| -> Result<()> {
        // One network's files at a time: all of them are some 30 GB.
        sh.remove_path(&models)?;
        cmd!(sh, "{python} {script} --onnx {models} {name}").run()?;
        test("backbone")
            .args(["architectures", "--include-ignored", "--nocapture"])
            .env("EOSIN_PARITY", name)
            .env("EOSIN_TEST_ENGINES", options.engines.join(","))
            .run()?;
        test("onnx")
            .args(["architectures", "--nocapture"])
            .env("EOSIN_ONNXRUNTIME", &library)
            .env("EOSIN_ONNX_MODELS", &models)
            .run()?;
        Ok(())
    };
    let mut failed = Vec::new();
    for name in &names {
        if let Err(error) = compare(name) {
            eprintln!("{name}: {error:#}");
            failed.push(name.as_str());
        }
    }
    sh.remove_path(&models)?;
    ensure!(failed.is_empty(), "{} of {} failed: {}", failed.len(), names.len(), failed.join(", "));
    println!("{} networks agree", names.len());
    Ok(())
}
