// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Cmd, Shell};

/// The checkout, a shell in it, and the one target directory that every command builds into.
pub struct Workspace {
    pub root: PathBuf,
    pub target: PathBuf,
    pub shell: Shell,
}

impl Workspace {
    /// The workspace this xtask was built from.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask lies in the workspace root")?
            .to_owned();
        let target = match std::env::var_os("EOSIN_TARGET_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => cache_dir()?.join("eosin").join("target"),
        };
        let shell = Shell::new()?;
        shell.change_dir(&root);
        shell.set_var("CARGO_TARGET_DIR", &target);
        Ok(Self { root, target, shell })
    }

    /// `cargo` with the given arguments, words separated by spaces.
    pub fn cargo(&self, arguments: &str) -> Cmd<'_> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        self.shell.cmd(cargo).args(arguments.split_whitespace())
    }

    /// Builds the command line and returns where its binary lies.
    pub fn build_eosin(&self, backend: &str, release: bool) -> Result<PathBuf> {
        // Without a GPU feature, as CI builds it: other selections compile shared crates again.
        let mut command = if backend == "flex" {
            self.cargo("build --workspace --bins")
        } else {
            self.cargo("build --package eosin-cli").args(["--features", backend])
        };
        if release {
            command = command.arg("--release");
        }
        command.run()?;
        Ok(self.binary("eosin", release))
    }

    /// Where cargo puts a binary of this workspace.
    pub fn binary(&self, name: &str, release: bool) -> PathBuf {
        self.target
            .join(if release { "release" } else { "debug" })
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }
}

fn cache_dir() -> Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        return from("LOCALAPPDATA").context("LOCALAPPDATA is not set; set EOSIN_TARGET_DIR");
    }
    if let Some(dir) = from("XDG_CACHE_HOME") {
        return Ok(dir);
    }
    let home = from("HOME").context("HOME is not set; set EOSIN_TARGET_DIR")?;
    Ok(home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" }))
}
