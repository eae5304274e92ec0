// SPDX-License-Identifier: MIT OR Apache-2.0

//! A dry run says that nothing is wrong only where the run would do all of its work: what makes
//! one fail makes the other fail, with the same exit code and the same words.

use std::path::Path;
use std::process::Output;

use crate::common::{self, Bench, NOISE, card_of_the_program, eosin, text};

const FINE: &str = "nothing is wrong";

/// Both ways; they must agree, and the dry run must leave nothing behind.
#[track_caller]
fn both(command: impl Fn(&[&str]) -> Output, out: &Path, code: i32, expected: &[&str]) {
    let there = out.exists();
    let dry = command(&["--dry-run"]);
    let said = text(&dry);
    assert!(there || !out.exists(), "the dry run made {}", out.display());
    assert_eq!(dry.status.code(), Some(code), "the dry run: {said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(said.contains(FINE), code == 0, "{said}");
    let real = command(&[]);
    assert_eq!(real.status.code(), Some(code), "the run: {}\nthe dry run: {said}", text(&real));
    for part in expected {
        assert!(said.contains(part), "no {part:?} in the dry run\n{said}");
        assert!(text(&real).contains(part), "no {part:?} in the run\n{}", text(&real));
    }
}

fn run(bench: &Bench) -> impl Fn(&[&str]) -> Output {
    |arguments| bench.run("out", arguments)
}

fn train<'a>(bench: &'a Bench, arguments: &'a [&'a str]) -> impl Fn(&[&str]) -> Output + 'a {
    move |extra| bench.train(&[arguments, extra].concat())
}

fn select(bench: &Bench) -> impl Fn(&[&str]) -> Output {
    |arguments| bench.select(arguments)
}

/// Changes the run's text; it must have `from`.
#[track_caller]
fn change(bench: &Bench, from: &str, to: &str) {
    common::change(&bench.path("configs/run/test.toml"), from, to);
}

/// A card of a network whose weights are the user's.
fn card_without_weights(bench: &Bench) {
    let card = card_of_the_program("efficientnet-lite0");
    let (card, _) = card.split_once("[weights]").unwrap();
    let card = card.replace("\"efficientnet-lite0\"", "\"mine\"")
        + "[weights]\nkind = \"file\"\nfile = \"../../weights.safetensors\"\nsource = \"mine\"\n";
    std::fs::write(bench.path("configs/backbone/mine.toml"), card).unwrap();
}

#[test]
fn what_is_sound_is_sound_in_every_command() {
    let bench = Bench::new();
    bench.write_run("");
    let out = bench.path("out");
    both(run(&bench), &out, 0, &[]);
    std::fs::remove_dir_all(&out).unwrap();
    both(select(&bench), &out, 0, &[]);
    std::fs::remove_dir_all(&out).unwrap();
    both(train(&bench, &["--head", "knn", "--head", "ridge"]), &out, 0, &[]);
}

#[test]
fn weights_that_are_missing_or_damaged_are_found() {
    let bench = Bench::new();
    bench.write_run("");
    card_without_weights(&bench);
    change(&bench, "\"colour-statistics\"]", "\"mine\"]");
    change(&bench, "default_backbone = \"efficientnet-lite0\"", "default_backbone = \"mine\"");
    let out = bench.path("out");
    both(run(&bench), &out, 2, &["mine", "weights.safetensors"]);
    std::fs::write(bench.path("weights.safetensors"), b"no weights").unwrap();
    let _ = std::fs::remove_dir_all(&out);
    both(train(&bench, &["--no-augment"]), &out, 3, &["weights.safetensors"]);
}

#[test]
fn an_engine_that_is_not_there_is_found() {
    let bench = Bench::new();
    bench.write_run("");
    change(&bench, "engine = { ", "engine = { kind = \"cuda\", ");
    both(run(&bench), &bench.path("out"), 5, &["cuda", "feature `cuda`"]);
}

#[test]
fn a_column_that_is_not_there_is_found_also_in_the_plan_of_train() {
    let bench = Bench::new();
    bench.write_run("");
    let task = "description = \"?\"\ncolumn = \"lable\"\n";
    std::fs::write(bench.path("configs/task/wrong.toml"), task).unwrap();
    let out = bench.path("out");
    both(train(&bench, &["--task", "wrong"]), &out, 3, &["a column named lable", "`label`?"]);
    both(train(&bench, &["--head", "logistik"]), &out, 5, &["logistik", "logistic"]);
    both(train(&bench, &["--backbone", "unii"]), &out, 5, &["unii", "uni"]);
}

