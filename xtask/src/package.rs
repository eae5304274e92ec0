// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use xshell::cmd;

use crate::workspace::Workspace;

/// Crates that are built from their packages: those that people take alone.
const VERIFIED: [&str; 4] = ["eosin-core", "eosin-head", "eosin-store", "eosin-tile"];
/// What they are built with beyond their default features.
const VERIFIED_FEATURES: &str = "eosin-head/fit";
/// A larger file of a package is there by mistake, except these.
const MAX_FILE: u64 = 2 << 20;
const LARGE: [(&str, &str); 1] = [("eosin-backbone", "assets/efficientnet-lite0.f16.safetensors")];
/// What a registry takes.
const MAX_PACKAGE: u64 = 10 << 20;
/// Files that cargo adds.
const ADDED: [&str; 3] = [".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml.orig"];

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask package\n  cargo xtask package --no-verify")]
pub struct Options {
    /// Build no crate from its package.
    #[arg(long)]
    no_verify: bool,
}

/// A crate's line of the table.
struct Row {
    name: String,
    n_files: usize,
    bytes: u64,
    is_verified: bool,
}

/// Packages every crate that is published, and builds those from their packages that people take
/// alone.
///
/// A file that is not in git, is large, or is included from outside its crate is an error, and so
/// is a manifest without what a registry shows.
pub fn package(workspace: &Workspace, options: &Options) -> Result<()> {
    let published = published(workspace)?;
    let mut faults = Vec::new();
    let mut n_files = Vec::new();
    for package in &published {
        let files = files(workspace, package)?;
        faults.extend(manifest_faults(package));
        faults.extend(file_faults(workspace, package, &files)?);
        n_files.push(files.len());
    }
    for fault in &faults {
        eprintln!("package: {fault}");
    }
    ensure!(faults.is_empty(), "{} faults", faults.len());

    // At once, so that cargo takes the crates that no registry has from the packages themselves.
    make(workspace, &published, &["--no-verify"])?;
    let verified = if options.no_verify { Vec::new() } else { with_dependencies(&published) };
    if !verified.is_empty() {
        // Only whether it compiles is asked: information for debuggers would cost a third more.
        let _debug = workspace.shell.push_env("CARGO_PROFILE_DEV_DEBUG", "false");
        make(workspace, &verified, &["--features", VERIFIED_FEATURES])?;
    }

    let mut rows = Vec::new();
    for (package, n_files) in published.iter().zip(n_files) {
        let file = format!("{}-{}.crate", package.name, package.version);
        let path = workspace.target.join("package").join(file);
        let about = path.metadata().with_context(|| format!("no {}", path.display()))?;
        let is_verified = verified.iter().any(|v| v.name == package.name);
        let name = package.name.to_string();
        rows.push(Row { name, n_files, bytes: about.len(), is_verified });
    }
    print(&rows);
    if let Some(large) = rows.iter().find(|row| row.bytes > MAX_PACKAGE) {
        bail!("{} has {} bytes packed, a registry takes {MAX_PACKAGE}", large.name, large.bytes);
    }
    Ok(())
}

/// The step of CI.
pub fn in_ci(workspace: &Workspace) -> Result<()> {
    package(workspace, &Options { no_verify: false })
}

/// The published crates, each after those that it needs.
fn published(workspace: &Workspace) -> Result<Vec<Package>> {
    let metadata = MetadataCommand::new().current_dir(&workspace.root).no_deps().exec()?;
    let is_published = |p: &&Package| p.publish.as_ref().is_none_or(|to| !to.is_empty());
    let mut left: Vec<Package> =
        metadata.workspace_packages().into_iter().filter(is_published).cloned().collect();
    left.sort_by(|a, b| a.name.cmp(&b.name));
    let mut ordered: Vec<Package> = Vec::new();
    while !left.is_empty() {
        let waits = |p: &Package| needed(p).any(|name| left.iter().any(|l| *l.name == name));
        let Some(next) = left.iter().position(|p| !waits(p)) else {
            bail!("crates that need each other: {}", names(&left).join(", "));
        };
        let next = left.remove(next);
        ordered.push(next);
    }
    Ok(ordered)
}

/// Names of the crates of this workspace that a package needs, as a registry sees it: tests'
/// dependencies without a version are left out there.
fn needed(package: &Package) -> impl Iterator<Item = &str> {
    let counts = |d: &&cargo_metadata::Dependency| {
        d.path.is_some() && (d.kind != DependencyKind::Development || d.req.to_string() != "*")
    };
    package.dependencies.iter().filter(counts).map(|d| d.name.as_str())
}

