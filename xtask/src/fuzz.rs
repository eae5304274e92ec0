// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use xshell::cmd;

use crate::workspace::Workspace;

#[derive(clap::Args, Default)]
pub struct Options {
    /// Minutes for each parser; 1 where neither this nor --mutants is given.
    #[arg(long)]
    minutes: Option<f64>,
    /// Damaged inputs for each parser at most.
    #[arg(long)]
    mutants: Option<u64>,
    /// Only this parser; may be given several times.
    #[arg(long, value_name = "NAME")]
    parser: Vec<String>,
    /// Makes other inputs: a seed and a number tell an input.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Parsers at a time; as many as there are cores where it is not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// Write the seed corpus of coverage-guided fuzzing, and fuzz nothing.
    #[arg(long)]
    corpus: bool,
}

/// A parser's line of the table, as the mutation driver reports it.
#[derive(Deserialize)]
struct Report {
    parser: String,
    mutants: u64,
    accepted: u64,
    rejected: u64,
    slowest_ms: f64,
    peak_bytes: u64,
    faults: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    mutant: u64,
    kind: String,
    message: String,
    file: PathBuf,
}

/// Prefix of the tests that read damaged inputs.
const TESTS: &str = "every::";

/// Whether the targets of cargo-fuzz compile; stable Rust and no C++ compiler suffice for that.
pub fn check(workspace: &Workspace) -> Result<()> {
    let folder = targets(workspace);
    // They are a workspace of their own, in which what both use has our versions.
    std::fs::copy(workspace.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let manifest = folder.join("Cargo.toml");
    // Named, libFuzzer itself is not compiled, which a check does not link.
    let check = workspace.cargo("check --manifest-path").arg(manifest);
    Ok(check.env("CUSTOM_LIBFUZZER_PATH", folder.join("libfuzzer.a")).run()?)
}

fn targets(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests/fuzz")
}

/// Fuzzes every parser: guided by coverage where cargo-fuzz and nightly Rust are installed, by the
/// mutation driver of the tests, which knows nothing of coverage, elsewhere.
pub fn fuzz(workspace: &Workspace, options: &Options) -> Result<()> {
    let program = build(workspace)?;
    let parsers = parsers(&program, &options.parser)?;
    if options.corpus {
        return corpus(workspace, &program);
    }
    let sh = &workspace.shell;
    let guided = cmd!(sh, "cargo +nightly fuzz --version").quiet().ignore_stderr();
    if guided.ignore_status().output().is_ok_and(|o| o.status.success()) {
        return guided_by_coverage(workspace, options, &program, &parsers);
    }
    println!(
        "cargo-fuzz on nightly Rust is absent, so inputs are made by the mutation driver, which \
         coverage does not guide"
    );
    mutants(workspace, options, &program, &parsers)
}

/// Parsers of what strangers hand over most, which CI fuzzes for a minute each.
const MINUTE: [&str; 10] = [
    "tiff",
    "dicom",
    "jpeg",
    "pickle",
    "names",
    "npy",
    "parquet_manifest",
    "log",
    "geojson",
    "condition",
];

/// What CI does by the mutation driver, whatever is installed: a minute of [`MINUTE`], ten seconds
/// of every other parser, and of none more than 10,000 inputs.
pub fn in_ci(workspace: &Workspace) -> Result<()> {
    let program = build(workspace)?;
    let named = MINUTE.map(str::to_string);
    let minute = parsers(&program, &named)?;
    let others: Vec<String> =
        parsers(&program, &[])?.into_iter().filter(|name| !named.contains(name)).collect();
    for (parsers, minutes) in [(minute, 1.0), (others, 1.0 / 6.0)] {
        // The same inputs on every machine, however fast: those beyond are for longer runs.
        let mutants_at_most = Some(10_000);
        let options = Options {
            minutes: Some(minutes),
            mutants: mutants_at_most,
            seed: 1,
            ..Options::default()
        };
        mutants(workspace, &options, &program, &parsers)?;
    }
    Ok(())
}

/// Builds the tests that read damaged inputs, and returns their program.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let build = "test --workspace --test mutants --locked --no-run --message-format=json";
    let messages = workspace.cargo(build).read()?;
    let mut programs = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_test = message["target"]["name"] == "mutants" && message["profile"]["test"] == true;
        message["executable"].as_str().filter(|_| is_test).map(PathBuf::from)
    });
    programs.next_back().context("cargo names no program of the test `mutants`")
}

/// The parsers that the program knows, or those of them that are wanted.
fn parsers(program: &Path, wanted: &[String]) -> Result<Vec<String>> {
    let listed = Command::new(program).args(["--list", "--format", "terse"]).output()?;
    let listed = String::from_utf8(listed.stdout)?;
    let known: Vec<String> = listed
        .lines()
        .filter_map(|line| line.strip_prefix(TESTS)?.strip_suffix(": test"))
        .map(str::to_string)
        .collect();
    ensure!(!known.is_empty(), "the program of the test `mutants` lists no parser");
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        bail!("no parser `{unknown}`; there are {}", known.join(", "));
    }
    Ok(if wanted.is_empty() { known } else { wanted.to_vec() })
}

