// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  cargo xtask run mitosis --backend cuda -- --data DIR")]
pub struct Options {
    /// A file of configs/run, without its ending.
    name: String,
    /// Compute backend of burn to build in and use [default: what the config asks for, or flex]
    #[arg(long, value_parser = ["flex", "cuda", "tch", "wgpu"])]
    backend: Option<String>,
    /// Build with the release profile.
    #[arg(long)]
    release: bool,
    /// Passed on to `eosin run`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Reads the config, builds eosin with the features it needs, and runs it.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let path = workspace.root.join("configs/run").join(format!("{}.toml", options.name));
    let text = std::fs::read_to_string(&path).with_context(|| {
        let known = known_runs(workspace).join(", ");
        format!("no {}; known runs: {known}", path.display())
    })?;
    let config: toml::Table = toml::from_str(&text)?;
    let asked = config.get("engine").and_then(|e| e.get("kind")).and_then(|k| k.as_str());
    // `auto`, `native` and `onnx` are always in the command; only burn's backends are features.
    let backend = match (options.backend.as_deref(), asked) {
        (Some(backend), _) => backend,
        (None, Some(kind @ ("cuda" | "tch" | "wgpu"))) => kind,
        (None, Some("auto" | "native" | "flex" | "onnx") | None) => "flex",
        (None, Some(other)) => bail!("unknown engine {other} in {}", path.display()),
    };
    let eosin = workspace.build_eosin(backend, options.release)?;
    let mut command = workspace.shell.cmd(eosin).arg("run").arg(&path);
    if options.backend.is_some() {
        command = command.args(["--engine", backend]);
    }
    command.args(&options.arguments).run()?;
    Ok(())
}

fn known_runs(workspace: &Workspace) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(workspace.root.join("configs/run")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|e| Some(e.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}
