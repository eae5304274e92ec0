// SPDX-License-Identifier: MIT OR Apache-2.0

//! The same seed gives the same report on any number of threads.

use crate::common::{Bench, text};

#[test]
fn one_and_two_threads_write_the_same_report() {
    let bench = Bench::new();
    bench.write_run("");
    let report = |out: &str, threads: &str| {
        let output = bench.run(out, &["--threads", threads]);
        assert!(output.status.success(), "{}", text(&output));
        std::fs::read_to_string(bench.path(out).join("report.json")).unwrap()
    };
    let (one, two) = (report("one", "1"), report("two", "2"));
    assert!(one == two, "the reports differ");
    assert!(one.contains("\"augmented\": true"), "the report has no augmented arm");
}

#[test]
fn another_seed_changes_the_report() {
    let bench = Bench::new();
    let path = bench.write_run("");
    let first = bench.run("first", &[]);
    assert!(first.status.success(), "{}", text(&first));
    let run = std::fs::read_to_string(&path).unwrap().replace("seed = 3", "seed = 4");
    std::fs::write(&path, run).unwrap();
    let second = bench.run("first", &[]);
    assert!(second.status.success(), "{}", text(&second));
    let html = std::fs::read_to_string(bench.path("first/report.html")).unwrap();
    let json = std::fs::read_to_string(bench.path("first/report.json")).unwrap();
    assert!(json.contains("\"seed\": 4") && html.contains("<svg"));
}
