// SPDX-License-Identifier: MIT OR Apache-2.0

//! Disks that are full, fail, have no hard links or are read-only, and numbers that a store cannot
//! hold: every command ends with the reason, what was committed stays, and the next run completes.
//!
//! `tests/fixtures/faults.c` makes the system refuse; it is compiled here and loaded into the
//! program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{copy, eosin, root, text};
use crate::small::{
    Job, N_TILES, Random, Rows, TRANSFORMER_WIDTH, end, files, nothing_lost, ok, output, refused,
    rows, set_age, start, store_command, temporaries, verify, write_npy, write_transformer,
};
use crate::sweep::write_twice;

/// The compiled `faults.c`.
struct Faults {
    folder: tempfile::TempDir,
}

impl Faults {
    fn new() -> Self {
        let faults = Self { folder: tempfile::tempdir().unwrap() };
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(faults.library())
            .arg(root().join("tests/fixtures/faults.c"))
            .output()
            .expect("a C compiler, which Rust's linker needs too");
        assert!(compiled.status.success(), "{}", text(&compiled));
        faults
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("faults.so")
    }

    /// The command on a system with these faults.
    fn on(&self, mut command: Command, faults: &[(&str, u64)]) -> Command {
        command.env("LD_PRELOAD", self.library());
        for (name, value) in faults {
            command.env(name, value.to_string());
        }
        command
    }
}

/// How many limits are tried of each kind; more where more kills are asked for.
fn n_limits() -> u64 {
    std::env::var("EOSIN_KILLS")
        .ok()
        .map_or(6, |n| n.parse::<u64>().expect("a number").div_ceil(10))
}

/// Bytes that a command writes to files: the least limit at which it succeeds, to a twentieth.
fn bytes_written(faults: &Faults, command: &dyn Fn(&Path) -> Command, base: Option<&Path>) -> u64 {
    let fits = |limit: u64| {
        let folder = tempfile::tempdir().unwrap();
        if let Some(base) = base {
            copy(base, folder.path());
        }
        output(faults.on(command(folder.path()), &[("FAULT_BYTES", limit)])).status.success()
    };
    let (mut low, mut high) = (0, 1 << 14);
    while !fits(high) {
        (low, high) = (high, high * 2);
        assert!(high < 1 << 30, "it never succeeds");
    }
    while high - low > high / 20 {
        let middle = low.midpoint(high);
        if fits(middle) { high = middle } else { low = middle }
    }
    high
}

fn store(folder: &Path) -> PathBuf {
    folder.join("store")
}

/// Fills the disk at random bytes of a command, and at the first and last.
fn fill(name: &str, command: &dyn Fn(&Path) -> Command, base: Option<&Path>, seed: u64) {
    let faults = Faults::new();
    let whole = tempfile::tempdir().unwrap();
    if let Some(base) = base {
        copy(base, whole.path());
    }
    ok(command(whole.path()));
    let expected = rows(&store(whole.path()));
    let n_bytes = bytes_written(&faults, command, base);
    let mut random = Random::new(seed);
    let (mut partial, mut n) = (0, 0);
    for round in 0..n_limits() {
        let limit = if round == 0 { 0 } else { random.below(n_bytes * 9 / 10) };
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        if let Some(base) = base {
            copy(base, folder);
        }
        let before = rows(&store(folder));
        let told = refused(4, faults.on(command(folder), &[("FAULT_BYTES", limit)]));
        assert!(told.contains("could not") && told.contains("o space left"), "{told}");
        assert!(told.contains("free some space"), "{told}");
        // What is not committed is taken back, as far as the system lets it.
        assert_eq!(temporaries(folder), [] as [PathBuf; 0], "{name}: a limit of {limit}");
        verify(&store(folder));
        let now = rows(&store(folder));
        nothing_lost(&before, &now, &[&before, &expected]);
        partial += usize::from(!now.is_empty() && now.len() < expected.len());
        n += 1;
        ok(command(folder));
        verify(&store(folder));
        assert!(rows(&store(folder)) == expected, "{name}: other rows after a limit of {limit}");
    }
    eprintln!("{name}: {n} full disks of at most {n_bytes} bytes, {partial} with a part committed");
}

#[test]
fn embedding_on_a_full_disk_ends_with_the_reason() {
    let job = Job::new();
    fill("embed", &|folder| job.embed(&store(folder)), None, 1);
}

#[test]
fn embedding_views_on_a_full_disk_ends_with_the_reason() {
    let job = Job::new();
    fill("embed views", &|folder| job.views(&store(folder)), None, 2);
}