/// The verified crates with what they need.
fn with_dependencies(published: &[Package]) -> Vec<Package> {
    let mut wanted: BTreeSet<&str> = VERIFIED.into();
    for package in published.iter().rev() {
        if wanted.contains(package.name.as_str()) {
            wanted.extend(needed(package));
        }
    }
    published.iter().filter(|p| wanted.contains(p.name.as_str())).cloned().collect()
}

fn names(packages: &[Package]) -> Vec<&str> {
    packages.iter().map(|p| p.name.as_str()).collect()
}

fn make(workspace: &Workspace, packages: &[Package], options: &[&str]) -> Result<()> {
    let selected = names(packages).into_iter().flat_map(|name| ["--package", name]);
    // What is not committed is packed too, so that a change can be tried.
    Ok(workspace.cargo("package --quiet --allow-dirty").args(selected).args(options).run()?)
}

/// The files of a package, without those that cargo adds.
fn files(workspace: &Workspace, package: &Package) -> Result<Vec<PathBuf>> {
    let name = package.name.as_str();
    let listed = workspace
        .cargo("package --quiet --list --allow-dirty --package")
        .arg(name)
        .quiet()
        .read()
        .with_context(|| format!("listing the files of {name}"))?;
    Ok(listed.lines().filter(|file| !ADDED.contains(file)).map(PathBuf::from).collect())
}

/// What a registry shows and the manifest lacks.
fn manifest_faults(package: &Package) -> Vec<String> {
    let lacks = [
        ("description", package.description.is_none()),
        ("keywords", package.keywords.is_empty() || package.keywords.len() > 5),
        ("categories", package.categories.is_empty() || package.categories.len() > 5),
        ("readme", package.readme.is_none()),
        ("license", package.license.is_none()),
    ];
    let faults = lacks.into_iter().filter(|(_, lacks)| *lacks);
    faults.map(|(key, _)| format!("{}: no {key}, or more than five", package.name)).collect()
}

fn file_faults(workspace: &Workspace, package: &Package, files: &[PathBuf]) -> Result<Vec<String>> {
    let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
    let sh = &workspace.shell;
    let tracked = cmd!(sh, "git ls-files --full-name {folder}").quiet().read()?;
    let tracked: BTreeSet<&str> = tracked.lines().collect();
    let mut faults = Vec::new();
    for file in files {
        let path = folder.as_std_path().join(file);
        let shown = path.strip_prefix(&workspace.root).unwrap_or(&path).display().to_string();
        if !tracked.contains(shown.as_str()) {
            faults.push(format!("{shown} is not in git"));
        }
        let bytes = path.metadata().with_context(|| format!("no {shown}"))?.len();
        let is_known = LARGE
            .iter()
            .any(|(krate, large)| *package.name == *krate && file.as_path() == Path::new(large));
        if bytes > MAX_FILE && !is_known {
            faults.push(format!("{shown} has {bytes} bytes, at most {MAX_FILE}"));
        }
        // Unit tests read goldens of the checkout; a package is built without them.
        if file.extension().is_some_and(|e| e == "rs") && !file.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path)?;
            let missing = included(&text).filter(|named| !is_inside(file, named, files));
            faults.extend(missing.map(|named| format!("{shown} includes {named}")));
        }
    }
    Ok(faults)
}

/// The paths that a source includes by name.
fn included(text: &str) -> impl Iterator<Item = &str> {
    ["include_str!(\"", "include_bytes!(\"", "include!(\""].into_iter().flat_map(move |start| {
        text.split(start).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0))
    })
}

/// Whether what a source includes is a file of the same package.
fn is_inside(file: &Path, named: &str, files: &[PathBuf]) -> bool {
    let mut path = PathBuf::new();
    for part in file.parent().unwrap_or(Path::new("")).join(named).components() {
        match part {
            // Nothing is left to go up from: it lies outside of the crate.
            Component::ParentDir if !path.pop() => return false,
            Component::ParentDir => {}
            part => path.push(part),
        }
    }
    files.contains(&path)
}

fn print(rows: &[Row]) {
    println!("{:22} {:>6} {:>10}  built from its package", "crate", "files", "KiB");
    for Row { name, n_files, bytes, is_verified } in rows {
        let built = if *is_verified { "yes" } else { "–" };
        println!("{name:22} {n_files:>6} {:>10.1}  {built}", *bytes as f64 / 1024.0);
    }
    let (files, bytes) = (rows.iter().map(|r| r.n_files), rows.iter().map(|r| r.bytes));
    println!(
        "{:22} {:>6} {:>10.1}",
        "all",
        files.sum::<usize>(),
        bytes.sum::<u64>() as f64 / 1024.0
    );
}
