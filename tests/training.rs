// SPDX-License-Identifier: MIT OR Apache-2.0

//! What training and runs tell of heads: calls of other folds, rows left uncalled, calibration and
//! prevalence, and rows that are on two sides.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::common::{Bench, change, eosin, text};
use crate::exports::made_again;
use crate::small::{Job, ok};

const TASK: &str = "demo-microcalcification";

const TRAINING: &str = "training = { folds = 2 }";
const EVALUATION: &str = "evaluation = { replicates = 100 }";
const STATED: &str = "evaluation = { replicates = 100, prevalence = [0.02] }";
/// Of the colour statistics, which cost little.
const CHEAP: [&str; 3] = ["--no-augment", "--backbone", "colour-statistics"];

/// A figure of a head's card.
fn carded(head: &Path, name: &str) -> f64 {
    let card = text(&eosin().args(["head", "card"]).arg(head).output().unwrap());
    let line = card.lines().find_map(|line| line.strip_prefix(&format!("| {name} | ")));
    let line = line.unwrap_or_else(|| panic!("no {name} in {card}"));
    line.trim_end_matches([' ', '|']).parse().unwrap_or(f64::NAN)
}

fn metric(metrics: &Value, name: &str) -> f64 {
    let all = metrics.as_array().unwrap();
    all.iter().find(|m| m["name"] == name).unwrap()["estimate"].as_f64().unwrap()
}

/// Tiles of the small job with labels of which some are wrong, so that a threshold matters.
#[test]
fn the_rows_of_a_fold_are_called_at_a_threshold_of_other_folds() {
    let job = Job::new();
    let mut manifest = String::from("path,label,group,split\n");
    for i in 0..320 {
        job.draw(i, 0);
        let is_red = i % 2 == 0;
        let label = if is_red == (i * 7 % 10 < 7) { "red" } else { "blue" };
        let split = if i < 280 { "train" } else { "test" };
        writeln!(manifest, "{i:03}.png,{label},g{},{split}", i / 20).unwrap();
    }
    job.write("tiles/manifest.csv", &manifest);
    let run = std::fs::read_to_string(job.path("configs/run/small.toml")).unwrap();
    job.write("configs/run/small.toml", &run.replace("{ folds = 2 }", "{ folds = 4 }"));
    let mut train = eosin();
    train.arg("train").arg(job.path("configs/run/small.toml"));
    train.arg("--data").arg(job.path("tiles")).arg("--out").arg(job.path("out"));
    train.args(["--backbone", "small-colours", "--no-augment"]);
    ok(train);
    if let Some(n) = made_again("thresholds", &job.path("out")) {
        assert!(n >= 9, "{n} figures");
        assert!(made_again("train", &job.path("out")).unwrap() > 20);
    }
}

#[test]
fn heads_of_many_classes_are_sorted_by_the_mean_auroc_that_needs_no_call() {
    let bench = Bench::new();
    bench.write_run("");
    let heads = ["logistic", "knn", "nearest-mean", "lda", "ridge"];
    let mut arguments = [&CHEAP[..], &["--task", "demo-density"]].concat();
    arguments.extend(heads.iter().flat_map(|head| ["--head", *head]));
    let output = bench.train(&arguments);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let rows: Vec<&str> = said.lines().filter(|line| line.contains("macro AUROC")).collect();
    let printed: Vec<&str> =
        rows.iter().map(|row| row.split_whitespace().nth(1).unwrap()).collect();
    let by = |name: &str| {
        let score = |head: &str| {
            let file = format!("out/heads/demo-density-{head}-colour-statistics.safetensors");
            carded(&bench.path(&file), name)
        };
        let mut order = heads.to_vec();
        order.sort_by(|a, b| score(b).total_cmp(&score(a)));
        order
    };
    assert_eq!(printed, by("out of fold macro AUROC"), "{said}");
    assert_ne!(printed, by("out of fold macro F1"), "this cannot fail: {said}");
}

