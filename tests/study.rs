// SPDX-License-Identifier: MIT OR Apache-2.0

//! Studies: arms that are what runs do, and reports that say how sure they are.

use std::collections::BTreeSet;
use std::process::Output;

use eosin::crates::core::EmbeddingStore;
use eosin::crates::store::ParquetStore;

use crate::common::{Bench, change, text};

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
        (on["description"].as_str().unwrap().to_string(), digest, report["design"]["n_views"].clone())
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