#[test]
fn a_run_on_a_full_disk_ends_with_the_reason() {
    let job = Job::new();
    fill("run", &|folder| job.run(folder), None, 3);
}

#[test]
fn compacting_on_a_full_disk_ends_with_the_reason() {
    let job = Job::new();
    let base = tempfile::tempdir().unwrap();
    write_twice(&job, &store(base.path()));
    let compact = |folder: &Path| store_command(&["compact"], &store(folder));
    fill("store compact", &compact, Some(base.path()), 4);
}

#[test]
fn importing_on_a_full_disk_ends_with_the_reason() {
    let arrays = tempfile::tempdir().unwrap();
    for i in 0..5 {
        write_npy(&arrays.path().join(format!("slide{i}.npy")), 30, 16, |at| (at + i) as f32);
    }
    let import = |folder: &Path| {
        let mut command = store_command(&["import"], &store(folder));
        command.args(files(arrays.path()));
        command
    };
    fill("store import", &import, None, 5);
}

/// A limit on the size of files instead, as quotas have it: other files fail.
#[test]
fn a_limit_on_the_size_of_files_ends_an_embedding_with_the_reason() {
    let job = Job::new();
    let expected = {
        ok(job.embed(&job.path("whole")));
        rows(&job.path("whole"))
    };
    for blocks in [0, 1, 4] {
        let store = job.path(&format!("limited{blocks}"));
        let embed = job.embed(&store);
        let mut command = Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        command.args(["-c", &script, "sh"]).arg(embed.get_program()).args(embed.get_args());
        let told = refused(4, command);
        assert!(told.contains("could not"), "{told}");
        verify(&store);
        ok(job.embed(&store));
        assert!(rows(&store) == expected);
    }
}

#[test]
fn a_disk_that_fails_to_sync_ends_an_embedding_and_loses_nothing() {
    let (job, faults) = (Job::new(), Faults::new());
    ok(job.embed(&job.path("whole")));
    let expected = rows(&job.path("whole"));
    for n_syncs in [0, 1, 2, 5, 9, 14, 20] {
        let store = job.path(&format!("failing{n_syncs}"));
        let told = refused(4, faults.on(job.embed(&store), &[("FAULT_SYNCS", n_syncs)]));
        assert!(told.contains("nput/output error"), "{told}");
        verify(&store);
        nothing_lost(&Rows::new(), &rows(&store), &[&expected]);
        ok(job.embed(&store));
        assert!(rows(&store) == expected, "after {n_syncs} syncs");
    }
}

#[test]
fn a_store_without_hard_links_is_written_and_swept() {
    let (job, faults) = (Job::new(), Faults::new());
    ok(job.embed(&job.path("whole")));
    let expected = rows(&job.path("whole"));
    let store = job.path("store");
    let no_links = [("FAULT_NO_LINKS", 1)];
    ok(faults.on(job.embed(&store), &no_links));
    assert!(rows(&store) == expected);
    assert_eq!(temporaries(&store), [] as [PathBuf; 0]);
    let told = ok(faults.on(job.embed(&store), &no_links));
    assert!(told.contains(&format!("{N_TILES} there already")), "{told}");
    ok(faults.on(store_command(&["compact"], &store), &no_links));
    ok(faults.on(store_command(&["gc", "--min-age", "0"], &store), &no_links));
    verify(&store);
    assert!(rows(&store) == expected);

    // Two writers at once each take the versions that the other leaves.
    let store = job.path("two");
    let writers = [2, 3].map(|batch_size| {
        let command = job.embed_with(&store, "small-colours", batch_size);
        start(faults.on(command, &no_links))
    });
    for writer in writers {
        let output = end(writer);
        assert!(output.status.success(), "{}", text(&output));
    }
    verify(&store);
    assert!(rows(&store) == expected);
}

#[test]
fn a_file_system_that_cannot_keep_a_commit_apart_is_refused() {
    let (job, faults) = (Job::new(), Faults::new());
    let store = job.path("store");
    let crippled = [("FAULT_NO_LINKS", 1), ("FAULT_NO_RENAME", 1)];
    let told = refused(4, faults.on(job.embed(&store), &crippled));
    assert!(told.contains("no hard links") && told.contains("hint: keep the store on"), "{told}");
    assert_eq!(temporaries(&store), [] as [PathBuf; 0]);
    verify(&store);
    assert!(rows(&store).is_empty());
    // Hard links alone suffice.
    ok(faults.on(job.embed(&store), &[("FAULT_NO_RENAME", 1)]));
    let before = rows(&store);
    assert_eq!(before.len(), N_TILES);
    for i in 0..8 {
        job.draw(i, 1);
    }
    refused(4, faults.on(job.embed_with(&store, "colour-statistics", 2), &crippled));
    assert!(rows(&store) == before);
}

