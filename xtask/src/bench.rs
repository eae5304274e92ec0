// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::readme_table;
use crate::workspace::Workspace;

/// What can be measured; each but `speed` has a Python peer of the same name in `benches/peers`.
const BENCHES: &[&str] = &["embed", "heads", "pipeline", "select", "speed", "store", "tiles"];

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench heads --quick\n  cargo xtask bench embed -- --models vit-s --batches 8 --merge\n  \
    cargo xtask bench speed -- --data DIR --label label --group group\n  \
    cargo xtask bench --readme"
)]
pub struct Options {
    /// What to measure; without it and without --readme, everything.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(BENCHES))]
    name: Option<String>,
    /// A smaller size of the same work.
    #[arg(long)]
    quick: bool,
    /// Rewrite the README's table from the files of the last benches.
    #[arg(long)]
    readme: bool,
    /// Repeats of every case.
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// What follows goes to the bench: --large, --models, --batches, --threads, --merge,
    /// or those of `speed`: --data, --label, --group, --tiles, --epochs, --slow-repeats, …
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Builds the bench binary, makes its peers' environment, and runs every contender interleaved.
pub fn bench(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.target.join("bench");
    std::fs::create_dir_all(&folder)?;
    if options.readme {
        return readme_table::rewrite(workspace, &folder);
    }
    let mut build = workspace.cargo("build --release --package eosin-bench");
    if std::env::var_os("LIBTORCH").is_some() {
        build = build.args(["--features", "tch"]);
    } else {
        println!("burn on libtorch is left out: LIBTORCH names no folder");
    }
    build.run()?;
    let binary = workspace.binary("eosin-bench", true);
    let names = match &options.name {
        Some(name) => vec![name.as_str()],
        None => BENCHES.to_vec(),
    };
    for name in names {
        let python = match name {
            // Its arms are all Eosin's.
            "speed" => PathBuf::from("python3"),
            _ => peers_python(workspace, matches!(name, "embed" | "pipeline"))?,
        };
        let out = folder.join(format!("{name}.json"));
        let repeats = options.repeats.to_string();
        // `select.py` would stand before Python's own module of that name.
        let script = if name == "select" { "selection" } else { name };
        let peer = workspace.root.join("benches/peers").join(format!("{script}.py"));
        let mut command = cmd!(
            workspace.shell,
            "{binary} {name} --python {python} --peer {peer} --out {out} --repeats {repeats}"
        );
        if options.quick {
            command = command.arg("--quick");
        }
        command.args(&options.rest).run()?;
        println!("written: {}", out.display());
    }
    Ok(())
}

/// A virtual environment with the pinned peers, made once per list of requirements; PyTorch, some
/// gigabytes, has a list of its own.
fn peers_python(workspace: &Workspace, with_torch: bool) -> Result<PathBuf> {
    let sh = &workspace.shell;
    let venv = workspace.target.join("bench").join("venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let lists: &[&str] = if with_torch {
        &["requirements.txt", "requirements-torch.txt"]
    } else {
        &["requirements.txt"]
    };
    for list in lists {
        let requirements = workspace.root.join("benches/peers").join(list);
        let wanted = std::fs::read_to_string(&requirements)
            .with_context(|| format!("no {}", requirements.display()))?;
        let stamp = venv.join(format!("eosin-{list}"));
        if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
            continue;
        }
        println!("installing {list} in {}", venv.display());
        if !python.exists() {
            cmd!(sh, "python3 -m venv {venv}").run()?;
        }
        cmd!(sh, "{python} -m pip install --quiet --requirement {requirements}").run()?;
        std::fs::write(&stamp, wanted)?;
    }
    if !python.exists() {
        bail!("no {} after making the environment", python.display());
    }
    Ok(python)
}
