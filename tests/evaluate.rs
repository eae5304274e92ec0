// SPDX-License-Identifier: MIT OR Apache-2.0

//! A saved head on labelled tiles and slides that it never saw.

use std::path::{Path, PathBuf};
use std::process::Output;

use eosin::crates::head::{TrainedOn, load_head, save_head};
use serde_json::Value;

use crate::common::{Bench, change, eosin, root, text};
use crate::exports::made_again;

const TASK: &str = "demo-microcalcification";

/// A trained head of the colour statistics.
fn trained(bench: &Bench, head: &str) -> PathBuf {
    let arguments = ["--no-augment", "--backbone", "colour-statistics", "--head", head];
    let output = bench.train(&arguments);
    assert!(output.status.success(), "{}", text(&output));
    bench.head(head, "colour-statistics")
}

fn report(bench: &Bench) -> Value {
    bench.json("judged/evaluation.json")
}

fn metric<'a>(report: &'a Value, name: &str) -> &'a Value {
    let metrics = report["metrics"].as_array().unwrap();
    metrics.iter().find(|m| m["name"] == name).unwrap()
}

#[test]
fn a_head_is_worth_on_its_test_part_what_training_said() {
    let bench = Bench::new();
    bench.write_run("");
    let head = trained(&bench, "logistic");
    let manifest = bench.path("tiles/manifest.csv");
    let output = bench.evaluate(&head, &manifest, &["--task", TASK, "--prevalence", "0.02"]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let report = report(&bench);
    let card = text(&eosin().args(["head", "card"]).arg(&head).output().unwrap());
    for name in ["F1", "AUROC", "AUPRC", "balanced accuracy", "log loss", "ECE"] {
        let estimate = metric(&report, name)["estimate"].as_f64().unwrap();
        let line = format!("| test {name} | {estimate:.4} |");
        assert!(card.contains(&line), "no {line} in {card}");
    }
    for part in ["trivial", "roc", "precision_recall", "recall_at_precision"] {
        assert!(!report[part].as_array().unwrap().is_empty(), "{part}");
    }
    assert!(said.contains("everything called positive"), "{said}");
    let confusion = report["confusion"].as_array().unwrap();
    let rows: u64 = confusion.iter().flat_map(|r| r.as_array().unwrap()).map(u).sum();
    assert_eq!(rows, u(&report["n_rows"]));
    let calibration = &report["calibration"];
    assert!(calibration["ece_perfect"].as_f64().unwrap() > 0.0, "{calibration}");
    let stated = &report["precision_at_prevalence"][0];
    assert_eq!(
        (stated["prevalence"].as_f64(), stated["stated"].as_bool()),
        (Some(0.02), Some(true))
    );
    // Positives are rarer than in training, so that more must be asked of the head's own numbers.
    assert!(stated["threshold"].as_f64().unwrap() > report["head"]["threshold"].as_f64().unwrap());
    let html = std::fs::read_to_string(bench.path("judged/evaluation.html")).unwrap();
    assert!(html.contains("default-src 'none'") && html.contains("Reliability"), "{html}");
    for markup in ["<script", "<img", " style=", "href=", "src=\""] {
        assert!(!html.contains(markup), "{markup}");
    }
    if let Some(n) = made_again("evaluate", &bench.path("judged")) {
        assert!(n > 15, "{n} figures");
    }
}

fn u(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn tiles_of_the_training_are_refused_unless_somebody_says_why() {
    let bench = Bench::new();
    bench.write_run("");
    let head = trained(&bench, "logistic");
    let manifest = bench.path("tiles/manifest.csv");
    for dry_run in [&["--dry-run"][..], &[]] {
        let output = bench.evaluate(&head, &manifest, dry_run);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("tiles, such as ") && said.contains("groups, such as "), "{said}");
        assert!(said.contains("--allow-leakage REASON"), "{said}");
        assert!(!bench.path("judged").exists());
    }
    let output = bench.evaluate(&head, &manifest, &["--allow-leakage", "to see how much"]);
    assert!(output.status.success(), "{}", text(&output));
    let warnings = report(&bench)["warnings"].to_string();
    assert!(warnings.contains("allowed because: to see how much"), "{warnings}");

    // A patient under other tiles is one of the training all the same.
    let mut group = String::new();
    bench.edit_rows(|cells| {
        if group.is_empty() && cells[3] == "train" {
            group.clone_from(&cells[2]);
        }
    });
    bench.edit_rows(|cells| {
        if cells[3] == "test" {
            cells[2].clone_from(&group);
        }
    });
    let output = bench.evaluate(&head, &manifest, &["--task", TASK]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("1 groups, such as {group}")), "{said}");
}

