// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace::Workspace;

const BEGIN: &str = "<!-- benchmarks: written by `cargo xtask bench --readme` -->";
const END: &str = "<!-- end of benchmarks -->";

/// One line of a bench file; the format is described in `benches/README.md`.
#[derive(Deserialize)]
struct Measurement {
    case: String,
    system: String,
    version: String,
    threads: usize,
    unit: String,
    higher_is_better: bool,
    median: f64,
    min: f64,
    max: f64,
    repeats: usize,
    /// Of the result, against the reference's.
    max_difference: Option<f64>,
    cosine: Option<f64>,
}

/// Rewrites the README's benchmark table from the files in `folder`.
pub fn rewrite(workspace: &Workspace, folder: &Path) -> Result<()> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("no bench files in {}; run `cargo xtask bench` first", folder.display());
    }
    let mut table = format!(
        "Measured on {}: medians (ranges) of contenders that took turns, and how many times better \
         Eosin is.\n",
        processor()
    );
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file)?;
        let rows: Vec<Measurement> =
            serde_json::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        write_table(&mut table, &name, &rows)?;
    }
    table.push('\n');
    let path = workspace.root.join("README.md");
    let readme = std::fs::read_to_string(&path)?;
    let (before, rest) = readme.split_once(BEGIN).context("README.md has no benchmark marker")?;
    let (_, after) = rest.split_once(END).context("README.md has no end of benchmarks")?;
    std::fs::write(&path, format!("{before}{BEGIN}\n{table}{END}{after}"))?;
    println!("README.md: benchmark table of {} files", files.len());
    Ok(())
}

/// Whether the README shows a case: of several batch sizes one, the rest is in RESULTS.md.
fn is_shown(row: &Measurement) -> bool {
    !row.case.ends_with(", batch 1") && !row.case.ends_with(", batch 32")
}

/// A line per case, a column per system.
fn write_table(table: &mut String, bench: &str, rows: &[Measurement]) -> Result<()> {
    let rows: Vec<&Measurement> = rows.iter().filter(|row| is_shown(row)).collect();
    let mut systems: Vec<&str> = rows.iter().map(|r| r.system.as_str()).collect();
    systems.sort_unstable_by_key(|name| (*name != "eosin", *name));
    systems.dedup();
    let has_agreement = rows.iter().any(|r| r.max_difference.is_some());
    let repeats = rows.iter().map(|r| r.repeats).max().unwrap_or(0);
    write!(table, "\n| {bench}, {repeats} repeats | threads | unit |")?;
    for system in &systems {
        let version = rows.iter().rfind(|r| r.system == *system).map_or("", |r| &r.version);
        write!(table, " {system} {version} |")?;
    }
    table.push_str(if has_agreement { " largest difference, 1 − cosine |\n" } else { "\n" });
    table.push_str(&"|---".repeat(systems.len() + 3 + usize::from(has_agreement)));
    table.push_str("|\n");
    let mut cases: BTreeMap<(&str, usize, &str), Vec<&Measurement>> = BTreeMap::new();
    for row in rows {
        cases.entry((&row.case, row.threads, &row.unit)).or_default().push(row);
    }
    for ((case, threads, unit), rows) in cases {
        write!(table, "| {case} | {threads} | {unit} |")?;
        let find = |system: &str| rows.iter().find(|r| r.system == system);
        let ours = find("eosin").map(|r| r.median);
        for system in &systems {
            match find(system) {
                Some(row) => write!(table, " {} |", cell(row, ours))?,
                None => table.push_str(" |"),
            }
        }
        if has_agreement {
            match find("eosin").and_then(|r| Some((r.max_difference?, r.cosine?))) {
                Some((d, cosine)) => write!(table, " {d:.0e}, {:.0e} |", (1.0 - cosine).max(0.0))?,
                None => table.push_str(" |"),
            }
        }
        table.push('\n');
    }
    Ok(())
}

fn cell(row: &Measurement, ours: Option<f64>) -> String {
    let mut text = figure(row.median);
    if row.repeats > 1 {
        let _ = write!(text, " ({}–{})", figure(row.min), figure(row.max));
    }
    if let Some(ours) = ours
        && row.system != "eosin"
        && row.median > 0.0
        && ours > 0.0
    {
        let ratio = if row.higher_is_better { ours / row.median } else { row.median / ours };
        let _ = write!(text, ", **{ratio:.2}×**");
    }
    text
}

fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The processor's own name, so that no figure stands without its machine.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|p| p.1.trim()));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {cores} cores", model.unwrap_or(std::env::consts::ARCH))
}
