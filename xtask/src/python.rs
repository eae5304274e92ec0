// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::workspace::Workspace;

/// The interpreter of a virtual environment in the target folder that has what lists of the
/// workspace pin; what a list names is installed once per content of that list.
pub fn environment(workspace: &Workspace, name: &str, lists: &[&str]) -> Result<PathBuf> {
    let venv = workspace.target.join(name);
    let mut wanted = Vec::new();
    for list in lists {
        let requirements = workspace.root.join(list);
        let content = std::fs::read_to_string(&requirements)
            .with_context(|| format!("no {}", requirements.display()))?;
        let stamp = venv.join(format!("eosin-{}", list.replace('/', "-")));
        if std::fs::read_to_string(&stamp).is_ok_and(|made| made == content) {
            continue;
        }
        wanted.push((requirements, content, stamp));
    }
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        make(workspace, &venv)?;
    }
    if !wanted.is_empty() {
        println!("installing {} in {}", lists.join(" and "), venv.display());
        let lists = wanted.iter().flat_map(|(list, ..)| ["--requirement".as_ref(), list.as_ref()]);
        install(workspace, &python, &lists.collect::<Vec<&OsStr>>())?;
    }
    for (_, content, stamp) in wanted {
        std::fs::write(stamp, content)?;
    }
    Ok(python)
}

/// Without pip in it where Python lacks the package that would bring it, as Debian's does.
fn make(workspace: &Workspace, venv: &Path) -> Result<()> {
    let sh = &workspace.shell;
    if cmd!(sh, "python3 -m venv {venv}").ignore_stderr().run().is_ok() {
        return Ok(());
    }
    cmd!(sh, "python3 -m venv --clear --without-pip {venv}").run().with_context(|| {
        "no virtual environment can be made: install Python 3 with its packages venv and pip \
         (Debian: apt install python3-venv python3-pip)"
    })
}

/// A folder in the target folder with the packages of a list, without what they depend on; they
/// are installed once per content of that list.
pub fn packages(workspace: &Workspace, python: &Path, name: &str, list: &str) -> Result<PathBuf> {
    let folder = workspace.target.join(name);
    let requirements = workspace.root.join(list);
    let content = std::fs::read_to_string(&requirements)
        .with_context(|| format!("no {}", requirements.display()))?;
    let stamp = folder.join("eosin-list");
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == content) {
        return Ok(folder);
    }
    println!("installing {list} in {}", folder.display());
    workspace.shell.remove_path(&folder)?;
    let arguments: [&OsStr; 5] = [
        "--no-deps".as_ref(),
        "--target".as_ref(),
        folder.as_ref(),
        "--requirement".as_ref(),
        requirements.as_ref(),
    ];
    install(workspace, python, &arguments)?;
    std::fs::write(stamp, content)?;
    Ok(folder)
}

fn install(workspace: &Workspace, python: &Path, arguments: &[&OsStr]) -> Result<()> {
    let sh = &workspace.shell;
    let own = cmd!(sh, "{python} -m pip --version").quiet().ignore_stderr().read().is_ok();
    // pip 22.3 and later install for another interpreter.
    let pip = if own {
        cmd!(sh, "{python} -m pip install --quiet {arguments...}")
    } else {
        cmd!(sh, "python3 -m pip --python {python} install --quiet {arguments...}")
    };
    pip.run().with_context(|| {
        "pip cannot install the pinned packages: it needs a package index, which PIP_INDEX_URL \
         names, or a folder of wheels, which PIP_FIND_LINKS names, and pip 22.3 or later"
    })
}