#[test]
fn a_head_that_does_not_know_its_rows_says_so() {
    let bench = Bench::new();
    bench.write_run("");
    let path = trained(&bench, "logistic");
    let mut head = load_head(&path).unwrap();
    assert!(head.trained_on.is_known());
    head.trained_on = TrainedOn::default();
    save_head(&path, &head).unwrap();
    // Its own training is among these tiles, and it cannot tell.
    let manifest = bench.path("tiles/manifest.csv");
    let unknown = "does not say which tiles it was trained on";
    for dry_run in [&["--dry-run"][..], &[]] {
        let output = bench.evaluate(&path, &manifest, dry_run);
        assert!(output.status.success(), "{}", text(&output));
        assert!(text(&output).contains(unknown), "{}", text(&output));
    }
    let warnings = report(&bench)["warnings"].to_string();
    assert!(warnings.contains(unknown) && warnings.contains("cannot be ruled out"), "{warnings}");
    assert!(!report(&bench)["notes"].to_string().contains("none of these tiles"));
}

#[test]
fn tiles_cut_otherwise_are_refused_as_predict_refuses_them() {
    let bench = Bench::new();
    bench.write_run("");
    let head = trained(&bench, "logistic");
    let slide = root().join("tests/fixtures/cmu-1-small-region.svs");
    let labels = bench.path("labels.csv");
    let name = "cmu-1-small-region";
    std::fs::write(&labels, format!("path,label,group\n{name},none,another\n")).unwrap();
    let grid = ["--tile-um", "56", "--tile-px", "112"];
    let labelled = ["--labels", labels.to_str().unwrap()];
    let refused = bench.evaluate(&head, &slide, &[&grid[..], &labelled].concat());
    let predicted = bench.predict(&head, &slide, &grid);
    assert!(text(&refused).contains("--accept"), "{}", text(&refused));
    assert_eq!(text(&refused), text(&predicted));
    let accepted = ["mpp_policy", "reader", "tile_px", "tile_um"].map(|f| ["--accept", f]).concat();
    let output = bench.evaluate(&head, &slide, &[&grid[..], &labelled, &accepted].concat());
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let report = report(&bench);
    assert_eq!(report["accepted"].as_array().unwrap().len(), 4);
    // One patient and one class: what is not defined is no number, and nothing breaks.
    assert!(metric(&report, "AUROC")["estimate"].is_null(), "{report}");
    assert!(said.contains("no row is of class microcalcification"), "{said}");
    assert!(said.contains("too few groups (1) for an interval"), "{said}");
    // Without labels it says where they would be named.
    let output = bench.evaluate(&head, &slide, &[&grid[..], &accepted].concat());
    assert!(!output.status.success());
    assert!(text(&output).contains("--labels"), "{}", text(&output));
}

#[test]
fn heads_that_were_scored_on_one_test_part_are_counted() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = bench.path("tiles/manifest.csv");
    let opened = |head: &str| {
        let head = trained(&bench, head);
        let output = bench.evaluate(&head, &manifest, &["--task", TASK]);
        assert!(output.status.success(), "{}", text(&output));
        (u(&report(&bench)["opened"]["n_configurations"]), text(&output))
    };
    // Training scores a head on the test part; evaluating the same head is no other look.
    let (n, said) = opened("logistic");
    assert!(n == 1 && said.contains("opened for the first time"), "{n}: {said}");
    assert_eq!(opened("logistic").0, 1);
    let (n, said) = opened("lda");
    assert!(n == 2 && said.contains("2 different heads or configurations"), "{n}: {said}");
}

#[test]
fn a_head_of_slides_is_evaluated_by_slide() {
    let bench = Bench::new();
    bench.write_run("");
    // A block of the slide stands for a slide with one label.
    bench.edit_rows(|cells| {
        cells[4] = cells[2].clone();
        let odd = cells[2].bytes().map(u32::from).sum::<u32>() % 2 == 1;
        cells[1] = if odd { "microcalcification" } else { "none" }.into();
    });
    let head = trained(&bench, "mean-pool");
    let manifest = bench.path("tiles/manifest.csv");
    let output = bench.evaluate(&head, &manifest, &["--task", TASK]);
    assert!(output.status.success(), "{}", text(&output));
    let report = report(&bench);
    assert_eq!(report["unit"], "slide");
    assert_eq!(report["n_rows"], report["n_groups"]);
    let card = text(&eosin().args(["head", "card"]).arg(&head).output().unwrap());
    let f1 = metric(&report, "F1")["estimate"].as_f64().unwrap();
    assert!(card.contains(&format!("| test F1 | {f1:.4} |")), "{f1}: {card}");
    if let Some(n) = made_again("evaluate", &bench.path("judged")) {
        assert!(n > 15, "{n} figures");
    }
}

/// Tile, probability of the positive class and call of every line.
fn predictions(bench: &Bench, head: &Path, arguments: &[&str]) -> (Output, Vec<(f64, String)>) {
    let output = bench.predict(head, &bench.path("tiles/manifest.csv"), arguments);
    let text = std::fs::read_to_string(bench.path("scores.csv")).unwrap_or_default();
    let cells = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[6].parse().unwrap(), cells[7].to_string())
    };
    (output, text.lines().skip(1).map(cells).collect())
}