/// Six training patients are too few for any guarantee, so that nothing is called.
#[test]
fn a_head_that_calls_nothing_finds_nothing() {
    let bench = Bench::new();
    let abstains = "training = { folds = 2, decision = { abstention_risk = 0.1 } }";
    bench.write_run_with(&[(TRAINING, abstains)]);
    let mut known = BTreeMap::<String, usize>::new();
    bench.edit_rows(|cells| {
        if cells[3] != "test" {
            let next = known.len() % 6;
            cells[2] = format!("train-{}", known.entry(cells[2].clone()).or_insert(next));
        }
    });
    let output = bench.train(&CHEAP);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("F1 0.000, 0 % called"), "{said}");
    assert!(said.contains("No rows are called: all are left uncalled"), "{said}");
    let head = bench.head("logistic", "colour-statistics");
    for part in ["out of fold", "test"] {
        for name in ["F1", "recall", "balanced accuracy", "MCC", "coverage"] {
            let found = carded(&head, &format!("{part} {name}"));
            assert!(found == 0.0, "{part} {name}: {found}");
        }
        assert!(carded(&head, &format!("{part} AUROC")) > 0.0);
    }

    let output = bench.evaluate(&head, &bench.path("tiles/manifest.csv"), &["--task", TASK]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("F1 is 0.000") && said.contains("No tiles are called"), "{said}");
    let report = bench.json("judged/evaluation.json");
    assert!(metric(&report["metrics"], "F1") == 0.0);
    assert_eq!(report["abstention"]["coverage"], 0.0);
    let uncalled: u64 =
        report["uncalled"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(uncalled, report["n_rows"].as_u64().unwrap());

    let output = bench.run("out", &[]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("No test tiles are called"), "{said}");
    let report = bench.json("out/report.json");
    for arm in report["arms"].as_array().unwrap() {
        assert!(metric(&arm["metrics"], "F1") == 0.0);
        assert!(metric(&arm["metrics"], "coverage") == 0.0);
    }
    let page = std::fs::read_to_string(bench.path("out/report.html")).unwrap();
    // Beside F1, in the table that is not folded away.
    let result = page.split("<h2>Result</h2>").nth(1).unwrap();
    assert!(result.split("</table>").next().unwrap().contains("<td>coverage</td>"), "{result}");
    let result = result.split("<h2>").next().unwrap();
    assert!(result.contains("No test tiles are called"), "{result}");
    assert!(result.contains("Test part: These rows were opened with "), "{result}");
    assert!(page.contains("<em>uncalled</em>"), "{page}");
}

/// Doubtful rows are left uncalled, probabilities are calibrated, and every figure of reports and
/// cards can be made again.
#[test]
fn figures_of_calibrated_heads_that_abstain_can_be_made_again() {
    let bench = Bench::new();
    let abstains = "training = { folds = 3, repeats = 2, decision = { calibration = \"platt\", \
         abstention_risk = 0.3, certainty = 0.4 } }";
    bench.write_run_with(&[(TRAINING, abstains), (EVALUATION, STATED)]);
    // The class is the tile's density, which colour tells well enough for some calls.
    bench.edit_rows(|cells| {
        cells[1] = if cells[7] == "high" { "microcalcification" } else { "none" }.into();
    });
    let heads = ["--head", "logistic", "--head", "knn", "--task", TASK, "--task", "demo-density"];
    let output = bench.train(&[&heads[..], &CHEAP].concat());
    // Platt's line is for two classes, so that heads of three are told as not fitted.
    let said = text(&output);
    assert_eq!(output.status.code(), Some(8), "{said}");
    let coverage = carded(&bench.head("logistic", "colour-statistics"), "out of fold coverage");
    assert!(coverage > 0.0 && coverage < 1.0, "{coverage}: {said}");
    assert!(said.contains(&format!("{:.0} % called", 100.0 * coverage)), "{said}");
    if let Some(n) = made_again("train", &bench.path("out")) {
        assert!(n > 60, "{n} figures");
    }
    let manifest = bench.path("tiles/manifest.csv");
    let head = bench.head("logistic", "colour-statistics");
    let output = bench.evaluate(&head, &manifest, &["--task", TASK]);
    assert!(output.status.success(), "{}", text(&output));
    if let Some(n) = made_again("evaluate", &bench.path("judged")) {
        assert!(n > 30, "{n} figures");
    }
    let output = bench.run("out", &[]);
    assert!(output.status.success(), "{}", text(&output));
    if let Some(n) = made_again("run", &bench.path("out")) {
        assert!(n > 100, "{n} figures");
    }
}