/// Every folder of a store loses or gets back the right to be written.
fn permit(folder: &Path, is_writable: bool) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            permit(&path, is_writable);
        }
    }
    let mode = if is_writable { 0o755 } else { 0o555 };
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_read_only_store_is_read_and_refuses_to_be_written() {
    let (job, faults) = (Job::new(), Faults::new());
    let store = job.path("store");
    write_twice(&job, &store);
    let before = rows(&store);
    // Something old, so that a sweep has something to do.
    let leftover = files(&store)[0].with_file_name(".tmp-old");
    fs::write(&leftover, "cut off").unwrap();
    set_age(&leftover, std::time::Duration::from_hours(3));
    permit(&store, false);
    // Root obeys permissions like everybody else.
    let bound = |command| faults.on(command, &[("FAULT_UNPRIVILEGED", 1)]);
    for arguments in [&["verify"][..], &["ls"], &["info"]] {
        ok(bound(store_command(arguments, &store)));
    }
    let out = job.path("out.npy");
    ok(bound(store_command(&["export", "--to", "npy", "--out", out.to_str().unwrap()], &store)));
    let told = ok(bound(job.embed(&store)));
    assert!(told.contains(&format!("{N_TILES} there already")), "{told}");
    for refused_command in [
        job.embed_with(&store, "colour-statistics", 2),
        job.views(&store),
        store_command(&["compact"], &store),
        store_command(&["gc"], &store),
    ] {
        let told = refused(4, bound(refused_command));
        assert!(told.contains("Permission denied"), "{told}");
        assert!(told.contains("who may read or write"), "{told}");
    }
    permit(&store, true);
    verify(&store);
    assert!(rows(&store) == before);
    ok(job.embed_with(&store, "colour-statistics", 2));
    assert_eq!(rows(&store).len(), 2 * N_TILES);
}

/// A transformer whose block adds nothing: a black tile gives zeros, and every other tile the layer
/// norm of a vector with one value, times `gain`.
fn write_loud(job: &Job, patch: f32, gain: f32) {
    write_transformer(job, "loud", |name, share| match name {
        "norm.weight" => gain,
        // The first output alone sees the image.
        "patch_embed.proj.weight" if share < 1.0 / TRANSFORMER_WIDTH as f64 => patch,
        _ => 0.0,
    });
}

#[test]
fn numbers_that_a_store_cannot_hold_name_tile_and_backbone() {
    // Of layers that overflow come infinities and NaN, of a large gain values above 65504.
    let cases = [(1.0, 1e6, "up to 65504"), (1.0, 3e38, "finite values"), (1e38, 1.0, "found NaN")];
    for (patch, gain, says) in cases {
        let job = Job::new();
        write_loud(&job, patch, gain);
        for i in (0..N_TILES).filter(|&i| i != 21) {
            job.fill(i, [0; 3]);
        }
        let store = job.path("store");
        ok(job.embed(&store));
        let before = rows(&store);
        let told = refused(3, job.embed_with(&store, "loud", 2));
        assert!(told.contains("021.png") && told.contains("loud"), "{told}");
        assert!(told.contains(says) && told.contains("hint:"), "{told}");
        verify(&store);
        // Commits of eight tiles before it stay, and nothing of its own batch is there.
        let now = rows(&store);
        assert_eq!(now.len(), before.len() + 16, "{says}");
        assert!(before.iter().all(|(key, row)| now.get(key) == Some(row)));
        let new = now.keys().filter(|key| !before.contains_key(*key));
        assert!(new.clone().all(|(_, tile, _)| !tile.contains("020.png")), "{says}");
        if says == "up to 65504" {
            assert!(told.contains("--f32"), "{told}");
            let mut command = job.embed_with(&job.path("wide"), "loud", 2);
            command.arg("--f32");
            ok(command);
            assert_eq!(rows(&job.path("wide")).len(), N_TILES);
        }
    }
}

/// The program is not killed by what the fixture does, so that a code of 4 is its own.
#[test]
fn the_faults_are_those_of_a_system() {
    let faults = Faults::new();
    let mut version = eosin();
    version.arg("--version");
    let all = [("FAULT_NO_LINKS", 1), ("FAULT_NO_RENAME", 1), ("FAULT_UNPRIVILEGED", 1)];
    let ended = output(faults.on(version, &all));
    assert!(ended.status.success() && ended.status.signal().is_none(), "{}", text(&ended));
}
