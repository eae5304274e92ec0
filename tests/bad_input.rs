// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every mistake gets one line that says what was expected and found, a hint, and its exit code.

use std::process::Output;

use crate::common::{Bench, card_of_the_program, eosin, text};

#[track_caller]
fn check(output: &Output, code: i32, expected: &[&str]) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in expected {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    if code != 8 {
        assert!(text.contains("hint: "), "no hint in\n{text}");
        let errors = text.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{text}");
    }
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let bench = Bench::new();
    bench.write_run("backbonez = 3");
    check(&bench.run("out", &["--dry-run"]), 3, &["test.toml", "`backbonez`", "`backbones`?"]);
}

#[test]
fn an_unknown_kind_names_the_known() {
    let bench = Bench::new();
    std::fs::write(bench.path("configs/head/bad.toml"), "kind = \"logistik\"").unwrap();
    let run = std::fs::read_to_string(bench.write_run("")).unwrap();
    let run = run.replace("head = \"logistic\"", "head = \"bad\"");
    std::fs::write(bench.path("configs/run/test.toml"), run).unwrap();
    let expected = ["`logistik`", "linfa-logistic", "did you mean `logistic`?"];
    check(&bench.run("out", &["--dry-run"]), 5, &expected);
}

#[test]
fn an_unknown_file_of_configs_names_the_known() {
    let bench = Bench::new();
    let run = std::fs::read_to_string(bench.write_run("")).unwrap();
    let run = run.replace("task = \"demo-microcalcification\"", "task = \"demo-microcalc\"");
    std::fs::write(bench.path("configs/run/test.toml"), run).unwrap();
    let expected = ["task `demo-microcalc`", "did you mean `demo-microcalcification`?"];
    check(&bench.run("out", &["--dry-run"]), 5, &expected);
}

#[test]
fn an_engine_that_is_compiled_out_names_its_feature() {
    let bench = Bench::new();
    bench.write_run("");
    check(&bench.run("out", &["--dry-run", "--engine", "cuda"]), 5, &["cuda", "feature `cuda`"]);
}

#[test]
fn an_empty_manifest_is_refused() {
    let bench = Bench::new();
    bench.write_run("");
    bench.edit_manifest(|lines| lines[..1].to_vec());
    check(&bench.run("out", &[]), 3, &["manifest.csv", "at least one row"]);
}

#[test]
fn a_missing_manifest_is_named() {
    let bench = Bench::new();
    bench.write_run("");
    std::fs::remove_file(bench.path("tiles/manifest.csv")).unwrap();
    check(&bench.run("out", &[]), 4, &["manifest.csv", "because: "]);
}

#[test]
fn one_class_is_refused() {
    let bench = Bench::new();
    bench.write_run("");
    bench.edit_manifest(|lines| {
        lines.into_iter().filter(|l| !l.contains(",microcalcification,")).collect()
    });
    check(&bench.run("out", &[]), 3, &["manifest.csv", "at least two classes", "none"]);
}

#[test]
fn a_group_in_two_splits_is_refused_with_its_rows() {
    let bench = Bench::new();
    bench.write_run("");
    bench.edit_manifest(|mut lines| {
        // The first row of the other split goes over to this row's group.
        let split = |line: &str| line.split(',').nth(3).unwrap().to_string();
        let group = lines[1].split(',').nth(2).unwrap().to_string();
        let other = (2..lines.len()).find(|&i| split(&lines[i]) != split(&lines[1])).unwrap();
        let mut cells: Vec<String> = lines[other].split(',').map(str::to_string).collect();
        cells[2].clone_from(&group);
        lines[other] = cells.join(",");
        lines
    });
    check(&bench.run("out", &["--dry-run"]), 7, &["both sides of a split", "group block-"]);
}

#[test]
fn identical_tiles_in_two_splits_are_refused() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let of = |split: &str| {
        let row = manifest.lines().find(|l| l.split(',').nth(3) == Some(split)).unwrap();
        bench.path("tiles").join(row.split(',').next().unwrap())
    };
    std::fs::copy(of("train"), of("test")).unwrap();
    check(&bench.run("out", &["--dry-run"]), 7, &["both sides of a split"]);
}

#[test]
fn missing_tiles_of_two_splits_are_not_taken_for_the_same_tile() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    for split in ["train", "test"] {
        let row = manifest.lines().find(|l| l.split(',').nth(3) == Some(split)).unwrap();
        let tile = row.split(',').next().unwrap();
        std::fs::remove_file(bench.path("tiles").join(tile)).unwrap();
    }
    // They are left out, and that is all that is wrong with them.
    let output = bench.run("out", &["--dry-run"]);
    check(&output, 8, &["2 tiles were left out"]);
    assert!(!text(&output).contains("both sides"), "{}", text(&output));
}

