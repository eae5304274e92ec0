// SPDX-License-Identifier: MIT OR Apache-2.0

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::allocator::peak_of_process;
use super::{MutantFault, MutantOptions, MutantParser, MutantReport, Seed};

/// Where a child keeps its report, below its folder.
pub(super) const REPORT: &str = "report.json";
/// The folder of the input that is being read.
pub(super) const CURRENT: &str = "current";
/// How a child ends when an input takes too long.
pub(super) const HANGS: i32 = 86;

/// The stack of rayon's threads and of Rust's own: what survives here survives anywhere.
const STACK_BYTES: usize = 2 << 20;
/// How often the report is written and the clock looked at.
const TICK: Duration = Duration::from_millis(200);

/// Whether a panic is an input's.
static READING: AtomicBool = AtomicBool::new(false);
/// Where the last panic was, and what it said.
static LAST_PANIC: Mutex<Option<(String, String)>> = Mutex::new(None);

/// What the thread that reads shares with the one that watches.
#[derive(Default)]
struct Progress {
    report: MutantReport,
    /// Since when the input under way is read.
    since: Option<Instant>,
}

/// Reads mutants until their number or the time is used up; `folder` is this child's.
///
/// # Panics
/// Where a sound input is refused: its mutants would prove nothing.
pub(super) fn work(name: &str, parser: &MutantParser, options: &MutantOptions, folder: &Path) {
    std::panic::set_hook(Box::new(note_panic(std::panic::take_hook())));
    let current = folder.join(CURRENT);
    std::fs::create_dir_all(&current).expect("a folder for the input");
    for seed in &parser.seeds {
        let path = write_input(&current, "seed", seed);
        if let Err(error) = (parser.read)(&path, &seed.bytes) {
            panic!("{name} refuses the sound input {}: {error}", seed.name);
        }
        std::fs::remove_file(path).expect("an input that can be removed");
    }
    let report = MutantReport { parser: name.into(), seed: options.seed, ..Default::default() };
    let progress = Mutex::new(Progress { report, ..Default::default() });
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("mutants".into()).stack_size(STACK_BYTES);
        let read = || read_mutants(name, parser, options, folder, &progress);
        let reading = thread.spawn_scoped(scope, read).expect("a thread");
        watch(&progress, options, folder, || reading.is_finished());
        reading.join().expect("faults are caught one by one");
    });
}

/// Writes the report from time to time, and ends the process when an input takes too long.
fn watch(
    progress: &Mutex<Progress>,
    options: &MutantOptions,
    folder: &Path,
    is_finished: impl Fn() -> bool,
) {
    loop {
        std::thread::sleep(TICK);
        let is_done = is_finished();
        let progress = lock(progress);
        let (report, since) = (progress.report.clone(), progress.since);
        drop(progress);
        report.write(&folder.join(REPORT));
        if is_done {
            return;
        }
        if since.is_some_and(|since| since.elapsed() > options.each) {
            std::process::exit(HANGS);
        }
    }
}

fn read_mutants(
    name: &str,
    parser: &MutantParser,
    options: &MutantOptions,
    folder: &Path,
    progress: &Mutex<Progress>,
) {
    let current = folder.join(CURRENT);
    let started = Instant::now();
    let end = options.first.saturating_add(options.mutants);
    let mut number = options.first;
    while number < end && started.elapsed() < options.duration {
        let mutant = parser.mutant(name, options.seed, number);
        let path = write_input(&current, &number.to_string(), &mutant);
        let since = Instant::now();
        lock(progress).since = Some(since);
        READING.store(true, Ordering::Relaxed);
        let (outcome, peak) = peak_of_process(options.max_bytes, || {
            catch_unwind(AssertUnwindSafe(|| (parser.read)(&path, &mutant.bytes)))
        });
        READING.store(false, Ordering::Relaxed);
        let took = since.elapsed().as_secs_f64() * 1000.0;
        let mut progress = lock(progress);
        progress.since = None;
        let report = &mut progress.report;
        report.mutants += 1;
        if took > report.slowest_ms {
            (report.slowest_ms, report.slowest_mutant) = (took, number);
        }
        if peak as u64 > report.peak_bytes {
            (report.peak_bytes, report.peak_mutant) = (peak as u64, number);
        }
        match outcome {
            Ok(Ok(())) => report.accepted += 1,
            Ok(Err(_)) => report.rejected += 1,
            Err(_) => {
                let last = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
                let (kind, message) = last.unwrap_or_default();
                let file = kept_file(options, name, number, &mutant.name);
                let fault = MutantFault { mutant: number, kind, message, file, more: 0 };
                let file = fault.file.clone();
                if report.add_fault(fault) {
                    keep(&path, &file);
                    // The next input may end this process before the report is due.
                    report.write(&folder.join(REPORT));
                }
            }
        }
        drop(progress);
        let _ = std::fs::remove_file(&path);
        number += 1;
    }
}

/// Where an input at fault is kept.
pub(super) fn kept_file(options: &MutantOptions, name: &str, number: u64, seed: &str) -> PathBuf {
    options.folder.join("faults").join(format!("{name}-{}-{number}-{seed}", options.seed))
}

/// Copies an input to where it is kept.
pub(super) fn keep(from: &Path, to: &Path) {
    let copied =
        std::fs::create_dir_all(to.parent().unwrap_or(to)).and_then(|()| std::fs::copy(from, to));
    copied.expect("room for an input at fault");
}

fn write_input(folder: &Path, number: &str, input: &Seed) -> PathBuf {
    let path = folder.join(format!("{number}-{}", input.name));
    std::fs::write(&path, &input.bytes).expect("room for an input");
    path
}

fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes panics of inputs, on whatever thread, and leaves others to `usual`.
fn note_panic(
    usual: Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>,
) -> impl Fn(&PanicHookInfo<'_>) + Send + Sync {
    move |info| {
        if !READING.load(Ordering::Relaxed) {
            return usual(info);
        }
        let place = info.location().map_or("an unknown place".into(), ToString::to_string);
        let message = info.payload_as_str().unwrap_or("no message").replace('\n', " ");
        let message = message.chars().take(300).collect();
        let mut last = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((format!("panic at {place}"), message));
    }
}
