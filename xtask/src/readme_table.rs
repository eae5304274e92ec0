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
    let mut table = format!("Measured on {}.\n\n", processor());
    table.push_str("| bench | case | threads | system | median | range | unit | eosin is |\n");
    table.push_str("|---|---|---|---|---|---|---|---|\n");
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file)?;
        let rows: Vec<Measurement> =
            serde_json::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        write_rows(&mut table, &name, &rows)?;
    }
    let path = workspace.root.join("README.md");
    let readme = std::fs::read_to_string(&path)?;
    let (before, rest) = readme.split_once(BEGIN).context("README.md has no benchmark marker")?;
    let (_, after) = rest.split_once(END).context("README.md has no end of benchmarks")?;
    std::fs::write(&path, format!("{before}{BEGIN}\n{table}{END}{after}"))?;
    println!("README.md: benchmark table of {} files", files.len());
    Ok(())
}

fn write_rows(table: &mut String, bench: &str, rows: &[Measurement]) -> Result<()> {
    let mut cases: BTreeMap<(&str, usize), Vec<&Measurement>> = BTreeMap::new();
    for row in rows {
        cases.entry((&row.case, row.threads)).or_default().push(row);
    }
    for ((case, threads), rows) in cases {
        let ours = rows.iter().find(|r| r.system == "eosin").map(|r| r.median);
        for row in rows {
            let ratio = match ours {
                Some(ours) if row.system != "eosin" && row.median > 0.0 && ours > 0.0 => {
                    let faster =
                        if row.higher_is_better { ours / row.median } else { row.median / ours };
                    format!("{faster:.2}×")
                }
                _ => String::new(),
            };
            writeln!(
                table,
                "| {bench} | {case} | {threads} | {} {} | {} | {}–{} ({}) | {} | {ratio} |",
                row.system,
                row.version,
                figure(row.median),
                figure(row.min),
                figure(row.max),
                row.repeats,
                row.unit,
            )?;
        }
    }
    Ok(())
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
