// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pipes and devices are never opened, wherever they are named: they would block or never end.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Bench, eosin, root, text};

/// Runs a command that must end; a pipe without a writer would hold it for ever.
fn ended(command: &mut Command) -> Output {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_mins(1) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it did not end: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn pipe(path: PathBuf) -> PathBuf {
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

fn endless(path: PathBuf) -> PathBuf {
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    path
}

fn embed(input: &Path, store: &Path) -> Command {
    let mut command = eosin();
    command.arg("embed").arg(input).arg("--store").arg(store);
    command.args(["--backbone", "colour-statistics", "--configs"]).arg(root().join("configs"));
    command
}

#[test]
fn tiles_that_are_no_files_are_left_out_with_their_reason() {
    let bench = Bench::new();
    let tiles = bench.path("tiles/tiles");
    pipe(tiles.join("pipe.png"));
    endless(tiles.join("zero.png"));
    std::fs::create_dir(tiles.join("folder.png")).unwrap();
    let n_files = std::fs::read_dir(&tiles).unwrap().count() - 3;
    bench.edit_manifest(|mut lines| {
        for name in ["pipe", "zero", "folder"] {
            let rest: Vec<&str> = lines[1].split(',').skip(1).collect();
            let line = format!("tiles/{name}.png,{}", rest.join(","));
            lines.push(line);
        }
        lines
    });
    let manifest = bench.path("tiles/manifest.csv");
    let output = ended(&mut embed(&manifest, &bench.path("store")));
    let said = text(&output);
    assert_eq!(output.status.code(), Some(8), "{said}");
    for part in ["tiles/pipe.png", "tiles/zero.png", "a pipe, socket or device", "a folder"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert!(ended(eosin().arg("inspect").arg(&manifest)).status.success());

    // A folder's images are told by their content, which these do not have.
    let output = ended(&mut embed(&tiles, &bench.path("other")));
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains(&n_files.to_string()), "{n_files} in {}", text(&output));
}

#[test]
fn what_a_user_names_must_be_a_file() {
    let bench = Bench::new();
    bench.write_run("");
    let slide = root().join("tests/fixtures/cmu-1-small-region.svs");
    let manifest = bench.path("tiles/manifest.csv");
    for odd in [pipe(bench.path("pipe")), endless(bench.path("zero"))] {
        let with = |flag: &str| {
            let mut command = eosin();
            command.arg("tile").arg(&slide).arg("--dry-run").arg(flag).arg(&odd);
            command
        };
        let query = {
            let mut command = eosin();
            command.arg("query").arg("--table").arg(format!("t={}", odd.display()));
            command.arg("--store").arg(bench.path("store")).arg("SELECT * FROM t");
            command
        };
        let parquet = {
            let file = odd.with_extension("parquet");
            std::os::unix::fs::symlink(&odd, &file).unwrap();
            let mut command = eosin();
            command.arg("query").arg("--table").arg(format!("t={}", file.display()));
            command.arg("--store").arg(bench.path("store")).arg("SELECT * FROM t");
            command
        };
        let predict = {
            let mut command = eosin();
            command.arg("predict").arg(&manifest).arg("--head").arg(&odd);
            command.arg("--out").arg(bench.path("scores.csv"));
            command
        };
        let run = {
            let mut command = eosin();
            command.arg("run").arg(&odd).arg("--dry-run");
            command
        };
        let card = {
            let mut command = eosin();
            command.args(["head", "card"]).arg(&odd);
            command
        };
        let inspect = {
            let mut command = eosin();
            command.arg("inspect").arg(&odd);
            command
        };
        let tile = {
            let mut command = eosin();
            command.arg("tile").arg(&odd).arg("--out").arg(bench.path("cut"));
            command
        };
        let commands = [
            embed(&odd, &bench.path("store")),
            with("--mpp-csv"),
            with("--roi"),
            with("--tiling"),
            query,
            parquet,
            predict,
            run,
            card,
            inspect,
        ];
        for mut command in commands {
            let output = ended(&mut command);
            let said = text(&output);
            assert_eq!(output.status.code(), Some(3), "{command:?}: {said}");
            assert!(said.contains(odd.file_name().unwrap().to_str().unwrap()), "{said}");
        }
        // Among several slides, one that is none is left out.
        let mut tile = tile;
        let output = ended(&mut tile);
        assert!(!output.status.success(), "{}", text(&output));
    }
}
