// SPDX-License-Identifier: MIT OR Apache-2.0

//! Figures of reports made again from the exported predictions by pandas, scikit-learn and SciPy.

use std::path::Path;
use std::process::Command;

use eosin_testkit::peers::named_by;

use crate::common::{Bench, eosin, root, text};

/// Figures that were made again, all within 1e-9; nothing where there is no Python.
#[track_caller]
pub fn made_again(kind: &str, folder: &Path) -> Option<usize> {
    let what = "figures made again from predictions";
    let python = named_by("EOSIN_PYTHON", what, "interpreter with pandas and scikit-learn")?;
    let output = Command::new(python)
        .arg(root().join("tests/golden/exports/figures.py"))
        .arg(kind)
        .arg(folder)
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    Some(said.split(' ').next().unwrap().parse().unwrap())
}

fn is_parquet(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1") && bytes.len() > 200
}

#[test]
fn figures_of_a_run_can_be_made_again() {
    let bench = Bench::new();
    bench.write_run("");
    let output = bench.run("out", &[]);
    assert!(output.status.success(), "{}", text(&output));
    for name in ["predictions.parquet", "folds.parquet"] {
        assert!(is_parquet(&bench.path("out").join(name)), "{name}");
    }
    if let Some(n) = made_again("run", &bench.path("out")) {
        assert!(n > 50, "{n} figures");
    }
}

#[test]
fn figures_of_trained_heads_can_be_made_again() {
    let bench = Bench::new();
    bench.write_run("");
    let output = bench.train(&[
        "--task",
        "demo-microcalcification",
        "--task",
        "demo-density",
        "--head",
        "logistic",
        "--head",
        "lda",
        "--backbone",
        "colour-statistics",
        "--no-augment",
    ]);
    assert!(output.status.success(), "{}", text(&output));
    for name in ["predictions.parquet", "folds.parquet"] {
        assert!(is_parquet(&bench.path("out/heads").join(name)), "{name}");
    }
    if let Some(n) = made_again("train", &bench.path("out")) {
        assert!(n > 25, "{n} figures");
    }
}

#[test]
fn figures_of_a_study_can_be_made_again() {
    let bench = Bench::new();
    bench.write_run("");
    std::fs::create_dir_all(bench.path("configs/study")).unwrap();
    let study = "title = \"Test\"\nrun = \"test\"\n\
         backbones = [\"efficientnet-lite0\", \"colour-statistics\"]\n\
         [design]\nfolds = 2\nrepeats = 2\ninner_folds = 2\nbudget = 2\n\
         reference = \"threshold\"\non = \"noise\"\n\
         [design.evaluation]\nreplicates = 100\n\
         [permuted]\narms = [\"noise\"]\n\
         [[arms]]\nname = \"threshold\"\n[[arms]]\nname = \"noise\"\n\
         transforms = [{ kind = \"gaussian-noise\" }]\n\
         [[arms]]\nname = \"untuned\"\nthreshold = false\n";
    std::fs::write(bench.path("configs/study/test.toml"), study).unwrap();
    let output = eosin()
        .arg("study")
        .arg(bench.path("configs/study/test.toml"))
        .arg("--data")
        .arg(bench.path("tiles"))
        .arg("--out")
        .arg(bench.path("out"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for name in ["predictions.parquet", "folds.parquet"] {
        assert!(is_parquet(&bench.path("out/study").join(name)), "{name}");
    }
    if let Some(n) = made_again("study", &bench.path("out")) {
        assert!(n > 150, "{n} figures");
    }
}
