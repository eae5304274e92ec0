// SPDX-License-Identifier: MIT OR Apache-2.0

//! As sure as it says: folds that differ, intervals of few patients, guarantees that hold.

use std::collections::BTreeMap;

use crate::common::{Bench, NOISE, eosin, text};

/// Changes the group of every row by its split and group.
fn regroup(bench: &Bench, of: impl Fn(&str, &str) -> String) {
    bench.edit_rows(|cells| cells[2] = of(&cells[3], &cells[2]));
}

#[test]
fn one_test_patient_does_not_end_a_run_at_its_report() {
    let bench = Bench::new();
    bench.write_run("");
    regroup(&bench, |split, group| match split {
        "test" => "one-patient".into(),
        _ => group.into(),
    });
    let output = bench.run("out", &[]);
    assert!(output.status.success(), "{}", text(&output));
    let report = bench.json("out/report.json");
    let metrics = report["arms"][0]["metrics"].as_array().unwrap();
    assert!(!metrics.is_empty());
    for metric in metrics {
        assert!(metric["estimate"].is_number(), "{metric}");
        // One patient says nothing of how patients differ.
        assert!(metric["lower"].is_null() && metric["upper"].is_null(), "{metric}");
    }
}

#[test]
fn one_test_patient_is_trained_on_and_told_without_an_interval() {
    let bench = Bench::new();
    bench.write_run("");
    regroup(&bench, |split, group| match split {
        "test" => "one-patient".into(),
        _ => group.into(),
    });
    let trained = bench.train(&["--no-augment"]);
    assert!(trained.status.success(), "{}", text(&trained));
    assert!(text(&trained).contains("(no interval: 1 groups)"), "{}", text(&trained));
}

#[test]
fn a_centre_of_one_patient_ends_no_run_study_or_evaluation_at_its_report() {
    let bench = Bench::new();
    bench.write_run("");
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let cells: Vec<Vec<&str>> = manifest.lines().map(|l| l.split(',').collect()).collect();
    let alone = cells.iter().find(|row| row[3] == "test" && row[1] != "none").unwrap()[2];
    bench.add_centres(|_, group| if group == alone { "small" } else { "large" }.into());
    let small = |centre: &serde_json::Value, name: &str| {
        let metrics = centre["metrics"].as_array().unwrap();
        assert!(!metrics.is_empty());
        for metric in metrics {
            assert!(metric["lower"].is_null() && metric["upper"].is_null(), "{name}: {metric}");
        }
    };

    let output = bench.run("out", &[]);
    assert!(output.status.success(), "{}", text(&output));
    let report = bench.json("out/report.json");
    let centres = report["centres"].as_array().unwrap();
    let of_small: Vec<_> = centres.iter().filter(|c| c["centre"] == "small").collect();
    assert_eq!(of_small.len(), report["arms"].as_array().unwrap().len());
    for centre in &of_small {
        small(centre, "run");
    }
    // What the other patients say has an interval all the same.
    let large = centres.iter().find(|c| c["centre"] == "large").unwrap();
    assert!(large["metrics"].as_array().unwrap().iter().any(|m| m["lower"].is_number()), "{large}");

    bench.write_study("noise", NOISE);
    let output = bench.study(&[]);
    assert!(output.status.success(), "{}", text(&output));

    assert!(bench.train(&["--no-augment", "--backbone", "colour-statistics"]).status.success());
    let head = bench.head("logistic", "colour-statistics");
    let task = ["--task", "demo-microcalcification"];
    let output = bench.evaluate(&head, &bench.path("tiles/manifest.csv"), &task);
    assert!(output.status.success(), "{}", text(&output));
    let report = bench.json("judged/evaluation.json");
    let centres = report["centres"].as_array().unwrap();
    assert_eq!(centres.len(), 2);
    let of_small = centres.iter().find(|c| c["name"] == "small").unwrap();
    assert_eq!(of_small["n_groups"], 1);
    small(of_small, "evaluate");
}

#[test]
fn repeats_of_a_selection_are_the_partitions_that_there_are() {
    let bench = Bench::new();
    bench.write_run_with(&[("folds = 2, repeats = 1", "folds = 2, repeats = 5")]);
    // Four training groups part into two pairs in three ways, of which some lack a class.
    let known = std::cell::RefCell::new(BTreeMap::<String, usize>::new());
    regroup(&bench, |split, group| {
        if split == "test" {
            return group.into();
        }
        let mut known = known.borrow_mut();
        let next = known.len() % 4;
        format!("train-{}", known.entry(group.into()).or_insert(next))
    });
    let said = text(&bench.select(&[]));
    let report = bench.json("out/select.json");
    let design = report["rankings"][0]["design"].as_str().unwrap();
    let repeats: usize = design.split(' ').next().unwrap().parse().unwrap();
    assert!((1..=3).contains(&repeats), "{design}\n{said}");
    assert!(said.contains("repeats were asked for and"), "{said}");
}

#[test]
fn a_guarantee_that_cannot_be_given_is_said_by_card_and_prediction() {
    let bench = Bench::new();
    bench.write_run_with(&[(
        "training = { folds = 2 }",
        "training = { folds = 2, decision = { conformal_risk = 0.1, abstention_risk = 0.1 } }",
    )]);
    // Six training patients, however many tiles they have.
    let known = std::cell::RefCell::new(BTreeMap::<String, usize>::new());
    regroup(&bench, |split, group| {
        if split == "test" {
            return group.into();
        }
        let mut known = known.borrow_mut();
        let next = known.len() % 6;
        format!("train-{}", known.entry(group.into()).or_insert(next))
    });
    let trained = bench.train(&["--no-augment"]);
    assert!(trained.status.success(), "{}", text(&trained));
    let head = bench.head("logistic", "efficientnet-lite0");
    let card = text(&eosin().args(["head", "card"]).arg(&head).output().unwrap());
    for says in [
        "Sets of none: no guarantee can be given at 10.0 %, with 6 patients of none where at least 9",
        "Calls: no guarantee can be given of 10.0 % wrong at a certainty of 95.0 %, with 6 patients",
        "no tile is called",
    ] {
        assert!(card.contains(says), "no {says} in {card}");
    }
    assert!(!card.contains("at most 10.0 %"), "{card}");
    let predicted = bench.predict(&head, &bench.path("tiles/manifest.csv"), &[]);
    let said = text(&predicted);
    assert!(predicted.status.success(), "{said}");
    assert!(said.contains("note: Sets of none: no guarantee can be given"), "{said}");
    assert!(said.contains("note: Calls: no guarantee can be given"), "{said}");
}