/// Sound inputs of every parser, in the folders where cargo-fuzz looks for them.
fn corpus(workspace: &Workspace, program: &Path) -> Result<()> {
    let folder = targets(workspace).join("corpus");
    let written = Command::new(program)
        .args(["corpus", "--exact", "--ignored", "--quiet"])
        .env("EOSIN_FUZZ_CORPUS", &folder)
        .stdout(Stdio::null())
        .status()?;
    ensure!(written.success(), "the corpus could not be written");
    println!("corpus: {}", folder.display());
    Ok(())
}

fn guided_by_coverage(
    workspace: &Workspace,
    options: &Options,
    program: &Path,
    parsers: &[String],
) -> Result<()> {
    corpus(workspace, program)?;
    let sh = &workspace.shell;
    let folder = targets(workspace);
    let limit = match options.mutants {
        Some(n) if options.minutes.is_none() => format!("-runs={n}"),
        _ => format!("-max_total_time={}", seconds(options)),
    };
    let seed = format!("-seed={}", options.seed);
    for parser in parsers {
        cmd!(sh, "cargo +nightly fuzz run --fuzz-dir {folder} {parser} -- {limit} {seed}")
            .args(["-timeout=20", "-rss_limit_mb=1024", "-malloc_limit_mb=512"])
            .run()
            .with_context(|| format!("the target {parser} found a fault"))?;
    }
    Ok(())
}

fn seconds(options: &Options) -> u64 {
    (options.minutes.unwrap_or(1.0) * 60.0).max(1.0) as u64
}

/// Runs the mutation driver, several parsers at a time, and prints a table.
fn mutants(
    workspace: &Workspace,
    options: &Options,
    program: &Path,
    parsers: &[String],
) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.unwrap_or(cores).clamp(1, parsers.len());
    let folder = workspace.target.join("fuzz");
    std::fs::create_dir_all(&folder)?;
    let started = Instant::now();
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(parser) = parsers.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = run(options, program, parser, &folder);
                    if let Ok(mut rows) = rows.lock() {
                        rows.push(row);
                    }
                }
            });
        }
    });
    let mut rows: Vec<Report> =
        rows.into_inner().unwrap_or_default().into_iter().collect::<Result<_>>()?;
    rows.sort_by_key(|row| parsers.iter().position(|parser| *parser == row.parser));
    print_table(&rows);
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    let all: u64 = rows.iter().map(|row| row.mutants).sum();
    println!(
        "seed {}, {all} damaged inputs in {minutes:.1} min, {jobs} parsers at a time",
        options.seed
    );
    let n_faults: usize = rows.iter().map(|row| row.faults.len()).sum();
    if n_faults == 0 {
        return Ok(());
    }
    for row in &rows {
        for fault in &row.faults {
            println!(
                "{}: mutant {} of seed {} {}: {}\n  {}",
                row.parser,
                fault.mutant,
                options.seed,
                fault.kind,
                fault.message,
                fault.file.display()
            );
        }
    }
    bail!(
        "{n_faults} kinds of faults; the inputs are kept, and made again by --seed and EOSIN_MUTANT_FIRST"
    )
}

/// Runs one parser's test in a process of its own.
fn run(options: &Options, program: &Path, parser: &str, folder: &Path) -> Result<Report> {
    let report = folder.join(format!("{parser}.json"));
    let _ = std::fs::remove_file(&report);
    let mut command = Command::new(program);
    command
        .args([&format!("{TESTS}{parser}"), "--exact", "--quiet"])
        .env("EOSIN_MUTANT_SEED", options.seed.to_string())
        .env("EOSIN_MUTANT_REPORT", &report);
    if options.minutes.is_some() || options.mutants.is_none() {
        command.env("EOSIN_MUTANT_SECONDS", seconds(options).to_string());
    }
    if let Some(n) = options.mutants {
        command.env("EOSIN_MUTANTS", n.to_string());
    }
    let output = command.output().with_context(|| format!("the parser {parser} does not start"))?;
    let Ok(text) = std::fs::read_to_string(&report) else {
        let said = [output.stdout, output.stderr].concat();
        bail!("the parser {parser} gives no report:\n{}", String::from_utf8_lossy(&said));
    };
    Ok(serde_json::from_str(&text)?)
}

fn print_table(rows: &[Report]) {
    println!("| parser | mutants | refused | accepted | slowest | peak | faults |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for row in rows {
        println!(
            "| {} | {} | {} | {} | {:.0} ms | {:.1} MB | {} |",
            row.parser,
            row.mutants,
            row.rejected,
            row.accepted,
            row.slowest_ms,
            row.peak_bytes as f64 / 1e6,
            row.faults.len()
        );
    }
}
