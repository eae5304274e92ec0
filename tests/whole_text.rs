// SPDX-License-Identifier: MIT OR Apache-2.0

//! A text from a user is read whole, or refused with its place; no text aborts or hangs.

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::common::{Bench, eosin, root, text};

/// `eosin run --dry-run` of the demo with a condition.
fn dry_run(bench: &Bench, condition: &str) -> Output {
    let file = "configs/task/demo-microcalcification.toml";
    let task = std::fs::read_to_string(root().join(file)).unwrap();
    let condition = toml::Value::from(condition).to_string();
    std::fs::write(bench.path(file), format!("where = {condition}\n{task}")).unwrap();
    bench.run("out", &["--dry-run"])
}

/// Tiles to fit on and to test on, as the dry run's table says them.
fn rows(output: &Output) -> (usize, usize) {
    let text = text(output);
    assert!(output.status.success(), "{text}");
    let tiles = |part: &str| {
        let row = text.lines().find(|line| line.split_whitespace().next() == Some(part));
        row.unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (tiles("train"), tiles("test"))
}

/// Exit code 2 with one error and a hint.
#[track_caller]
fn refused(output: &Output) -> String {
    let text = text(output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{text}");
    assert!(text.contains("hint: ") && !text.contains("panicked"), "{text}");
    text
}

/// The sign above the caret.
fn pointed(text: &str) -> char {
    let lines: Vec<&str> = text.lines().collect();
    let caret = lines.iter().position(|line| line.trim() == "^").expect("a caret");
    let column = lines[caret].chars().count() - 1;
    lines[caret - 1].chars().nth(column).unwrap_or('$')
}

#[test]
fn a_condition_is_read_whole_or_refused_with_its_place() {
    let bench = Bench::new();
    bench.write_run("");
    let whole = rows(&dry_run(&bench, "x >= 0"));
    assert!(rows(&dry_run(&bench, "x >= 0 AND y < 1200")).0 < whole.0);
    let cases = [
        ("x >= 0 ADN y < 1200", 'A'),
        ("x >= 0, y < 1200", ','),
        ("x >= 0; y < 1200", ';'),
        ("x >= 0;", ';'),
        ("x >= 0 UNION SELECT y < 1200", 'U'),
        ("x >= 0 AS big", 'A'),
        ("x >= 0 -- AND y < 1200", '-'),
        ("x >= 0 /* AND */ AND y < 1200", '/'),
        ("x >= 0 y < 1200", 'y'),
        ("x >= 0 WHERE y < 1200", 'W'),
        ("x >= 0) AND (y < 1200", ')'),
        ("(x >= 0 AND y < 1200", '('),
        ("(x >= 0] AND y < 1200", ']'),
        ("x >= 0 AND", '$'),
        ("x >= 0 AND AND y < 1200", '1'),
        ("x >= 0 AND label = 'none", '\''),
        ("x >= 0 END", 'E'),
        ("x >= 0\nADN y < 1200", 'A'),
        ("'ä' <> label ADN y < 1200", 'A'),
    ];
    for (condition, sign) in cases {
        let text = refused(&dry_run(&bench, condition));
        // The parser takes AND for a column's name in one case, and stops at what follows it.
        assert!(sign == '1' || pointed(&text) == sign, "{condition}: {text}");
    }
}

#[test]
fn no_condition_is_too_deep_or_too_long_to_be_answered() {
    let bench = Bench::new();
    bench.write_run("");
    let whole = rows(&dry_run(&bench, "x >= 0"));
    let many = |n: usize, part: &str, between: &str| vec![part; n].join(between);
    let deep = |n: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(n), close.repeat(n))
    };
    let answered = [
        many(75, "x >= 0", " AND "),
        many(50, &format!("({})", many(20, "x >= 0", " OR ")), " AND "),
        deep(20, "(", "x >= 0", ")"),
        deep(20, "NOT ", "x >= 0", ""),
        format!("x * 0 IN (0, {})", many(20_000, "7", ", ")),
        deep(8, "CASE WHEN x < 0 THEN y > 0 ELSE ", "x >= 0", " END"),
        format!("CASE {} ELSE x >= 0 END", many(60, "WHEN x < 0 THEN y > 0", " ")),
    ];
    for condition in answered {
        let kept = rows(&dry_run(&bench, &condition));
        assert_eq!(kept, whole, "{}", &condition[..40]);
    }
    let refusals = [
        many(300, "x >= 0", " AND "),
        many(3000, "x >= 0", " AND "),
        many(3000, "x >= 0", " OR "),
        many(3000, "x", " + ") + " > 0",
        many(60_000, "x >= 0", " AND "),
        deep(3000, "(", "x >= 0", ")"),
        deep(60_000, "(", "x >= 0", ")"),
        deep(60_000, "(", "x >= 0", ""),
        deep(3000, "NOT ", "x >= 0", ""),
        deep(3000, "- ", "x", "") + " > 0",
        deep(500, "CASE WHEN x < 0 THEN y > 0 ELSE ", "x >= 0", " END"),
        deep(500, "CASE ", "x", " WHEN 1 THEN 2 END") + " = 1",
        format!("CASE {} ELSE x >= 0 END", many(3000, "WHEN x < 0 THEN y > 0", " ")),
        // Each word doubles what a parser tries that goes back.
        deep(60, "INTERVAL ", "x", "") + " > 0",
        deep(60, "INTERVAL ", "= 1", ""),
        deep(23, "NOT(", "x >= 0 x", ")"),
        deep(23, "CASE(", "x >= 0 x", ")"),
        // Each level doubles what polars works out.
        deep(23, "(", "x > 0", ") BETWEEN false AND true"),
        deep(23, "SUBSTR(", "label", ", 1)") + " = 'none'",
        many(3000, "x", "::int::") + " > 0",
        format!("x{} > 0", "[1]".repeat(3000)),
        format!("CAST(x AS {}) > 0", deep(3000, "ARRAY<", "INT", ">")),
    ];
    for condition in refusals {
        let start = Instant::now();
        refused(&dry_run(&bench, &condition));
        let (seconds, beginning) = (start.elapsed(), &condition[..40]);
        assert!(seconds < Duration::from_mins(1), "{seconds:?} for {beginning}");
    }
}

