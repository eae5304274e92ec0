// SPDX-License-Identifier: MIT OR Apache-2.0

//! What reports and terminals say: levels that need no look at a tile beside every score, words
//! that the intervals allow, verdicts that are read in ten seconds.

use std::collections::BTreeMap;
use std::process::Output;

use crate::common::{Bench, eosin, text};

/// Changes the group of every row by its split and group.
fn regroup(bench: &Bench, of: impl Fn(&str, &str) -> String) {
    bench.edit_manifest(|lines| {
        let mend = |(i, line): (usize, String)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_string).collect();
            if i > 0 {
                cells[2] = of(&cells[3], &cells[2]);
            }
            cells.join(",")
        };
        lines.into_iter().enumerate().map(mend).collect()
    });
}

fn json(bench: &Bench, path: &str) -> serde_json::Value {
    serde_json::from_str(&read(bench, path)).unwrap()
}

fn read(bench: &Bench, path: &str) -> String {
    std::fs::read_to_string(bench.path(path)).unwrap()
}

fn select(bench: &Bench) -> Output {
    eosin()
        .arg("select")
        .arg(bench.path("configs/run/test.toml"))
        .arg("--data")
        .arg(bench.path("tiles"))
        .arg("--out")
        .arg(bench.path("out"))
        .output()
        .unwrap()
}

/// What a table or report calls the three trivial calls.
const ALL_POSITIVE: &str = "everything called positive";
const AT_RANDOM: &str = "called at random, as often as they occur";

#[test]
fn a_run_shows_calls_that_look_at_no_tile_beside_every_score() {
    let bench = Bench::new();
    bench.write_run("");
    let output = bench.run("out", &[]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let report = json(&bench, "out/report.json");
    let counts = report["data"]["splits"][1]["class_counts"].as_array().unwrap();
    let of = |i: usize| counts[i].as_f64().unwrap();
    let share = of(1) / (of(0) + of(1));
    let calls = report["trivial"].as_array().unwrap();
    let metric = |call: usize, name: &str| {
        let metrics = calls[call]["metrics"].as_array().unwrap();
        metrics.iter().find(|m| m["name"] == name).unwrap()["estimate"].as_f64().unwrap()
    };
    assert_eq!(calls[0]["name"], ALL_POSITIVE);
    assert!((metric(0, "F1") - 2.0 * share / (1.0 + share)).abs() < 1e-12);
    assert!((metric(1, "F1") - share).abs() < 1e-12);
    assert!((metric(0, "AUROC") - 0.5).abs() < 1e-12);
    // Areas lead, F1 follows.
    let names: Vec<&str> = report["arms"][0]["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[..3], ["AUROC", "AUPRC", "F1"]);
    let page = read(&bench, "out/report.html");
    for name in [ALL_POSITIVE, AT_RANDOM] {
        assert!(said.contains(name), "no {name} in {said}");
        assert!(page.contains(name), "no {name} in the page");
    }
}

#[test]
fn a_selection_shows_what_needs_no_look_at_a_tile() {
    let bench = Bench::new();
    bench.write_run("");
    let output = select(&bench);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let report = json(&bench, "out/select.json");
    let metric = &report["rankings"][0]["trivial"][0]["metrics"][0];
    assert_eq!(metric["name"], report["rankings"][0]["metric"], "{}", report["rankings"][0]);
    assert!((metric["estimate"].as_f64().unwrap() - 0.5).abs() < 1e-12);
    assert!(said.contains(&format!("({ALL_POSITIVE})")), "{said}");
    assert!(read(&bench, "out/select.html").contains(ALL_POSITIVE));
}

#[test]
fn a_verdict_is_a_sentence_with_at_most_three_bullets() {
    let bench = Bench::new();
    bench.write_run("");
    let output = bench.run("out", &[]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let bullets = said.lines().filter(|line| line.starts_with("- ")).count();
    assert!((1..=3).contains(&bullets), "{said}");
    let chosen = select(&bench);
    let said = text(&chosen);
    assert!(chosen.status.success(), "{said}");
    let bullets = said.lines().filter(|line| line.starts_with("- ")).count();
    assert!(bullets <= 3, "{said}");
    let verdict = &json(&bench, "out/select.json")["verdict"];
    assert!(verdict.to_string().contains("take efficientnet-lite0"), "{verdict}");
    for name in ["report", "select"] {
        let page = read(&bench, &format!("out/{name}.html"));
        let verdict = page.split("class=\"verdict\"").nth(1).unwrap();
        let verdict = verdict.split("</div>").next().unwrap();
        let shown = verdict.split("<details>").next().unwrap();
        assert_eq!(shown.matches("<p>").count(), 1, "{verdict}");
        assert!(shown.matches("<li>").count() <= 3, "{verdict}");
        assert!(!page.contains("tied") && !said.contains("tied"), "{name}");
    }
}

#[test]
fn with_two_test_patients_a_run_says_that_they_are_too_few() {
    let bench = Bench::new();
    bench.write_run("");
    let known = std::cell::RefCell::new(BTreeMap::<String, usize>::new());
    regroup(&bench, |split, group| {
        if split != "test" {
            return group.into();
        }
        let mut known = known.borrow_mut();
        let next = known.len() % 2;
        format!("test-{}", known.entry(group.into()).or_insert(next))
    });
    let output = bench.run("out", &[]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("too few groups to tell"), "{said}");
    // Both heads call everything positive: what they score is no more than that.
    assert!(said.contains("No head is told from a call that looks at no tile"), "{said}");
    for gain in json(&bench, "out/report.json")["gains"].as_array().unwrap() {
        assert_eq!((&gain["word"], &gain["n_groups"]), (&"not tested".into(), &2.into()));
    }
}
