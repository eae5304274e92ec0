// SPDX-License-Identifier: MIT OR Apache-2.0

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::workspace::Workspace;

/// A list of pinned packages that a folder lacks.
struct List {
    file: PathBuf,
    content: String,
    /// Holds the content of the list that was installed last.
    stamp: PathBuf,
}

impl List {
    fn unless_installed(workspace: &Workspace, list: &str, folder: &Path) -> Result<Option<Self>> {
        let file = workspace.root.join(list);
        let content =
            std::fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
        let stamp = folder.join(format!("eosin-{}", list.replace('/', "-")));
        let is_installed = std::fs::read_to_string(&stamp).is_ok_and(|made| made == content);
        Ok((!is_installed).then_some(Self { file, content, stamp }))
    }

    fn remember(self) -> Result<()> {
        Ok(std::fs::write(self.stamp, self.content)?)
    }
}

/// The interpreter of a virtual environment in the target folder that has what lists of the
/// workspace pin; what a list names is installed once per content of that list.
pub fn environment(workspace: &Workspace, name: &str, lists: &[&str]) -> Result<PathBuf> {
    let venv = workspace.target.join(name);
    let mut wanted = Vec::new();
    for list in lists {
        wanted.extend(List::unless_installed(workspace, list, &venv)?);
    }
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        make(workspace, &venv)?;
    }
    if !wanted.is_empty() {
        println!("installing {} in {}", lists.join(" and "), venv.display());
        let files = wanted.iter().flat_map(|list| ["--requirement".as_ref(), list.file.as_ref()]);
        install(workspace, &python, &files.collect::<Vec<&OsStr>>())?;
    }
    for list in wanted {
        list.remember()?;
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
    let Some(wanted) = List::unless_installed(workspace, list, &folder)? else {
        return Ok(folder);
    };
    println!("installing {list} in {}", folder.display());
    workspace.shell.remove_path(&folder)?;
    let arguments: [&OsStr; 5] = [
        "--no-deps".as_ref(),
        "--target".as_ref(),
        folder.as_ref(),
        "--requirement".as_ref(),
        wanted.file.as_ref(),
    ];
    install(workspace, python, &arguments)?;
    wanted.remember()?;
    Ok(folder)
}

/// A folder in the target folder with the unpacked source distributions of a list; they are fetched
/// once per content of that list. pip asks each for its name and version, but builds none.
pub fn sources(workspace: &Workspace, python: &Path, name: &str, list: &str) -> Result<PathBuf> {
    let folder = workspace.target.join(name);
    let Some(wanted) = List::unless_installed(workspace, list, &folder)? else {
        return Ok(folder);
    };
    println!("fetching the sources of {list} to {}", folder.display());
    let sh = &workspace.shell;
    sh.remove_path(&folder)?;
    let archives = sh.create_temp_dir()?;
    let pinned = wanted.content.lines().filter_map(|line| line.split_once("=="));
    let names: Vec<&str> = pinned.map(|(name, _)| name).collect();
    let names = names.join(",");
    let arguments: [&OsStr; 7] = [
        "--no-deps".as_ref(),
        "--no-binary".as_ref(),
        names.as_ref(),
        "--dest".as_ref(),
        archives.path().as_os_str(),
        "--requirement".as_ref(),
        wanted.file.as_ref(),
    ];
    pip(workspace, python, "download", &arguments)?;
    for archive in sh.read_dir(archives.path())? {
        cmd!(sh, "{python} -m tarfile --extract {archive} {folder}").run()?;
    }
    wanted.remember()?;
    Ok(folder)
}

fn install(workspace: &Workspace, python: &Path, arguments: &[&OsStr]) -> Result<()> {
    pip(workspace, python, "install", arguments)
}

fn pip(workspace: &Workspace, python: &Path, action: &str, arguments: &[&OsStr]) -> Result<()> {
    let sh = &workspace.shell;
    let own = cmd!(sh, "{python} -m pip --version").quiet().ignore_stderr().read().is_ok();
    // pip 22.3 and later work for another interpreter.
    let pip = if own {
        cmd!(sh, "{python} -m pip {action} --quiet {arguments...}")
    } else {
        cmd!(sh, "python3 -m pip --python {python} {action} --quiet {arguments...}")
    };
    pip.run().with_context(|| {
        format!(
            "pip cannot {action} the pinned packages: it needs a package index, which PIP_INDEX_URL \
             names, or a folder of packages, which PIP_FIND_LINKS names, and pip 22.3 or later"
        )
    })
}