#[test]
fn predictions_are_recalibrated_to_a_stated_share() {
    let bench = Bench::new();
    bench.write_run("");
    let head = trained(&bench, "logistic");
    let (_, plain) = predictions(&bench, &head, &[]);
    let (output, rare) = predictions(&bench, &head, &["--prevalence", "0.01"]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("stated shares none 0.99, microcalcification 0.01"), "{said}");
    assert!(said.contains("on its own probabilities"), "{said}");
    // The odds of every tile move by one factor, that of the shares' odds.
    let odds = |p: f64| p / (1.0 - p);
    let inside = |p: f64| (0.02..0.98).contains(&p);
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let train: Vec<&str> =
        manifest.lines().filter(|l| l.split(',').nth(3) == Some("train")).collect();
    let positives = train.iter().filter(|l| l.contains(",microcalcification,")).count() as f64;
    let share = positives / train.len() as f64;
    let factor = odds(0.01) / odds(share);
    let mut compared = 0;
    for ((before, _), (after, _)) in plain.iter().zip(&rare) {
        if inside(*before) && inside(*after) {
            let found = odds(*after) / odds(*before);
            assert!((found / factor - 1.0).abs() < 1e-3, "{found} for {factor}");
            compared += 1;
        }
    }
    assert!(compared > 0);
    let positive = |rows: &[(f64, String)]| rows.iter().filter(|r| r.1 != "none").count();
    assert!(positive(&rare) < positive(&plain));
    for (given, expected) in
        [("0", "above 0"), ("0.5,0.6", "sum to 1"), ("0.2,0.2,0.6", "each class")]
    {
        let (output, _) = predictions(&bench, &head, &["--prevalence", given]);
        assert_eq!(output.status.code(), Some(2), "{given}: {}", text(&output));
        assert!(text(&output).contains(expected), "{given}: {}", text(&output));
    }
}

#[test]
fn shares_of_a_new_site_are_told_with_their_interval_or_refused() {
    let bench = Bench::new();
    bench.write_run("");
    let hopeless = trained(&bench, "logistic");
    let (output, rows) = predictions(&bench, &hopeless, &["--recalibrate"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("wide: these tiles do not say"), "{}", text(&output));
    assert!(rows.is_empty());
    // Where the class is the tile's density, colour tells it.
    let (mut n, mut n_dense) = (0.0, 0.0);
    bench.edit_rows(|cells| {
        let dense = cells[7] == "high";
        cells[1] = if dense { "microcalcification" } else { "none" }.into();
        n += 1.0;
        n_dense += f64::from(u8::from(dense));
    });
    let share = n_dense / n;
    let head = trained(&bench, "logistic");
    let (output, rows) = predictions(&bench, &head, &["--recalibrate"]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(!rows.is_empty());
    let told = said.lines().find(|l| l.contains("speak for")).unwrap();
    let numbers: Vec<f64> = told
        .split("microcalcification ")
        .nth(1)
        .unwrap()
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .filter_map(|part| part.parse().ok())
        .collect();
    let [estimate, lower, upper] = numbers[..3] else { panic!("{told}") };
    assert!(lower < estimate && estimate < upper, "{told}");
    assert!(lower < share && share < upper, "{share}: {told}");
    // Tiles of two patients say nothing of a site.
    std::fs::remove_file(bench.path("scores.csv")).unwrap();
    let mut n_rows = 0;
    bench.edit_rows(|cells| {
        cells[2] = format!("patient-{}", n_rows % 2);
        n_rows += 1;
    });
    let (output, rows) = predictions(&bench, &head, &["--recalibrate"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("2 patients or slides, and at least 5 are needed"), "{said}");
    assert!(said.contains("--prevalence"), "{said}");
    assert!(rows.is_empty());
}

#[test]
fn a_run_says_how_often_its_test_part_was_opened() {
    let bench = Bench::new();
    bench.write_run("");
    let run = || {
        let output = bench.run("out", &[]);
        assert!(output.status.success(), "{}", text(&output));
        let json = std::fs::read(bench.path("out/report.json")).unwrap();
        let report: Value = serde_json::from_slice(&json).unwrap();
        (u(&report["opened"]["n_configurations"]), text(&output), json)
    };
    let (n, said, first) = run();
    assert!(n == 1 && said.contains("opened for the first time"), "{n}: {said}");
    let html = std::fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(html.contains("opened for the first time"));
    // The same run is no other look at the test part.
    assert_eq!(run().2, first);
    change(&bench.path("configs/run/test.toml"), "seed = 3", "seed = 4");
    let (n, said, _) = run();
    assert!(n == 2 && said.contains("2 different heads or configurations"), "{n}: {said}");
}
