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

/// The README's rows: bench, case, threads. Each stands beside the best peer, whoever wins.
const SHOWN: [(&str, &str, usize); 10] = [
    ("embed", "EfficientNet-Lite0 224 px, batch 8", 2),
    ("embed", "ResNet-50 224 px, batch 8", 2),
    ("embed", "ViT-S/16 224 px, batch 8", 2),
    ("embed", "ViT-B/16 224 px, batch 8", 2),
    ("heads", "20000 x 1024, 20 penalties x 5 folds", 2),
    ("pipeline", "EfficientNet-Lite0 on a 8000 × 8000 JPEG pyramid to a store", 2),
    (
        "select",
        "9 backbones x 3 proxies x 5 x 5 folds, 10000 x 1024, linear with 7 penalties and knn",
        2,
    ),
    ("store", "full read, 200000 x 1024", 2),
    ("store", "write, 200000 x 1024", 2),
    ("tiles", "224 px cut, 20000 × 20000 JPEG pyramid", 2),
];
/// How contenders begin that are Eosin's own or no program at all.
const NO_PEERS: [&str; 3] = ["eosin", "burn-", "limit"];

/// Rewrites the README's benchmark table, and all cases in `benches/RESULTS.md`, from the files in
/// `folder`.
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
    let measured =
        format!("Measured on {}: medians (ranges) of contenders that took turns", processor());
    let mut all = format!("{measured}, and how many times better Eosin is.\n");
    let mut short = format!(
        "{measured}, the best peer, and how many times better Eosin is.\n\n\
         | bench | case | threads | unit | eosin | best peer | |\n|---|---|---|---|---|---|---|\n"
    );
    let mut n_shown = 0;
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file)?;
        let rows: Vec<Measurement> =
            serde_json::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        write_table(&mut all, &name, &rows)?;
        for (_, case, threads) in SHOWN.iter().filter(|(bench, ..)| *bench == name) {
            if write_row(&mut short, &name, case, *threads, &rows)? {
                n_shown += 1;
            } else {
                println!("left out: no peer beside {case} of {name}");
            }
        }
    }
    for (file, table) in [("README.md", short), ("benches/RESULTS.md", all)] {
        replace(&workspace.root.join(file), &table)?;
    }
    println!(
        "README.md: {n_shown} of {} cases; all of {} files in benches/RESULTS.md",
        SHOWN.len(),
        files.len()
    );
    Ok(())
}

/// Puts a table between a file's markers.
fn replace(path: &Path, table: &str) -> Result<()> {
    let missing = |what: &str| format!("{} has no {what} of benchmarks", path.display());
    let text = std::fs::read_to_string(path)?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| missing("beginning"))?;
    let (_, after) = rest.split_once(END).with_context(|| missing("end"))?;
    Ok(std::fs::write(path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?)
}

/// A case beside the best peer; `false` where there is none.
fn write_row(
    table: &mut String,
    bench: &str,
    case: &str,
    threads: usize,
    rows: &[Measurement],
) -> Result<bool> {
    let same = |row: &&Measurement| row.case == case && row.threads == threads;
    let Some(ours) = rows.iter().filter(same).find(|row| row.system == "eosin") else {
        return Ok(false);
    };
    let is_peer = |row: &&Measurement| !NO_PEERS.iter().any(|own| row.system.starts_with(own));
    let by_median = |a: &&Measurement, b: &&Measurement| {
        let order = a.median.total_cmp(&b.median);
        if ours.higher_is_better { order } else { order.reverse() }
    };
    let Some(peer) = rows.iter().filter(same).filter(is_peer).max_by(by_median) else {
        return Ok(false);
    };
    let (own, unit) = (cell(ours, None), &ours.unit);
    let theirs = cell(peer, Some(ours.median));
    let (theirs, ratio) = theirs.rsplit_once(", ").unwrap_or((&theirs, ""));
    let named = format!("{} {}", peer.system, peer.version);
    writeln!(
        table,
        "| {bench} | {case} | {threads} | {unit} | {own} | {named}: {theirs} | {ratio} |"
    )?;
    Ok(true)
}

/// Whether the full table shows a case: of several batch sizes one.
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
