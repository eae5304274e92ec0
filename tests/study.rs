// SPDX-License-Identifier: MIT OR Apache-2.0

//! Studies: arms that are what runs do, and reports that say how sure they are.

use std::collections::BTreeSet;
use std::process::Output;

use eosin::crates::core::EmbeddingStore;
use eosin::crates::store::ParquetStore;
use serde_json::Value;

use crate::common::{Bench, NOISE, change, text};

const SHIPPED: &str = "views-and-noise-tiny";

/// A bench whose run uses [`SHIPPED`].
fn bench() -> Bench {
    let bench = Bench::new();
    bench.write_run_with(&[("augment = \"noise\"", "augment = \"views-and-noise-tiny\"")]);
    bench
}

fn arm(extra: &str) -> String {
    format!("[[arms]]\nname = \"shipped\"\naugment = \"{SHIPPED}\"\n{extra}")
}

#[track_caller]
fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    text(output)
}

/// Contracts of the store's sets.
fn contracts(bench: &Bench) -> BTreeSet<String> {
    let store = ParquetStore::open(bench.path("out/store")).unwrap();
    store.sets().unwrap().iter().map(|set| set.fingerprint.to_string()).collect()
}

#[test]
fn an_arm_that_names_an_augmentation_does_what_a_run_does() {
    let bench = bench();
    ok(&bench.run("out", &[]));
    let embedded = contracts(&bench);
    let of_run = || {
        let report = bench.json("out/report.json");
        let arms = report["arms"].as_array().unwrap();
        let on = arms.iter().find(|arm| arm["augmented"] == true).unwrap();
        on["augmentation"].as_str().unwrap().to_string()
    };
    let of_study = || {
        let report = bench.json("out/study.json");
        let arms = report["arms"].as_array().unwrap();
        let on = arms.iter().find(|arm| arm["arm"] == "shipped").unwrap();
        let digest = report["digest"].as_str().unwrap().to_string();
        (
            on["description"].as_str().unwrap().to_string(),
            digest,
            report["design"]["n_views"].clone(),
        )
    };
    bench.write_study("shipped", &arm(""));
    ok(&bench.study(&[]));
    let (description, digest, n_views) = of_study();
    assert!(of_run().contains("view-bank") && of_run().contains("gaussian-noise"), "{}", of_run());
    assert_eq!(description, format!("`{SHIPPED}` as it ships: {}", of_run()));
    // The views are those of the run too: nothing was embedded again under another contract.
    assert_eq!(contracts(&bench), embedded);
    assert_eq!(n_views, 1);

    // What ships changes, and with it both.
    let shipped = bench.path("configs/augment").join(format!("{SHIPPED}.toml"));
    change(&shipped, "gamma = 0.1", "gamma = 0.4");
    change(&shipped, "n_views = 2", "n_views = 3");
    ok(&bench.run("out", &[]));
    ok(&bench.study(&[]));
    let (changed, other_digest, n_views) = of_study();
    assert_eq!(changed, format!("`{SHIPPED}` as it ships: {}", of_run()));
    assert!(changed.contains("0.4") && changed != description, "{changed}");
    assert_ne!(other_digest, digest);
    assert_eq!(n_views, 2);
}

#[test]
fn an_arm_is_an_augmentation_or_has_transforms_of_its_own() {
    let bench = bench();
    let refused = |code: i32, says: &[&str]| {
        for dry_run in [&["--dry-run"][..], &[]] {
            let output = bench.study(dry_run);
            let said = text(&output);
            assert_eq!(output.status.code(), Some(code), "{said}");
            assert!(says.iter().all(|part| said.contains(part)), "{says:?} in {said}");
        }
    };
    bench.write_study("shipped", &arm("transforms = [{ kind = \"smote\" }]\n"));
    refused(3, &["study/test.toml", "`shipped`", "`transforms` or `strength` beside it"]);
    bench.write_study("shipped", &arm("").replace(SHIPPED, "views-and-nose"));
    refused(5, &["views-and-nose", "did you mean `views-and-noise`?"]);
    // One bank of views serves a study, and the arm's are not to be other ones than its file's.
    let views = "[views]\nn_views = 4\n";
    bench.write_study("shipped", &(arm("") + views));
    refused(3, &["study/test.toml", SHIPPED, "n-views=2", "n-views=4", "leave `[views]` out"]);
    let shipped = bench.path("configs/augment").join(format!("{SHIPPED}.toml"));
    std::fs::write(&shipped, "transforms = []\n").unwrap();
    bench.write_study("shipped", &arm(""));
    refused(3, &["transforms of the augmentation of arm `shipped`"]);
}

