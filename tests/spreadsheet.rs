// SPDX-License-Identifier: MIT OR Apache-2.0

//! Text from data runs nowhere: not in a browser that shows a report, not in a spreadsheet that
//! opens a table. It still comes back as it was.

use std::path::Path;

use crate::common::{Bench, eosin, root, text};

const SCRIPT: &str = "<script>alert('eosin')</script>";
const NONE: &str = "=HYPERLINK(\"x\")<script>alert(1)</script>";
const POSITIVE: &str = "@SUM(1)<img src=x onerror=alert(1)>";

/// The demo with classes, groups, titles and notes that would run.
fn hostile() -> Bench {
    let bench = Bench::new();
    let notes = format!("notes = [\"{SCRIPT}\"]");
    let run = std::fs::read_to_string(bench.write_run(&notes)).unwrap();
    let run = run.replace("title = \"Test\"", &format!("title = \"{SCRIPT}\""));
    std::fs::write(bench.path("configs/run/test.toml"), run).unwrap();
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    bench.edit_manifest(|lines| {
        let rename = |line: String| {
            line.replace(",none,", &format!(",{},", quoted(NONE)))
                .replace(",microcalcification,", &format!(",{},", quoted(POSITIVE)))
                .replace(",block-", ",-<script>block-")
        };
        lines.into_iter().map(rename).collect()
    });
    let task = format!(
        "description = \"{SCRIPT}\"\ncolumn = \"label\"\npositive = '{POSITIVE}'\n\
         classes = ['{NONE}', '{POSITIVE}']\ntrain = [\"train\"]\ntest = [\"test\"]\n"
    );
    std::fs::write(bench.path("configs/task/demo-microcalcification.toml"), task).unwrap();
    bench
}

/// A page with a policy that allows nothing, and no text of the data as markup.
#[track_caller]
fn inert(page: &Path) {
    let html = std::fs::read_to_string(page).unwrap();
    let (head, body) = html.split_once("</head>").unwrap();
    let policy = head.split("http-equiv=\"Content-Security-Policy\" content=\"").nth(1).unwrap();
    let policy = policy.split('"').next().unwrap();
    for part in ["default-src 'none'", "style-src 'sha256-", "base-uri 'none'", "form-action"] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    // The policy stands before anything that it governs.
    assert!(head.find("Content-Security-Policy") < head.find("<title>"), "{head}");
    for markup in ["<script", "<img", " style=", " onerror=alert(1)>", "href=", "src=\""] {
        assert!(!body.contains(markup), "{markup} in {}", page.display());
        assert!(!head.contains(markup), "{markup} in the head of {}", page.display());
    }
    assert!(body.contains("&lt;script&gt;"), "nothing of the data in {}", page.display());
}

#[test]
fn reports_run_nothing() {
    let bench = hostile();
    let output = bench.run("out", &["--allow-leakage", SCRIPT]);
    assert!(output.status.success(), "{}", text(&output));
    inert(&bench.path("out/report.html"));

    let command = |name: &str, config: &str| {
        let mut command = eosin();
        command.arg(name).arg(bench.path(config)).arg("--data").arg(bench.path("tiles"));
        command.arg("--allow-leakage").arg(SCRIPT);
        let output = command.arg("--out").arg(bench.path("out")).output().unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output));
    };
    command("select", "configs/run/test.toml");
    inert(&bench.path("out/select.html"));

    let arm = |name: &str, more: &str| format!("[[arms]]\nname = \"{name}\"\n{more}\n");
    let noise = "transforms = [{ kind = \"gaussian-noise\", options = { copies = 1 } }]";
    let study = format!(
        "title = \"{SCRIPT}\"\nnotes = [\"{SCRIPT}\"]\nrun = \"test\"\n\
         backbones = [\"colour-statistics\"]\n[design]\nfolds = 2\nrepeats = 1\ninner_folds = 2\n\
         budget = 1\nreference = \"plain {SCRIPT}\"\non = \"noise {SCRIPT}\"\n\
         evaluation = {{ replicates = 100 }}\n{}{}",
        arm(&format!("plain {SCRIPT}"), ""),
        arm(&format!("noise {SCRIPT}"), noise),
    );
    std::fs::write(bench.path("configs/study/test.toml"), study).unwrap();
    command("study", "configs/study/test.toml");
    inert(&bench.path("out/study.html"));
}

/// Cells of a CSV that a spreadsheet would take for a formula.
fn formulas(csv: &str) -> Vec<String> {
    let cells = csv.lines().flat_map(|line| line.split(',')).map(|c| c.trim_matches('"'));
    let runs = |c: &&str| c.starts_with(['=', '+', '-', '@', '\t']) && c.parse::<f64>().is_err();
    cells.filter(runs).map(str::to_string).collect()
}

#[test]
fn tables_of_predictions_are_guarded_and_read_again() {
    let bench = hostile();
    let trained = bench.train(&["--no-augment", "--backbone", "colour-statistics"]);
    assert!(trained.status.success(), "{}", text(&trained));
    let head =
        bench.path("out/heads/demo-microcalcification-logistic-colour-statistics.safetensors");
    let scores = bench.path("scores.csv");
    let mut predict = eosin();
    predict.arg("predict").arg(bench.path("tiles/manifest.csv")).arg("--head").arg(&head);
    predict.arg("--out").arg(&scores).arg("--store").arg(bench.path("out/store"));
    let output = predict.arg("--configs").arg(bench.path("configs")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let csv = std::fs::read_to_string(&scores).unwrap();
    assert_eq!(formulas(&csv), [""; 0], "{csv}");
    assert!(csv.contains("'=HYPERLINK"), "{csv}");

    let query = |sql: &str, out: &Path| {
        let mut command = eosin();
        command.arg("query").arg("--table").arg(format!("t={}", scores.display()));
        command.arg("--store").arg(bench.path("none")).arg("--out").arg(out).arg(sql);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        std::fs::read_to_string(out).unwrap()
    };
    let out = bench.path("answer.csv");
    let sql = format!("SELECT COUNT(*) AS n FROM t WHERE called IN ('{NONE}', '{POSITIVE}')");
    let n_tiles = csv.lines().count() - 1;
    assert_eq!(query(&sql, &out), format!("n\n{n_tiles}\n"));
    let written = query("SELECT called AS \"=called\", -x AS x FROM t ORDER BY tile", &out);
    assert_eq!(formulas(&written), [""; 0], "{written}");
    assert!(written.starts_with("'=called,x\n") && written.contains("'=HYPERLINK"), "{written}");
    // Numbers stay numbers.
    assert!(written.lines().any(|line| line.contains(",-")), "{written}");
}

#[test]
fn tiles_whose_path_begins_as_a_formula_are_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let slide = folder.path().join("=1+1.svs");
    std::fs::copy(root().join("tests/fixtures/cmu-1-small-region.svs"), &slide).unwrap();
    let cut = folder.path().join("cut");
    let mut command = eosin();
    command.arg("tile").arg(&slide).args(["--tile-um", "448", "--min-tissue", "0", "--out"]);
    let output = command.arg(&cut).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let manifest = std::fs::read_to_string(cut.join("manifest.csv")).unwrap();
    assert_eq!(formulas(&manifest), [""; 0], "{manifest}");
    let mut embed = eosin();
    embed.arg("embed").arg(cut.join("manifest.csv")).arg("--store").arg(folder.path().join("s"));
    embed.args(["--backbone", "colour-statistics", "--configs"]).arg(root().join("configs"));
    let output = embed.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}
