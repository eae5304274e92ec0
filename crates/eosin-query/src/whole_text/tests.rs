// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::guarded::guarded;

fn parsed(dialect: &dyn Dialect, sql: &str) -> Result<Vec<Statement>, ParserError> {
    let options = ParserOptions { trailing_commas: true, ..ParserOptions::default() };
    Parser::new(dialect).with_options(options).try_with_sql(sql)?.parse_statements()
}

#[test]
fn the_counting_dialect_takes_what_polars_takes() {
    // A text for each thing in which the generic dialect differs from a plain one.
    let texts = [
        "SELECT U&'\\00e4', `a`, a#b, \"c d\", @x FROM t",
        "SELECT a FROM t GROUP BY GROUPING SETS ((a), (b)), CUBE (c)",
        "SELECT a FROM t CONNECT BY a = b",
        "SELECT * FROM t MATCH_RECOGNIZE(PARTITION BY a PATTERN (x) DEFINE x AS a > 1)",
        "BEGIN DEFERRED",
        "SELECT FIRST_VALUE(a IGNORE NULLS) OVER w FROM t WINDOW w AS v",
        "SELECT {'a': 1}, MAP {'a': 1}, STRUCT(1 AS a)",
        "SET (a, b) = (1, 2)",
        "SELECT * EXCEPT (a) FROM t LIMIT 1, 2",
        "SELECT EXTRACT('year' FROM a), EXTRACT(hours FROM a), TRY_CONVERT(a, INT) FROM t",
        "CREATE INDEX i ON t (a) WITH (b = 1)",
        "EXPLAIN (ANALYZE) SELECT a FROM t",
        "CREATE TABLE t (a INT ASC)",
        "COMMENT ON TABLE t IS 'b'",
        "LOAD e",
        "SELECT f(a := 1), NOT a BETWEEN 1 AND 2, CASE a WHEN 1 THEN 2 END, INTERVAL '1 day'",
        "SELECT a::INT, a[1], a IN (1, 2,), a LIKE 'x%', a ~ 'y', -a FROM t ORDER BY 1",
    ];
    let mut n_parsed = 0;
    for text in texts {
        let counting = CountingDialect { left: Cell::new(1000) };
        let (ours, theirs) = (parsed(&counting, text), parsed(&GenericDialect, text));
        assert_eq!(ours, theirs, "{text}");
        n_parsed += usize::from(ours.is_ok());
    }
    assert!(n_parsed >= 12, "{n_parsed} parsed: the texts say little");
}

#[test]
fn a_parser_that_goes_back_too_often_is_stopped() {
    // Each of these words is tried in two ways, so that n of them take 2^n steps.
    let text = format!("{}= 1", "INTERVAL ".repeat(300));
    let fault = guarded(|| check_condition(&text)).unwrap().unwrap_err();
    assert!(fault.found.contains("more than can be followed"), "{fault:?}");
}

#[test]
fn the_caret_stands_under_the_place() {
    let cases = [
        ("a = 1 b", "`b` at column 7\n  a = 1 b\n        ^"),
        ("a = 1\nAND\tb c", "`c` at line 2, column 7\n  AND b c\n        ^"),
        ("ä = 'ü' b", "`b` at column 9\n  ä = 'ü' b\n          ^"),
        ("a AND", "at column 6\n  a AND\n       ^"),
    ];
    for (text, says) in cases {
        let fault = check_condition(text).unwrap_err();
        assert!(fault.found.contains(says), "{}", fault.found);
    }
}