#[test]
fn the_chosen_arm_is_shown_on_the_test_part_as_an_evaluation_shows_a_head() {
    let bench = bench();
    let path = bench.write_study("noise", NOISE);
    ok(&bench.study(&[]));
    let report = bench.json("out/study.json");
    let test = &report["tested"];
    assert_eq!((&test["arm"], &test["taken"]), (&"noise".into(), &Value::Null));
    // Calling everything positive has F1 2π/(1 + π) of the test part, not of the outer folds.
    let counts: Vec<f64> = report["design"]["test_counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_f64().unwrap())
        .collect();
    let share = counts[1] / (counts[0] + counts[1]);
    let trivial = test["trivial"].as_array().unwrap();
    let all = trivial.iter().find(|t| t["name"] == "everything called positive").unwrap();
    let f1 = all["metrics"].as_array().unwrap().iter().find(|m| m["name"] == "F1").unwrap();
    assert!((f1["estimate"].as_f64().unwrap() - 2.0 * share / (1.0 + share)).abs() < 1e-12);

    let calibration = &test["calibration"];
    assert!(calibration["method"].as_str().unwrap().starts_with("Platt's line"), "{calibration}");
    let ece = |key: &str| calibration[key].as_f64().unwrap();
    assert!(ece("ece_perfect") > 0.0 && ece("ece_perfect") < ece("ece_perfect_upper"));
    assert!((ece("ece_before") - ece("ece_after")).abs() > 1e-6, "{calibration}");
    assert_ne!(calibration["before"], calibration["after"]);

    let shares = test["precision_at_prevalence"].as_array().unwrap();
    assert_eq!(shares.len(), 4);
    let precision: Vec<f64> =
        shares.iter().map(|at| at["precision"].as_f64().unwrap_or(f64::NAN)).collect();
    // The rarer, the less a positive call is worth.
    let rises = |pair: &[f64]| pair[0] <= pair[1] || pair.iter().any(|p| p.is_nan());
    assert!(precision.windows(2).all(rises), "{precision:?}");
    assert!(precision.iter().any(|p| p.is_finite()), "{precision:?}");
    let fixed = test["recall_at_precision"].as_array().unwrap();
    assert_eq!(fixed.len(), 3);
    let recall: Vec<f64> = fixed.iter().map(|at| at["recall"].as_f64().unwrap()).collect();
    assert!(recall.windows(2).all(|pair| pair[0] >= pair[1]), "{recall:?}");

    let html = std::fs::read_to_string(bench.path("out/study.html")).unwrap();
    for part in ["The chosen arm on the test part", "Reliability", "Prevalence and fixed precision"]
    {
        assert!(html.contains(part), "{part}");
    }

    // With an arm that inner folds choose, that one is shown, and what it took.
    change(&path, "choose = false", "choose = true");
    ok(&bench.study(&[]));
    let test = bench.json("out/study.json")["tested"].clone();
    assert_eq!(test["arm"], "chosen by inner folds");
    assert!(["threshold", "noise"].contains(&test["taken"].as_str().unwrap()), "{test}");
}

#[test]
fn a_verdict_is_a_sentence_three_bullets_at_most_and_folded_details() {
    let bench = bench();
    bench.write_study("noise", NOISE);
    let said = ok(&bench.study(&[]));
    let lines: Vec<&str> = said.lines().collect();
    let first = lines.iter().position(|line| line.starts_with("- ")).unwrap();
    let n_bullets = lines.iter().filter(|line| line.starts_with("- ")).count();
    assert!((1..=3).contains(&n_bullets), "{said}");
    let sentence = lines[first - 1];
    assert!(sentence.ends_with('.') && sentence.contains("F1"), "{sentence}");
    // Numbers of the test part are for who asks.
    let details = "On the test part <code>noise</code> on <code>efficientnet-lite0</code> has F1";
    let html = std::fs::read_to_string(bench.path("out/study.html")).unwrap();
    let (shown, folded) = html.split_once("<details").unwrap();
    assert!(!shown.contains(details) && folded.contains(details), "{shown}");
    assert!(folded.contains("before calibration and by"), "{folded}");
    assert!(!said.contains("before calibration"), "{said}");
}