#[test]
fn a_condition_that_does_not_parse_is_found_in_tasks_and_proxies() {
    let bench = Bench::new();
    bench.write_run("");
    let task = "description = \"?\"\nwhere = \"no_such_column = 3\"\n";
    std::fs::write(bench.path("configs/task/wrong.toml"), task).unwrap();
    change(&bench, "proxies = [\"demo-density\"]", "proxies = [\"wrong\"]");
    let out = bench.path("out");
    both(run(&bench), &out, 2, &["no_such_column"]);
}

#[test]
fn groups_that_cannot_be_folded_are_found() {
    let bench = Bench::new();
    bench.write_run("");
    // Every tile of the positive class in one group: it cannot be held out and trained on.
    bench.edit_manifest(|lines| {
        let header: Vec<&str> = lines[0].split(',').collect();
        let at = |name: &str| header.iter().position(|c| *c == name).unwrap();
        let (label, group, split) = (at("label"), at("group"), at("split"));
        let mend = |line: &String| {
            let mut cells: Vec<String> = line.split(',').map(str::to_string).collect();
            if cells[label] == "microcalcification" && cells[split] == "train" {
                cells[group] = "one".into();
            }
            cells.join(",")
        };
        lines.iter().map(mend).collect()
    });
    let out = bench.path("out");
    both(run(&bench), &out, 2, &["every class in at least 2 groups"]);
    let _ = std::fs::remove_dir_all(&out);
    both(train(&bench, &["--no-augment"]), &out, 1, &["no head could be fitted"]);
}

#[test]
fn slides_with_two_labels_are_found_before_a_slide_head_is_trained() {
    let bench = Bench::new();
    bench.write_run("");
    let plan = ["--head", "mean-pool", "--no-augment"];
    both(train(&bench, &plan), &bench.path("out"), 1, &["one label"]);
}

#[test]
fn a_head_that_fails_among_others_is_told() {
    let bench = Bench::new();
    bench.write_run("");
    let plan = ["--head", "logistic", "--head", "mean-pool", "--no-augment"];
    both(train(&bench, &plan), &bench.path("out"), 8, &["with mean-pool on", "one label"]);
}

#[test]
fn an_output_that_cannot_be_written_is_found() {
    let bench = Bench::new();
    bench.write_run("");
    let file = bench.path("a-file");
    std::fs::write(&file, "no folder").unwrap();
    // A folder would have to be made in a file.
    let command = |arguments: &[&str]| bench.run("a-file/out", arguments);
    both(command, &bench.path("a-file/out"), 4, &["a-file"]);
    let store = bench.path("out/store");
    std::fs::create_dir_all(bench.path("out")).unwrap();
    std::fs::write(&store, "no folder").unwrap();
    both(run(&bench), &store, 2, &["out/store"]);
}

#[test]
fn a_store_that_is_damaged_is_found() {
    let bench = Bench::new();
    bench.write_run("");
    assert!(bench.run("out", &[]).status.success());
    for set in std::fs::read_dir(bench.path("out/store")).unwrap() {
        std::fs::write(set.unwrap().path().join("contract.json"), "{").unwrap();
    }
    both(run(&bench), &bench.path("out"), 3, &["contract.json"]);
}

#[test]
fn views_that_make_no_sense_are_found() {
    let bench = Bench::new();
    bench.write_run("");
    change(&bench, "augment = \"noise\"", "augment = \"views-and-noise-tiny\"");
    let augment = bench.path("configs/augment/views-and-noise-tiny.toml");
    common::change(&augment, "n_views = 2", "n_views = 300");
    let out = bench.path("out");
    both(run(&bench), &out, 3, &["n_views", "2 to 256"]);
    // A transform that needs views, and none are given.
    let bank = "[[transforms]]\nkind = \"view-bank\"\n";
    std::fs::write(bench.path("configs/augment/views-and-noise-tiny.toml"), bank).unwrap();
    both(run(&bench), &out, 2, &["view"]);
}

#[test]
fn a_manifest_of_a_proxy_that_is_not_there_is_found() {
    let bench = Bench::new();
    bench.write_run("");
    let task = "description = \"?\"\nmanifest = \"elsewhere/manifest.csv\"\n";
    std::fs::write(bench.path("configs/task/elsewhere.toml"), task).unwrap();
    change(&bench, "proxies = [\"demo-density\"]", "proxies = [\"elsewhere\"]");
    let out = bench.path("out");
    both(run(&bench), &out, 4, &["elsewhere/manifest.csv"]);
    let _ = std::fs::remove_dir_all(&out);
    both(select(&bench), &out, 4, &["elsewhere/manifest.csv"]);
}