#[test]
fn prevalence_fixed_precision_and_calibration_reach_run_training_and_card() {
    let bench = Bench::new();
    let calibrated = "training = { folds = 2, decision = { calibration = \"platt\" } }";
    bench.write_run_with(&[(TRAINING, calibrated), (EVALUATION, STATED)]);
    let output = bench.run("out", &[]);
    assert!(output.status.success(), "{}", text(&output));
    let report = bench.json("out/report.json");
    for arm in report["arms"].as_array().unwrap() {
        let at = arm["precision_at_prevalence"].as_array().unwrap();
        assert_eq!((at.len(), &at[0]["prevalence"]), (1, &serde_json::json!(0.02)), "{at:?}");
        assert_eq!(at[0]["stated"], true);
        assert_eq!(arm["recall_at_precision"].as_array().unwrap().len(), 3);
        let calibration = &arm["calibration"];
        assert_ne!(calibration["brier_before"], calibration["brier_after"], "{calibration}");
        assert!(calibration["ece_perfect"].as_f64().unwrap() > 0.0, "{calibration}");
    }
    let page = std::fs::read_to_string(bench.path("out/report.html")).unwrap();
    for says in ["Platt's line", "2.0 % (stated)", "Precision of at least", "of a perfect head"] {
        assert!(page.contains(says), "no {says}");
    }
    let output = bench.train(&CHEAP);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    // Out of fold and on the test part.
    for (says, times) in [
        ("precision at a prevalence of 2 %: ", 2),
        ("recall at a precision of 0.8: ", 2),
        ("before calibration", 6),
        ("a perfect head", 2),
    ] {
        assert_eq!(said.matches(says).count(), times, "{says}: {said}");
    }
    let of_run = bench.path("out/heads/default-plain.safetensors");
    for head in [bench.head("logistic", "colour-statistics"), of_run] {
        for name in [
            "precision at a prevalence of 0.02",
            "recall at a precision of 0.8",
            "ECE before calibration",
            "ECE of a perfect head",
        ] {
            carded(&head, &format!("test {name}"));
        }
    }
}

#[test]
fn prevalences_are_the_usual_ones_unless_they_are_stated_for_two_classes() {
    let bench = Bench::new();
    bench.write_run("");
    let said = text(&bench.train(&CHEAP));
    assert!(said.contains("precision at a prevalence of 0.1 %: "), "{said}");
    bench.write_run_with(&[(EVALUATION, STATED)]);
    let said = text(&bench.train(&[&CHEAP[..], &["--task", "demo-density"]].concat()));
    let told = "demo-density: `evaluation.prevalence` is for two classes and changes nothing for 3";
    assert!(said.contains(told), "{said}");
    bench.write_run_with(&[(EVALUATION, &STATED.replace("0.02", "1.5"))]);
    let output = bench.train(&CHEAP);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("`evaluation.prevalence` to be"), "{}", text(&output));
    // A study compares arms and judges no head.
    bench.write_run("");
    let study = bench.write_study("noise", "[[arms]]\nname = \"noise\"\n");
    change(&study, "[design.evaluation]", "[design.evaluation]\nprevalence = [0.02]");
    let output = bench.study(&[]);
    assert!(!output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("no `design.evaluation.prevalence`"), "{}", text(&output));
}