#[test]
fn a_leaking_split_is_refused_before_anything_is_embedded() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let of = |split: &str| {
        let row = manifest.lines().find(|l| l.split(',').nth(3) == Some(split)).unwrap();
        bench.path("tiles").join(row.split(',').next().unwrap())
    };
    std::fs::copy(of("train"), of("test")).unwrap();
    check(&bench.run("out", &[]), 7, &["both sides of a split"]);
    assert!(!bench.path("out/store").exists(), "tiles were embedded first");
}

#[test]
fn allowed_leakage_stands_in_the_report_with_its_reason() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let row = |split: &str| -> Vec<String> {
        let row = manifest.lines().find(|l| l.split(',').nth(3) == Some(split)).unwrap();
        row.split(',').map(str::to_string).collect()
    };
    // The same image on both sides, and a group of the training side that is tested on as well.
    let (train, test) = (row("train"), row("test"));
    let file = |row: &[String]| bench.path("tiles").join(&row[0]);
    std::fs::copy(file(&train), file(&test)).unwrap();
    bench.edit_manifest(|lines| {
        let mend = |line: String| {
            if line.starts_with(&format!("{},", test[0])) {
                line.replacen(&format!(",{},test", test[2]), &format!(",{},test", train[2]), 1)
            } else {
                line
            }
        };
        lines.into_iter().map(mend).collect()
    });
    check(&bench.run("out", &[]), 7, &["group"]);
    check(&bench.run("out", &["--allow-leakage", " "]), 2, &["reason"]);
    let output = bench.run("out", &["--allow-leakage", "a second scan, on purpose"]);
    assert!(output.status.success(), "{}", text(&output));
    let report = std::fs::read_to_string(bench.path("out/report.json")).unwrap();
    assert!(report.contains("allowed because: a second scan, on purpose"));
    assert!(report.contains("identical tiles across splits"), "the finding itself is not told");
}

#[test]
fn one_bad_tile_is_recorded_and_the_run_goes_on() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let mut tiles = manifest.lines().skip(1).map(|l| l.split(',').next().unwrap().to_string());
    let (truncated, missing) = (tiles.next().unwrap(), tiles.next().unwrap());
    let path = bench.path("tiles").join(&truncated);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    std::fs::remove_file(bench.path("tiles").join(&missing)).unwrap();
    let output = bench.run("out", &[]);
    check(&output, 8, &[&truncated, &missing, "2 tiles"]);
    let report = std::fs::read_to_string(bench.path("out/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let skipped: Vec<&str> =
        report["skipped"].as_array().unwrap().iter().map(|s| s["tile"].as_str().unwrap()).collect();
    assert_eq!(skipped, [truncated.as_str(), missing.as_str()]);
}

#[test]
fn truncated_weights_are_refused() {
    let bench = Bench::new();
    let whole = crate::common::root()
        .join("crates/eosin-backbone/assets/efficientnet-lite0.f16.safetensors");
    let bytes = std::fs::read(whole).unwrap();
    std::fs::write(bench.path("weights.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    let card = card_of_the_program("efficientnet-lite0");
    let (card, _) = card.split_once("[weights]").unwrap();
    let card = card.replace("\"efficientnet-lite0\"", "\"mine\"")
        + "[weights]\nkind = \"file\"\nfile = \"../../weights.safetensors\"\nsource = \"mine\"\n";
    std::fs::write(bench.path("configs/backbone/mine.toml"), card).unwrap();
    let output = eosin()
        .arg("embed")
        .arg(bench.path("tiles/manifest.csv"))
        .args(["--backbone", "mine", "--configs"])
        .arg(bench.path("configs"))
        .arg("--store")
        .arg(bench.path("store"))
        .output()
        .unwrap();
    check(&output, 3, &["weights.safetensors"]);
}

#[test]
fn help_lists_the_exit_codes_and_an_example_per_command() {
    let help = eosin().arg("--help").output().unwrap();
    assert!(text(&help).contains("Exit codes:"));
    for command in ["run", "tile", "embed", "select", "train", "predict", "inspect", "backbone"] {
        let help = text(&eosin().args([command, "--help"]).output().unwrap());
        assert!(help.contains("Example"), "{command}:\n{help}");
    }
}
