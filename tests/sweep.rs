// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `eosin store gc` leaves alone, and how `eosin store verify` tells what two writers leave
//! from damage.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::common::{eosin, text};
use crate::small::{
    Job, N_TILES, end, files, ok, refused, rows, set_age, set_time, start, store_command,
    temporaries, verify,
};

/// The folder of the only set.
fn only_set(store: &Path) -> PathBuf {
    let mut sets = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let set = sets.next().unwrap();
    assert!(sets.next().is_none(), "one set");
    set
}

fn shards(store: &Path) -> Vec<PathBuf> {
    files(&only_set(store).join("shards"))
}

/// Puts the commits of the store `from` after those of `to`, which is what two writers who did not
/// know of each other leave.
fn append_commits(to: &Path, from: &Path) {
    let (to, from) = (only_set(to), only_set(from));
    assert_eq!(to.file_name(), from.file_name());
    for shard in files(&from.join("shards")) {
        fs::copy(&shard, to.join("shards").join(shard.file_name().unwrap())).unwrap();
    }
    for entry in files(&from.join("_log")) {
        let version = files(&to.join("_log")).len() + 1;
        let text = fs::read_to_string(entry).unwrap();
        let mut entry: serde_json::Value = serde_json::from_str(&text).unwrap();
        entry["version"] = version.into();
        fs::write(to.join(format!("_log/{version:020}.json")), entry.to_string()).unwrap();
    }
}

/// Two embeddings of the same tiles under one log, cut into different shards.
pub fn write_twice(job: &Job, store: &Path) {
    ok(job.embed(store));
    let other = tempfile::tempdir().unwrap();
    ok(job.embed_with(other.path(), "small-colours", 3));
    append_commits(store, other.path());
}

/// A container's processes often have the same numbers as another's, so the name that a temporary
/// file was given for its process may be that of a living writer elsewhere.
#[test]
fn gc_leaves_the_fresh_files_of_another_container() {
    let job = Job::new();
    let store = job.path("store");
    write_twice(&job, &store);
    ok(store_command(&["compact"], &store));
    let set = only_set(&store);
    for path in files(&set) {
        set_age(&path, Duration::from_hours(3));
    }
    let n_shards = shards(&store).len();
    // The shell's number becomes that of the sweep, which `exec` starts in its place.
    let script = r#"cd "$1" && for folder in . _log shards; do for i in 0 1 2 3 4 5 6 7 8 9 \
        10 11 12 13 14 15 16 17 18 19 20; do echo fresh > $folder/.tmp-$$-$i; done; done
        shift && exec "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(&set);
    let gc = store_command(&["gc"], &store);
    command.arg(gc.get_program()).args(gc.get_args());
    ok(command);
    assert_eq!(shards(&store).iter().filter(|p| !is_temporary(p)).count(), 1, "of {n_shards}");
    let left = temporaries(&set);
    assert_eq!(left.len(), 63, "{left:?}");
    assert!(left.iter().all(|path| fs::read(path).unwrap() == b"fresh\n"));
    verify(&store);
    assert_eq!(rows(&store).len(), N_TILES);
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with(".tmp-")
}

#[test]
fn gc_allows_for_clocks_that_differ_and_takes_what_is_old() {
    let job = Job::new();
    let store = job.path("store");
    ok(job.embed(&store));
    let set = only_set(&store);
    let minutes = |n: u64| Duration::from_mins(n);
    let now = SystemTime::now();
    let times = [now, now - minutes(14), now + minutes(14), now + minutes(600), now - minutes(180)];
    for (i, time) in times.into_iter().enumerate() {
        let path = set.join(format!(".tmp-{i}"));
        fs::write(&path, "of a writer").unwrap();
        set_time(&path, time);
    }
    for arguments in [&["gc"][..], &["gc", "--min-age", "15"]] {
        ok(store_command(arguments, &store));
        let names: Vec<PathBuf> = (0..4).map(|i| set.join(format!(".tmp-{i}"))).collect();
        assert_eq!(temporaries(&set), names, "{arguments:?}");
    }
    for minutes in ["1", "14"] {
        let told = refused(2, store_command(&["gc", "--min-age", minutes], &store));
        assert!(told.contains("at least 15 minutes, or 0") && told.contains("hint:"), "{told}");
    }
    ok(store_command(&["gc", "--min-age", "0"], &store));
    assert_eq!(temporaries(&set), [] as [PathBuf; 0]);
    verify(&store);
    let help = ok(store_command(&["gc", "--help"], &store));
    assert!(help.contains("nobody else uses the store"), "{help}");
}