/// A copy of a training tile that was stored anew, one level brighter, on the test side.
fn add_near_copy(bench: &Bench) -> [String; 2] {
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let line = manifest.lines().find(|line| line.split(',').nth(3) == Some("train")).unwrap();
    let mut cells: Vec<String> = line.split(',').map(str::to_string).collect();
    let original = cells[0].clone();
    let image = eosin::crates::tile::read_image(bench.path("tiles").join(&original)).unwrap();
    let pixels = image.data().iter().map(|v| v.saturating_add(1)).collect();
    let copy = eosin::crates::core::RgbImage::new(image.width(), image.height(), pixels).unwrap();
    eosin::write_png(&bench.path("tiles/stored-anew.png"), &copy).unwrap();
    cells[0] = "stored-anew.png".into();
    cells[2] = "another-patient".into();
    cells[3] = "test".into();
    bench.edit_manifest(|mut lines| {
        lines.push(cells.join(","));
        lines
    });
    [original, "stored-anew.png".into()]
}

#[test]
fn training_refuses_nearly_equal_embeddings_on_both_sides_of_any_of_its_tasks() {
    let bench = Bench::new();
    bench.write_run("");
    let names = add_near_copy(&bench);
    // The density has no test part, so that its training alone is sound.
    let train = |arguments: &[&str]| bench.train(&[&["--no-augment"], arguments].concat());
    let output = train(&["--task", "demo-density"]);
    assert!(output.status.success(), "{}", text(&output));
    let tasks = ["--task", "demo-density", "--task", TASK];
    let output = train(&tasks);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(said.contains("embeddings of cosine 0.99 or more"), "{said}");
    assert!(names.iter().all(|name| said.contains(name)), "{said}");
    // A backbone that is not the run's default is asked too; a control is not.
    let output = bench.train(&CHEAP);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("copies that were stored anew were not looked for"));
    let default = "default_backbone = \"efficientnet-lite0\"";
    bench.write_run_with(&[(default, "default_backbone = \"colour-statistics\"")]);
    let output = train(&["--backbone", "efficientnet-lite0"]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    let output = train(&["--backbone", "efficientnet-lite0", "--allow-leakage", "a second scan"]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("note: demo-microcalcification: the split leaks"), "{said}");
    assert!(said.contains("allowed because: a second scan"), "{said}");
}

#[test]
fn one_image_under_two_training_groups_is_told_by_training_run_and_study() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let cells_of = |line: &str| line.split(',').map(str::to_string).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = manifest.lines().skip(1).map(cells_of).collect();
    let train: Vec<&Vec<String>> = rows.iter().filter(|row| row[3] == "train").collect();
    let first = train[0];
    let mut again = (*train.iter().find(|row| row[2] != first[2]).unwrap()).clone();
    let named = "filed-twice.png";
    std::fs::copy(bench.path("tiles").join(&first[0]), bench.path("tiles").join(named)).unwrap();
    again[0] = named.into();
    again[1].clone_from(&first[1]);
    again[7].clone_from(&first[7]);
    let told = |said: &str| {
        said.contains("1 image is in more than one group of the training part (2 byte-identical")
            && said.contains(&format!("{} of group {}", first[0], first[2]))
            && said.contains(&format!("{named} of group {}", again[2]))
    };
    let commands = |bench: &Bench| {
        let noise = "[[arms]]\nname = \"noise\"\ntransforms = [{ kind = \"gaussian-noise\" }]\n";
        bench.write_study("noise", noise);
        [
            ("train", bench.train(&CHEAP)),
            ("run", bench.run("out", &[])),
            ("study", bench.study(&[])),
        ]
    };
    for (command, output) in commands(&bench) {
        assert!(output.status.success(), "{command}: {}", text(&output));
        assert!(!text(&output).contains("byte-identical"), "{command}: {}", text(&output));
    }
    bench.edit_manifest(|mut lines| {
        lines.push(again.join(","));
        lines
    });
    for (command, output) in commands(&bench) {
        assert!(output.status.success(), "{command}: {}", text(&output));
        assert!(told(&text(&output)), "{command}: {}", text(&output));
    }
    let page = std::fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(told(&page), "{page}");
}
