// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::child::{CURRENT, HANGS, REPORT, keep, kept_file, work};
use super::{MutantFault, MutantOptions, MutantParser, MutantReport};

/// Tells a child that it is one, and its folder.
const CHILD: &str = "EOSIN_MUTANT_CHILD";
/// Inputs that may end a child before the parser is given up.
const MAX_DEATHS: usize = 25;

/// Reads damaged inputs of the parser that `make` describes, in a child process that runs the test
/// `test` of this program alone; the parser has the name of the test without its module.
///
/// # Panics
/// Where an input panics, takes too long, too much memory or too much stack, or a sound one is
/// refused; the message says how to read the same input again, and where it is kept.
pub fn check_mutants(test: &str, make: impl Fn() -> MutantParser, options: &MutantOptions) {
    let name = test.rsplit("::").next().unwrap_or(test);
    if let Some(folder) = std::env::var_os(CHILD) {
        work(name, &make(), options, Path::new(&folder));
        return;
    }
    let report = supervise(test, name, options);
    if let Some(path) = &options.report {
        report.write(path);
    }
    println!("{}", summary(&report));
    assert!(report.faults.is_empty(), "{}", faults(&report, test));
}

fn supervise(test: &str, name: &str, options: &MutantOptions) -> MutantReport {
    let mut total = MutantReport { parser: name.into(), seed: options.seed, ..Default::default() };
    let folder = options.folder.join(format!("{name}-{}", std::process::id()));
    let started = Instant::now();
    let end = options.first.saturating_add(options.mutants);
    let mut first = options.first;
    for _ in 0..=MAX_DEATHS {
        let left = options.duration.saturating_sub(started.elapsed());
        if first >= end || left.is_zero() {
            break;
        }
        let (status, said) = run_child(test, options, first, end - first, left, &folder);
        let report = MutantReport::read(&folder.join(REPORT));
        let under_way = input_under_way(&folder);
        total.add(report.unwrap_or_default());
        if status.success() {
            break;
        }
        let Some((mutant, path, seed)) = under_way else {
            panic!("{name} ends before any damaged input is read ({status}):\n{said}");
        };
        let file = kept_file(options, name, mutant, &seed);
        keep(&path, &file);
        // The report of a child that ended is some inputs old.
        total.mutants = mutant + 1 - options.first;
        total.rejected = total.mutants - total.accepted.min(total.mutants);
        let (kind, message) = death(status, &said);
        total.add_fault(MutantFault { mutant, kind, message, file, more: 0 });
        first = mutant + 1;
    }
    total.seconds = started.elapsed().as_secs_f64();
    let _ = std::fs::remove_dir_all(&folder);
    total
}

/// Runs the test as a child in a fresh folder; returns how it ended and the end of what it said.
fn run_child(
    test: &str,
    options: &MutantOptions,
    first: u64,
    mutants: u64,
    left: Duration,
    folder: &Path,
) -> (ExitStatus, String) {
    let (said, temporary) = (folder.join("stderr"), folder.join("tmp"));
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(&temporary).expect("a folder for the inputs");
    let program = std::env::current_exe().expect("the path of this program");
    let mut command = Command::new(program);
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, folder)
        .env("TMPDIR", &temporary)
        .env("EOSIN_MUTANT_SEED", options.seed.to_string())
        .env("EOSIN_MUTANT_FIRST", first.to_string())
        .env("EOSIN_MUTANTS", mutants.to_string())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&said).expect("a file for what the child says"));
    if options.duration < Duration::MAX {
        command.env("EOSIN_MUTANT_SECONDS", left.as_secs().max(1).to_string());
    }
    let status = command.status().expect("a child process");
    let said = String::from_utf8_lossy(&std::fs::read(said).unwrap_or_default()).into_owned();
    let last: Vec<&str> = said.lines().rev().take(20).collect();
    (status, last.into_iter().rev().collect::<Vec<_>>().join("\n"))
}

/// Number, file and seed of the input that a child was reading when it ended.
fn input_under_way(folder: &Path) -> Option<(u64, PathBuf, String)> {
    let entries = std::fs::read_dir(folder.join(CURRENT)).ok()?;
    let parsed = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let (number, seed) = name.split_once('-')?;
        Some((number.parse().ok()?, entry.path(), seed.to_string()))
    });
    parsed.max()
}

/// What ended a child, and its own words.
fn death(status: ExitStatus, said: &str) -> (String, String) {
    let line = |part: &str| said.lines().find(|line| line.contains(part)).map(str::to_string);
    if status.code() == Some(HANGS) {
        return ("hangs".into(), "the time for one input is over".into());
    }
    if let Some(line) = line("memory allocation of") {
        return ("takes too much memory".into(), line);
    }
    if let Some(line) = line("has overflowed its stack") {
        return ("exhausts the stack".into(), line);
    }
    (format!("ends the process ({status})"), said.lines().last().unwrap_or("").to_string())
}

fn summary(report: &MutantReport) -> String {
    format!(
        "{}: {} mutants, {} refused, {} accepted, slowest {:.0} ms, peak {:.1} MB, {:.0} s",
        report.parser,
        report.mutants,
        report.rejected,
        report.accepted,
        report.slowest_ms,
        report.peak_bytes as f64 / 1e6,
        report.seconds
    )
}

fn faults(report: &MutantReport, test: &str) -> String {
    let fault = |f: &MutantFault| {
        format!(
            "mutant {} {}: {} ({} more alike); kept as {}\n  again: EOSIN_MUTANT_SEED={} \
             EOSIN_MUTANT_FIRST={} EOSIN_MUTANTS=1 and the test {test}",
            f.mutant,
            f.kind,
            f.message,
            f.more,
            f.file.display(),
            report.seed,
            f.mutant
        )
    };
    let all: Vec<String> = report.faults.iter().map(fault).collect();
    format!("{} faults of {}\n{}", all.len(), report.parser, all.join("\n"))
}