#[test]
fn tiles_that_cannot_be_read_are_counted_and_named() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let mut names = manifest.lines().skip(1).map(|l| l.split(',').next().unwrap().to_string());
    let (gone, cut) = (names.next().unwrap(), names.next().unwrap());
    std::fs::remove_file(bench.path("tiles").join(&gone)).unwrap();
    let path = bench.path("tiles").join(&cut);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let out = bench.path("out");
    let expected = [gone.as_str(), cut.as_str(), "2 tiles were left out"];
    both(run(&bench), &out, 8, &expected);
    std::fs::remove_dir_all(&out).unwrap();
    both(train(&bench, &["--no-augment"]), &out, 8, &expected);
    let embed = |arguments: &[&str]| {
        let mut command = eosin();
        command.arg("embed").arg(bench.path("tiles/manifest.csv")).arg("--store");
        command.arg(bench.path("store")).args(["--backbone", "colour-statistics", "--configs"]);
        command.arg(bench.path("configs")).args(arguments).output().unwrap()
    };
    both(embed, &bench.path("store"), 8, &expected);
}

#[test]
fn all_tiles_of_a_class_that_cannot_be_read_are_a_fault() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    for line in manifest.lines().filter(|line| line.contains(",microcalcification,")) {
        // Each with a content of its own, or they would be the same tile on both sides of the split.
        let tile = bench.path("tiles").join(line.split(',').next().unwrap());
        std::fs::write(tile, format!("no image: {line}")).unwrap();
    }
    both(run(&bench), &bench.path("out"), 3, &["at least two classes"]);
}

#[test]
fn a_backbone_that_would_be_left_out_is_told() {
    let bench = Bench::new();
    bench.write_run("");
    card_without_weights(&bench);
    change(&bench, "\"colour-statistics\"]", "\"colour-statistics\", \"mine\"]");
    both(select(&bench), &bench.path("out"), 8, &["mine", "weights.safetensors"]);
}

#[test]
fn a_study_is_rehearsed_as_well() {
    let bench = Bench::new();
    bench.write_run("");
    let study = |extra: &str| bench.write_study("noise", &format!("{NOISE}{extra}"));
    let command = |arguments: &[&str]| bench.study(arguments);
    study("");
    let output = command(&["--dry-run"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(!bench.path("out").exists());
    study("[views]\nn_views = 2\nhed_sigma = 7.0\n");
    both(command, &bench.path("out"), 3, &["hed_sigma"]);
    // An arm that cannot be fitted does not end a study, but it is no arm of which nothing is wrong.
    study("[[arms]]\nname = \"bank\"\ntransforms = [{ kind = \"view-bank\" }]\n");
    let output = command(&["--dry-run"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).contains(FINE), "{}", text(&output));
    assert!(
        text(&output).contains("bank on efficientnet-lite0 has no result"),
        "{}",
        text(&output)
    );
}

#[test]
fn predicting_is_checked_up_to_the_first_embedding() {
    let bench = Bench::new();
    bench.write_run("");
    assert!(bench.train(&["--no-augment"]).status.success());
    let head =
        bench.path("out/heads/demo-microcalcification-logistic-efficientnet-lite0.safetensors");
    let predict = |extra: &[&str], out: &str| {
        let mut command = eosin();
        command.arg("predict").arg(bench.path("tiles/manifest.csv")).arg("--head").arg(&head);
        command.arg("--out").arg(bench.path(out)).arg("--store").arg(bench.path("out/store"));
        command.arg("--configs").arg(bench.path("configs")).args(extra).output().unwrap()
    };
    assert!(predict(&["--dry-run"], "scores.csv").status.success());
    assert!(!bench.path("scores.csv").exists());
    for (extra, out, code, expected) in [
        (&["--accept", "backbone"][..], "scores.csv", 2, "--accept"),
        (&["--attention", "a.csv"], "scores.csv", 2, "--attention"),
        (&["--engine", "cuda"], "scores.csv", 5, "cuda"),
        (&[], "none/scores.csv", 4, "none"),
    ] {
        for dry_run in [&["--dry-run"][..], &[]] {
            let output = predict(&[extra, dry_run].concat(), out);
            assert_eq!(output.status.code(), Some(code), "{extra:?}: {}", text(&output));
            assert!(text(&output).contains(expected), "{}", text(&output));
        }
    }
}