fn query(folder: &Path, sql: &str) -> Output {
    let table = folder.join("t.csv");
    std::fs::write(&table, "a,b\n1,0.25\n2,0.55\n3,0.75\n").unwrap();
    let mut command = eosin();
    command.arg("query").arg("--table").arg(format!("t={}", table.display()));
    command.arg("--store").arg(folder.join("store")).arg(sql).output().unwrap()
}

#[test]
fn a_query_is_one_statement_and_all_of_it_counts() {
    let folder = tempfile::tempdir().unwrap();
    let answered = [
        "SELECT a FROM t ORDER BY a LIMIT 2;",
        "SELECT a -- the first\nFROM t",
        "WITH u AS (SELECT a FROM t WHERE a > 1) SELECT * FROM u",
        "SELECT * FROM (SELECT a FROM t UNION ALL SELECT a FROM t) AS u ORDER BY a",
        "SELECT FLOOR(b), COUNT(*) AS n FROM t GROUP BY FLOOR(b)",
    ];
    for sql in answered {
        let output = query(folder.path(), sql);
        assert!(output.status.success(), "{sql}: {}", text(&output));
    }
    let refusals = [
        "SELECT a FROM t; SELECT b FROM t",
        "SELECT a FROM t END; DROP TABLE t",
        "SELECT a FROM t WHERE a > 1 ADN a < 3",
        "SELECT a FROM t) AS u",
        "DROP TABLE t",
        "DELETE FROM t WHERE a > 1",
        "SELECT a FROM t FETCH FIRST 1 ROWS ONLY",
        "SELECT TOP 1 a FROM t",
        "SELECT a FROM t QUALIFY a > 1",
        "SELECT a FROM t LIMIT 1 BY a",
        "SELECT a FROM t SORT BY a",
        "SELECT a FROM other.t",
        "SELECT FLOOR(b, 1) FROM t",
        "SELECT SUM(a) OVER (PARTITION BY b ORDER BY a ROWS 1 PRECEDING) FROM t",
        "SELECT a FROM t UNION ALL SELECT a FROM t ORDER BY a DESC",
        "SELECT * FROM (WITH t AS (SELECT 1 AS a) SELECT * FROM t) AS u",
        "SELECT a FROM t WHERE a IN (SELECT a FROM t FETCH FIRST 1 ROWS ONLY)",
    ];
    for sql in refusals {
        let output = query(folder.path(), sql);
        assert_eq!(output.status.code(), Some(2), "{sql}: {}", text(&output));
        refused(&output);
    }
    let select = |n: usize| vec!["SELECT a, b FROM t"; n].join(" UNION ALL ");
    assert!(query(folder.path(), &select(20)).status.success());
    refused(&query(folder.path(), &select(1000)));
    refused(&query(folder.path(), &format!("SELECT * FROM {}t", "(".repeat(3000))));
}

#[test]
fn a_name_that_no_tile_has_is_told() {
    let bench = Bench::new();
    bench.write_run("");
    let file = "configs/task/demo-microcalcification.toml";
    let task = std::fs::read_to_string(root().join(file)).unwrap();
    let task = task
        .replace("classes = [\"none\",", "classes = [\"none\", \"benin\",")
        .replace("train = [\"train\"]", "train = [\"train\", \"trian\"]");
    std::fs::write(bench.path(file), task).unwrap();
    let output = bench.run("out", &[]);
    assert!(output.status.success(), "{}", text(&output));
    for says in ["has the class `benin` in column `label`", "has `trian` in column `split`"] {
        assert!(text(&output).contains(says), "no {says:?} in {}", text(&output));
    }
}
