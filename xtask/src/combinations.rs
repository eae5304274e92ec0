// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every combination of features that a crate offers compiles without a warning.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use cargo_metadata::MetadataCommand;

use crate::workspace::Workspace;

/// Needs libtorch, except where the bindings' own feature for documentation is on; that works for
/// the crates that use them and not for those above, which cannot name it.
const TORCH: &str = "tch";

/// Packages whose features are no user's: tests and measurements.
const NOT_OFFERED: [&str; 3] = ["eosin-bench", "eosin-tests", "xtask"];

/// Switched on by each backend of burn, and nothing without one.
const NOT_ALONE: &str = "burn";

/// A selection of features of one package.
#[derive(Debug, PartialEq, Eq)]
struct Combination {
    package: String,
    features: Vec<String>,
}

/// Lints each package with no feature, with each feature alone, with its default ones and with all
/// that this machine can check; a warning is an error.
///
/// Nothing is linked, so the toolkits of GPUs are not needed.
pub fn combinations(workspace: &Workspace) -> Result<()> {
    left_out(workspace)?;
    // Some build scripts skip their downloads where documentation is built.
    let _docs = workspace.shell.push_env("DOCS_RS", "1");
    let all = all(workspace)?;
    ensure!(!all.is_empty(), "no package of the workspace has features");
    for (i, Combination { package, features }) in all.iter().enumerate() {
        let told = if features.is_empty() { "none".into() } else { features.join(", ") };
        println!("combination {} of {}: {package} with {told}", i + 1, all.len());
        let mut selected = features.join(",");
        if features.iter().any(|feature| feature == TORCH) {
            selected += ",tch/doc-only";
        }
        // Clippy hands the flag to our own crates alone, so that dependencies are compiled once.
        workspace
            .cargo("clippy --locked --no-default-features --package")
            .arg(package)
            .args(["--features", &selected, "--", "-D", "warnings"])
            .run()?;
    }
    Ok(())
}

/// Tests of builds that leave something out: it is refused by the name of its feature.
fn left_out(workspace: &Workspace) -> Result<()> {
    let test = |package: &str, target: &str| {
        println!("left out: {package} without any feature");
        let command = format!("test --locked --no-default-features --package {package}");
        let listed = workspace.cargo(&command).args(target.split(' ')).args(["--", "--list"]);
        // The harness is content with no test at all.
        ensure!(listed.read()?.contains(": test"), "{package} has no test of what is left out");
        Ok(workspace.cargo(&command).args(target.split(' ')).run()?)
    };
    test("eosin-tile", "--test left_out")?;
    test("eosin-backbone", "--test left_out")?;
    test("eosin", "--lib registry::")
}

fn all(workspace: &Workspace) -> Result<Vec<Combination>> {
    let metadata = MetadataCommand::new().current_dir(&workspace.root).no_deps().exec()?;
    let mut all = Vec::new();
    for package in metadata.workspace_packages() {
        if package.features.is_empty() || NOT_OFFERED.contains(&package.name.as_str()) {
            continue;
        }
        // The bindings' feature can be named only by who depends on them.
        let has_torch = package.dependencies.iter().any(|d| d.name == TORCH);
        if package.features.contains_key(TORCH) && !has_torch {
            println!("left out: {} with {TORCH}, which needs libtorch to check", package.name);
        }
        let offered: BTreeSet<&str> = package
            .features
            .keys()
            .map(String::as_str)
            .filter(|feature| *feature != "default" && (*feature != TORCH || has_torch))
            .collect();
        let default = package.features.get("default").cloned().unwrap_or_default();
        all.extend(of_package(&package.name, &offered, &default));
    }
    Ok(all)
}

/// None, each alone, the default ones, and all of them; each selection once.
fn of_package(package: &str, offered: &BTreeSet<&str>, default: &[String]) -> Vec<Combination> {
    let every: Vec<String> = offered.iter().map(ToString::to_string).collect();
    let alone = every.iter().filter(|f| *f != NOT_ALONE).map(|feature| vec![feature.clone()]);
    let mut default = default.to_vec();
    default.sort();
    let mut selections: Vec<Vec<String>> = vec![Vec::new()];
    for selection in alone.chain([default, every.clone()]) {
        if !selections.contains(&selection) {
            selections.push(selection);
        }
    }
    let package = package.to_string();
    selections
        .into_iter()
        .map(|features| Combination { package: package.clone(), features })
        .collect()
}