/// A writer that is cut off between the naming of its shards and its commit leaves shards that no
/// commit names; the next run finds them under the names of its own.
#[test]
fn a_shard_that_is_there_already_is_used_and_never_replaced() {
    let job = Job::new();
    let store = job.path("store");
    ok(job.embed(&store));
    let expected = rows(&store);
    let entries = files(&only_set(&store).join("_log"));
    for entry in &entries {
        fs::remove_file(entry).unwrap();
    }
    let before: Vec<(PathBuf, u64)> =
        shards(&store).into_iter().map(|p| (p.clone(), fs::metadata(p).unwrap().ino())).collect();
    for (path, _) in &before {
        set_age(path, Duration::from_hours(3));
    }
    ok(job.embed(&store));
    for (path, inode) in &before {
        let now = fs::metadata(path).unwrap();
        assert_eq!(now.ino(), *inode, "{} was replaced", path.display());
        let age = SystemTime::now().duration_since(now.modified().unwrap()).unwrap_or_default();
        assert!(age < Duration::from_hours(1), "it counts as old, so that gc would take it");
    }
    assert!(rows(&store) == expected);
    assert_eq!(temporaries(&store), [] as [PathBuf; 0]);

    // One that is damaged is named, and neither used nor overwritten.
    for entry in &entries {
        fs::remove_file(entry).unwrap();
    }
    let damaged = &shards(&store)[0];
    let mut bytes = fs::read(damaged).unwrap();
    bytes[200] ^= 1;
    fs::write(damaged, &bytes).unwrap();
    let told = refused(3, job.embed(&store));
    assert!(told.contains(damaged.file_name().unwrap().to_str().unwrap()), "{told}");
    assert!(told.contains("BLAKE3") && told.contains("remove it"), "{told}");
    assert_eq!(fs::read(damaged).unwrap(), bytes);
    fs::remove_file(damaged).unwrap();
    ok(job.embed(&store));
    assert!(rows(&store) == expected);
    verify(&store);
}

/// Between the naming of its shards and its entry a commit holds a lock, and so does a sweep: a
/// shard that no entry names yet, and that is as old as the writer that was cut off, stays.
#[test]
fn commits_and_sweeps_wait_for_each_other() {
    let job = Job::new();
    let store = job.path("store");
    ok(job.embed(&store));
    let set = only_set(&store);
    let lock = fs::File::options().write(true).open(set.join(".lock")).unwrap();
    let leftover = set.join("shards").join(format!("{:032x}.parquet", 7));
    fs::write(&leftover, "of a writer that was cut off").unwrap();
    set_age(&leftover, Duration::from_hours(3));

    lock.lock_shared().unwrap();
    let mut sweep = start(store_command(&["gc"], &store));
    std::thread::sleep(Duration::from_millis(300));
    assert!(sweep.try_wait().unwrap().is_none(), "it did not wait for the commit");
    assert!(leftover.exists());
    lock.unlock().unwrap();
    assert!(end(sweep).status.success());
    assert!(!leftover.exists());

    // All is to be committed again, into the set whose lock is known.
    let entries = files(&set.join("_log"));
    for entry in &entries {
        fs::remove_file(entry).unwrap();
    }
    lock.lock().unwrap();
    let mut writer = start(job.embed(&store));
    while temporaries(&set).is_empty() {
        assert!(writer.try_wait().unwrap().is_none(), "it ended without a shard");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(files(&set.join("_log")), [] as [PathBuf; 0], "it did not wait for the sweep");
    lock.unlock().unwrap();
    let output = end(writer);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(files(&set.join("_log")), entries);
    assert_eq!(rows(&store).len(), N_TILES);
    verify(&store);
}

#[test]
fn rows_of_two_writers_are_told_from_damage() {
    let job = Job::new();
    let store = job.path("store");
    write_twice(&job, &store);
    let expected = rows(&store);
    let told = ok(store_command(&["verify"], &store));
    assert!(told.contains(&format!("{N_TILES} rows of set")), "{told}");
    assert!(told.contains("sound") && told.contains("eosin store compact"), "{told}");

    let shard = shards(&store).remove(0);
    let sound = fs::read(&shard).unwrap();
    let mut bytes = sound.clone();
    bytes[sound.len() / 2] ^= 1;
    fs::write(&shard, bytes).unwrap();
    let told = refused(3, store_command(&["verify"], &store));
    assert!(told.contains("1 problems") && told.contains("BLAKE3"), "{told}");
    assert!(told.contains(shard.file_name().unwrap().to_str().unwrap()), "{told}");
    fs::write(&shard, sound).unwrap();

    let told = ok(store_command(&["compact"], &store));
    assert!(told.contains(&N_TILES.to_string()), "{told}");
    let told = ok(store_command(&["verify"], &store));
    assert!(!told.contains("committed again"), "{told}");
    assert!(rows(&store) == expected);
}

#[test]
fn help_says_what_verify_does_of_rows_that_are_there_twice() {
    let help = text(&eosin().args(["store", "verify", "--help"]).output().unwrap());
    assert!(help.contains("two writers at once"), "{help}");
}
