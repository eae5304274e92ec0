// SPDX-License-Identifier: MIT OR Apache-2.0

//! Dry runs tell what every part has, and which folds it allows, before anything is embedded.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{Bench, NOISE, change, text};

const POSITIVE: &str = "microcalcification";

/// Tiles, groups, tiles of the first class and of the positive one.
type Size = [usize; 4];

/// The sizes by part, counted from the manifest.
fn counted(bench: &Bench) -> BTreeMap<String, Size> {
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let mut rows: BTreeMap<String, Vec<Vec<&str>>> = BTreeMap::new();
    let centre = manifest.lines().next().unwrap().split(',').position(|name| name == "centre");
    for line in manifest.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let part = cells[3].to_string();
        if let Some(centre) = centre.map(|at| cells[at]) {
            rows.entry(format!("{part}, centre {centre}")).or_default().push(cells.clone());
        }
        rows.entry(part).or_default().push(cells);
    }
    let size = |rows: Vec<Vec<&str>>| {
        let groups: BTreeSet<&str> = rows.iter().map(|cells| cells[2]).collect();
        let positive = rows.iter().filter(|cells| cells[1] == POSITIVE).count();
        [rows.len(), groups.len(), rows.len() - positive, positive]
    };
    rows.into_iter().map(|(part, rows)| (part, size(rows))).collect()
}

/// The sizes by part, as a dry run shows them.
fn shown(said: &str) -> BTreeMap<String, Size> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, numbers) = words.split_at_checked(words.len().checked_sub(4)?)?;
        let numbers: Vec<usize> = numbers.iter().filter_map(|n| n.parse().ok()).collect();
        Some((name.join(" "), Size::try_from(numbers).ok()?))
    };
    said.lines().filter_map(row).collect()
}

/// What is asked for and what is possible of the folds of a purpose.
fn folds(said: &str, purpose: &str) -> [String; 2] {
    let line = said.lines().find(|line| line.trim().starts_with(purpose)).unwrap_or_else(|| {
        panic!("no {purpose} in {said}");
    });
    let words: Vec<&str> = line.trim()[purpose.len()..].split_whitespace().collect();
    // A product has three words.
    let at = if words[1] == "×" { 3 } else { 1 };
    [words[..at].join(" "), words[at..].join(" ")]
}

#[test]
fn a_dry_run_tells_tiles_groups_and_classes_of_every_part_and_centre() {
    let bench = Bench::new();
    bench.write_run("");
    let parts = |said: &str| {
        let shown = shown(said);
        for (part, size) in counted(&bench) {
            assert_eq!(shown.get(&part), Some(&size), "{part} in {said}");
        }
        shown.len()
    };
    let plain = bench.run("out", &["--dry-run"]);
    assert!(plain.status.success(), "{}", text(&plain));
    assert_eq!(parts(&text(&plain)), 2);
    let even = |group: &str| group.bytes().map(u32::from).sum::<u32>() % 2 == 0;
    bench.add_centres(|_, group| if even(group) { "north" } else { "south" }.into());
    bench.write_study("noise", NOISE);
    for output in [
        bench.run("out", &["--dry-run"]),
        bench.study(&["--dry-run"]),
        bench.train(&["--dry-run", "--no-augment"]),
        bench.select(&["--dry-run"]),
    ] {
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(parts(&text(&output)), 6);
    }
    // A head is evaluated on the test part alone.
    assert!(bench.train(&["--no-augment", "--backbone", "colour-statistics"]).status.success());
    let head = bench.head("logistic", "colour-statistics");
    let arguments = ["--task", "demo-microcalcification", "--dry-run"];
    let said = text(&bench.evaluate(&head, &bench.path("tiles/manifest.csv"), &arguments));
    let of_test = |(part, _): &(String, Size)| part.starts_with("test");
    assert_eq!(shown(&said), counted(&bench).into_iter().filter(of_test).collect(), "{said}");
    assert!(!bench.path("judged").exists());
}

#[test]
fn the_folds_that_a_dry_run_tells_are_those_that_the_work_makes() {
    let bench = Bench::new();
    bench.write_run_with(&[
        ("folds = 2, repeats = 1, probes", "folds = 5, repeats = 4, probes"),
        ("training = { folds = 2 }", "training = { folds = 4, repeats = 2 }"),
    ]);
    // Positives in three groups allow three folds, whatever is asked for.
    let mut known = BTreeMap::<String, usize>::new();
    bench.edit_rows(|cells| {
        if cells[3] == "train" && cells[1] == POSITIVE {
            let next = known.len() % 3;
            cells[2] = format!("few-{}", known.entry(cells[2].clone()).or_insert(next));
        }
    });
    let study = bench.write_study("noise", NOISE);
    change(&study, "folds = 2\nrepeats = 1\n", "folds = 5\nrepeats = 3\n");
    let said = text(&bench.run("out", &["--dry-run"]));
    let [asked, of_selection] = folds(&said, "selection");
    assert_eq!(asked, "4 × 5", "{said}");
    assert_eq!(folds(&said, "tuning of heads"), ["2 × 4", "2 × 3"], "{said}");
    assert!(said.contains("tuning of heads: 4 folds were asked for and 3 are made"), "{said}");
    let planned = text(&bench.study(&["--dry-run"]));
    let [asked, of_study] = folds(&planned, "outer folds");
    assert_eq!(asked, "3 × 5", "{planned}");
    assert!(planned.contains("outer folds: 5 folds were asked for and 3 are made"), "{planned}");
    assert_eq!(folds(&planned, "inner folds"), ["2", "2"], "{planned}");
    assert!(!bench.path("out").exists());

    assert!(bench.study(&[]).status.success());
    let design = bench.json("out/study.json")["design"].clone();
    assert_eq!(of_study, format!("{} × {}", design["repeats"], design["folds"]), "{planned}");
    assert!(bench.select(&[]).status.success());
    let rankings = bench.json("out/select.json")["rankings"].clone();
    let target = rankings.as_array().unwrap().iter().find(|r| r["role"] == "target").unwrap();
    let design = target["design"].as_str().unwrap();
    assert!(design.starts_with(&of_selection), "{of_selection}: {design}");
}

#[test]
fn sizes_are_told_before_what_the_dry_run_fails_of() {
    let bench = Bench::new();
    bench.write_run_with(&[("engine = { ", "engine = { kind = \"cuda\", ")]);
    let output = bench.run("out", &["--dry-run"]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output));
    assert_eq!(shown(&text(&output)), counted(&bench), "{}", text(&output));
    assert!(text(&output).contains("cuda"), "{}", text(&output));
}

#[test]
fn parts_of_too_few_groups_for_an_interval_are_told_as_such() {
    let bench = Bench::new();
    bench.write_run("");
    bench.edit_rows(|cells| {
        if cells[3] == "test" {
            cells[2] = "one-patient".into();
        }
    });
    bench.add_centres(|split, _| if split == "test" { "south" } else { "north" }.into());
    let said = text(&bench.run("out", &["--dry-run"]));
    assert!(said.contains("test has 1 of the 5 groups that an interval needs"), "{said}");
    assert!(said.contains("test, centre south has 1 of the 5 groups"), "{said}");
    assert!(!said.contains("train has"), "{said}");
}
