// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};
use xshell::cmd;

use crate::workspace::Workspace;

const MAX_LINES: usize = 600;
/// Of the README, which is read before anything is decided.
const MAX_README_LINES: usize = 150;
/// What a stranger looks for at the root.
const DOCUMENTS: [&str; 8] = [
    "README.md",
    "crates/README.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "SECURITY.md",
];
const LICENCE: &str = "SPDX-License-Identifier: MIT OR Apache-2.0";

/// What each crate may link, by the layers of `crates/README.md`; a trailing `*` is a prefix.
const EDGES: &[(&str, &[&str])] = &[
    ("eosin-core", &[]),
    ("eosin-eval", &["eosin-core"]),
    ("eosin-testkit", &["eosin-core", "eosin-tile"]),
    // What joins families for one purpose.
    (
        "eosin-session",
        &[
            "eosin-augment",
            "eosin-backbone",
            "eosin-core",
            "eosin-eval",
            "eosin-head",
            "eosin-hub",
            "eosin-query",
            "eosin-report",
            "eosin-store",
            "eosin-tile",
        ],
    ),
    (
        "eosin-select",
        &[
            "eosin-core",
            "eosin-eval",
            "eosin-proxy",
            "eosin-report",
            "eosin-session",
            "eosin-store",
            "eosin-tile",
        ],
    ),
    (
        "eosin-study",
        &[
            "eosin-augment",
            "eosin-core",
            "eosin-eval",
            "eosin-head",
            "eosin-report",
            "eosin-select",
            "eosin-session",
        ],
    ),
    ("eosin-cli", &["eosin"]),
    ("eosin", &["eosin-*"]),
    ("eosin-tests", &["eosin", "eosin-*"]),
    ("eosin-bench", &["eosin", "eosin-*"]),
    ("xtask", &[]),
    // What computes on burn, each above what it computes.
    ("eosin-burn", &["eosin-core"]),
    ("eosin-backbone-burn", &["eosin-backbone", "eosin-burn", "eosin-core"]),
    ("eosin-network", &["eosin-burn", "eosin-core", "eosin-eval"]),
    // Every other crate is a family or a plugin of layer 1.
    ("*", &["eosin-core", "eosin-eval"]),
];

/// Checks what the compiler cannot: the layering and the house rules.
pub fn tidy(workspace: &Workspace) -> Result<()> {
    let mut faults = edges(workspace)?;
    let sh = &workspace.shell;
    let listed = cmd!(sh, "git ls-files --cached --others --exclude-standard").quiet().read()?;
    let files: Vec<PathBuf> = listed.lines().map(PathBuf::from).collect();
    for file in &files {
        faults.extend(file_faults(workspace, file));
    }
    faults.extend(doc_faults(workspace));
    if faults.is_empty() {
        println!("tidy: {} files, no fault", files.len());
        return Ok(());
    }
    for fault in &faults {
        eprintln!("tidy: {fault}");
    }
    bail!("{} faults", faults.len())
}

fn edges(workspace: &Workspace) -> Result<Vec<String>> {
    let metadata = MetadataCommand::new().current_dir(&workspace.root).no_deps().exec()?;
    let mut faults = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let allowed = EDGES
            .iter()
            .find(|(krate, _)| *krate == name)
            .or_else(|| EDGES.iter().find(|(krate, _)| *krate == "*"))
            .map_or(&[][..], |(_, allowed)| allowed);
        for dependency in &package.dependencies {
            // Tests may use the testkit and each other; edges are about what is linked.
            if dependency.kind != DependencyKind::Normal || dependency.path.is_none() {
                continue;
            }
            let fits = |pattern: &&str| match pattern.strip_suffix('*') {
                Some(prefix) => dependency.name.starts_with(prefix),
                None => dependency.name == **pattern,
            };
            if !allowed.iter().any(fits) {
                faults.push(format!(
                    "{name} must not depend on {} (allowed: {})",
                    dependency.name,
                    allowed.join(", ")
                ));
            }
        }
        if package.targets.is_empty() {
            faults.push(format!("{name} is empty"));
        }
    }
    Ok(faults)
}

fn file_faults(workspace: &Workspace, file: &Path) -> Vec<String> {
    let kind = file.extension().and_then(|e| e.to_str()).unwrap_or("");
    if !["rs", "py", "sh"].contains(&kind) {
        return Vec::new();
    }
    let Ok(text) = std::fs::read_to_string(workspace.root.join(file)) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if !text.lines().take(3).any(|line| line.contains(LICENCE)) {
        faults.push(format!("{}: no licence header in the first 3 lines", file.display()));
    }
    let is_test = file.components().any(|c| c.as_os_str() == "tests") || file.ends_with("tests.rs");
    let lines = text.lines().count();
    if kind == "rs" && !is_test && lines > MAX_LINES {
        faults.push(format!("{}: {lines} lines, at most {MAX_LINES}", file.display()));
    }
    let is_documented = ["//! ", "doc = include_str!("].iter().any(|doc| text.contains(doc));
    if file.ends_with("src/lib.rs") && !is_documented {
        faults.push(format!("{}: no crate documentation", file.display()));
    }
    faults
}

fn doc_faults(workspace: &Workspace) -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(workspace.root.join(path)).unwrap_or_default();
    let (readme, architecture) = (read("README.md"), read("crates/README.md"));
    let mut faults = Vec::new();
    let lines = readme.lines().count();
    if lines > MAX_README_LINES {
        faults.push(format!("README.md: {lines} lines, at most {MAX_README_LINES}"));
    }
    for path in DOCUMENTS {
        if read(path).is_empty() {
            faults.push(format!("{path} is missing or empty"));
        }
    }
    let Ok(crates) = std::fs::read_dir(workspace.root.join("crates")) else { return faults };
    for entry in crates.flatten().filter(|e| e.path().join("Cargo.toml").is_file()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        for own in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            if read(&format!("crates/{name}/{own}")).is_empty() {
                faults.push(format!("crates/{name}/{own} is missing or empty"));
            }
        }
        for (file, text) in [("README.md", &readme), ("crates/README.md", &architecture)] {
            if !text.contains(&format!("`{name}`")) {
                faults.push(format!("{file} does not name `{name}`"));
            }
        }
    }
    faults
}
