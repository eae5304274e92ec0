// SPDX-License-Identifier: MIT OR Apache-2.0

//! Writers that are killed at random instants, and disks that are full.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use eosin_core::{Contract, EmbeddingStore, NoProgress};
use eosin_store::{ParquetStore, RowKey};

use crate::support::{contract, files, meta, rows, scan, value};

const N_SLIDES: usize = 8;
/// Enough bytes that a shard is encoded and written on threads of its own.
const ROWS: usize = 600;
/// Tells the child where to write; the test binary is its own child.
const CHILD_ROOT: &str = "EOSIN_STORE_CRASH_TEST_ROOT";

fn crash_contract() -> Contract {
    contract(1024)
}

/// Embeds what is not committed yet, as the pipeline does: one commit per slide.
fn work(root: &Path) -> eosin_core::Result<()> {
    let store = ParquetStore::open(root)?;
    let contract = crash_contract();
    let committed = store.committed(&contract.fingerprint())?;
    let mut writer = store.writer(&contract)?;
    for s in 0..N_SLIDES {
        let slide = format!("slide{s}");
        let key = RowKey::of(&meta(&slide, 0), 0);
        if committed.contains_key(&key) {
            continue;
        }
        for first in (0..ROWS).step_by(50) {
            writer.append(rows(&contract, &slide, first..first + 50))?;
        }
        writer.commit()?;
    }
    Ok(())
}

#[test]
#[ignore = "the child of the crash tests"]
fn child() {
    let Some(root) = std::env::var_os(CHILD_ROOT) else { return };
    if let Err(e) = work(Path::new(&root)) {
        eprintln!("{e}: {}", e.hint());
        std::process::exit(3);
    }
}

fn child_command(root: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["crash::child", "--exact", "--ignored", "--nocapture"])
        .env(CHILD_ROOT, root)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Every committed row is whole and right, and whole slides are committed in order.
fn check_state(root: &Path) -> usize {
    let store = ParquetStore::open(root).unwrap();
    let contract = crash_contract();
    let set = contract.fingerprint();
    if store.sets().unwrap().is_empty() {
        return 0;
    }
    let report = store.verify(&set, &NoProgress).unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
    let all = scan(&store, &set).unwrap();
    assert_eq!(all.metas.len() % ROWS, 0, "a part of a commit is visible");
    for (row, found) in all.metas.iter().enumerate() {
        let (slide, i) = (format!("slide{}", row / ROWS), row % ROWS);
        assert_eq!(*found, meta(&slide, i));
        assert_eq!(
            all.embeddings.row(row)[i % 1024].to_bits(),
            value(&slide, i, i % 1024).to_bits()
        );
    }
    all.metas.len()
}

/// Xorshift: the instants are random yet the same in every run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn kill_repeatedly(n_kills: usize) {
    let undisturbed = tempfile::tempdir().unwrap();
    let started = std::time::Instant::now();
    assert!(child_command(undisturbed.path()).status().unwrap().success());
    let whole_run = started.elapsed();
    let mut expected = files(undisturbed.path());
    assert_eq!(check_state(undisturbed.path()), N_SLIDES * ROWS);

    let mut seed = 0x5EED;
    let (mut kills, mut partial, mut at_version) = (0, 0, BTreeMap::new());
    while kills < n_kills {
        let folder = tempfile::tempdir().unwrap();
        let mut committed = 0;
        // The same store is killed over and over until it is complete or enough is killed.
        loop {
            let mut child = child_command(folder.path()).spawn().unwrap();
            let span = whole_run.as_micros() as u64 * 5 / 4;
            std::thread::sleep(Duration::from_micros(next(&mut seed) % span));
            let running = child.try_wait().unwrap().is_none();
            child.kill().unwrap();
            child.wait().unwrap();
            let now = check_state(folder.path());
            assert!(now >= committed, "committed rows were lost");
            committed = now;
            if running {
                kills += 1;
                *at_version.entry(committed / ROWS).or_insert(0) += 1;
                partial += usize::from(files(folder.path()).keys().any(|p| {
                    p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(".tmp-"))
                }));
            }
            if committed == N_SLIDES * ROWS || kills >= n_kills {
                break;
            }
        }
        // A run to the end gives the bytes of one that was never disturbed.
        assert!(child_command(folder.path()).status().unwrap().success());
        let store = ParquetStore::open(folder.path()).unwrap();
        store.gc(&crash_contract().fingerprint(), Duration::ZERO).unwrap();
        let found = files(folder.path());
        assert!(found == expected, "{:?} and {:?}", found.keys(), expected.keys());
        expected = found;
    }
    eprintln!("{kills} kills, {partial} left a temporary; by commits seen: {at_version:?}");
}

#[test]
fn a_kill_at_any_instant_loses_only_what_was_not_committed() {
    kill_repeatedly(30);
}

#[test]
#[ignore = "takes about a minute; run with --ignored before a release"]
fn two_hundred_kills() {
    kill_repeatedly(200);
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_reported_and_the_next_run_completes() {
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    // A limit on file sizes stands in for a full disk: writes fail the same way, with an error.
    let script = format!(
        "trap '' XFSZ; ulimit -f 100; exec '{}' crash::child --exact --ignored --nocapture",
        program.display()
    );
    let limited =
        Command::new("sh").args(["-c", &script]).env(CHILD_ROOT, folder.path()).output().unwrap();
    assert_eq!(limited.status.code(), Some(3), "{limited:?}");
    let said = String::from_utf8_lossy(&limited.stderr);
    assert!(said.contains("could not write"), "{said}");
    assert_eq!(check_state(folder.path()), 0);
    assert!(files(folder.path()).is_empty(), "what was written is taken back");
    work(folder.path()).unwrap();
    assert_eq!(check_state(folder.path()), N_SLIDES * ROWS);
}

#[cfg(unix)]
#[test]
fn a_read_only_store_is_read_and_not_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = crash_contract();
    let mut writer = store.writer(&contract).unwrap();
    writer.append(rows(&contract, "a", 0..2)).unwrap();
    writer.commit().unwrap();
    let set = folder.path().join(contract.fingerprint().as_str());
    let permit = |mode| {
        for path in [set.clone(), set.join("shards"), set.join("_log")] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    permit(0o555);
    let privileged = std::fs::write(set.join("probe"), "").is_ok();
    let read = store.read_all(&contract.fingerprint());
    writer.append(rows(&contract, "b", 0..2)).unwrap();
    let refused = writer.commit();
    permit(0o755);
    assert_eq!(read.unwrap().metas.len(), 2);
    if privileged {
        eprintln!("skipped: refusal to write, because this user may write to read-only folders");
    } else {
        let error = refused.unwrap_err();
        assert!(error.hint().contains("who may read or write"), "{error}");
    }
}
