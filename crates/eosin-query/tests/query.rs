// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tables joined and filtered in SQL.

use eosin_core::{Error, Mpp, TileMeta};
use eosin_query::{Tables, TextTable, filter_rows};

const CLINICAL: &str = "patient,age,sex,score,alive,code
p1,61,f,0.5,true,007
p2,48,m,,false,012
p3,,f,1e3,true,
";

fn tile(slide: &str, i: i64) -> TileMeta {
    TileMeta {
        tile_id: format!("{slide}:{i}"),
        slide: slide.into(),
        group: format!("p{}", i % 3 + 1),
        centre: (i % 2 == 0).then(|| "Köln".to_string()),
        scanner: None,
        x: i * 224,
        y: -7,
        size_level0_px: 224,
        requested_mpp: Mpp::new(0.5).ok(),
        effective_mpp: None,
        tissue_fraction: i as f32 / 10.0,
        source: String::new(),
        source_digest: "d".into(),
    }
}

fn tables() -> Tables {
    let mut tables = Tables::new();
    let metas: Vec<TileMeta> = (0..10).map(|i| tile("s", i)).collect();
    tables.add_tiles("tiles", &metas, &[0; 10]).unwrap();
    tables.add_text("clinical", &TextTable::from_csv(CLINICAL).unwrap()).unwrap();
    tables
}

fn answer(sql: &str) -> Vec<Vec<String>> {
    let answer = tables().query(sql).unwrap();
    let n = answer.columns().len();
    (0..answer.n_rows())
        .map(|r| (0..n).map(|c| answer.cell(r, c).unwrap_or("-".into())).collect())
        .collect()
}

#[test]
fn queries_are_answered() {
    let cases: [(&str, &[&[&str]]); 7] = [
        ("SELECT COUNT(*) AS n FROM tiles", &[&["10"]]),
        (
            "SELECT sex, COUNT(*) AS n FROM tiles JOIN clinical ON tiles.patient = \
             clinical.patient GROUP BY sex ORDER BY sex",
            &[&["f", "7"], &["m", "3"]],
        ),
        (
            "SELECT tile_id FROM tiles WHERE tissue_fraction > 0.75 AND x < 2000 ORDER BY x",
            &[&["s:8"]],
        ),
        (
            "SELECT code FROM clinical WHERE code LIKE '0%' ORDER BY code DESC",
            &[&["012"], &["007"]],
        ),
        ("SELECT AVG(age) FROM clinical", &[&["54.5"]]),
        ("SELECT patient, score FROM clinical WHERE age IS NULL", &[&["p3", "1000"]]),
        (
            "SELECT CASE WHEN age < 50 THEN 'young' ELSE 'old' END AS g, alive FROM clinical \
             WHERE patient IN ('p1', 'p2') ORDER BY patient",
            &[&["old", "true"], &["young", "false"]],
        ),
    ];
    for (sql, expected) in cases {
        assert_eq!(answer(sql), expected, "{sql}");
    }
}

#[test]
fn columns_get_the_narrowest_type() {
    let info = tables().info();
    let types: Vec<(&str, &str)> =
        info[1].columns.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let expected = [
        ("patient", "str"),
        ("age", "i64"),
        ("sex", "str"),
        ("score", "f64"),
        ("alive", "bool"),
        ("code", "str"),
    ];
    assert_eq!(types, expected);
    assert_eq!((info[0].name.as_str(), info[0].n_rows, info[0].columns.len()), ("tiles", 10, 14));
}

#[test]
fn rows_are_filtered() {
    let table = TextTable::from_csv(CLINICAL).unwrap();
    let cases: [(&str, &[usize]); 8] = [
        ("age > 50", &[0]),
        ("NOT age > 50", &[1]),
        ("age IS NULL OR sex = 'm'", &[1, 2]),
        ("alive", &[0, 2]),
        ("patient IN ('p3', 'p1')", &[0, 2]),
        ("code = '007'", &[0]),
        ("patient LIKE 'p%' AND score BETWEEN 0.4 AND 2000", &[0, 2]),
        ("age > 1000", &[]),
    ];
    for (condition, expected) in cases {
        assert_eq!(filter_rows(&table, condition).unwrap(), expected, "{condition}");
    }
}

#[test]
fn mistakes_are_named() {
    let table = TextTable::from_csv(CLINICAL).unwrap();
    let cases = [
        ("agee > 50", "age, sex"),
        ("age", "true or false"),
        ("age >", "SQL over the columns"),
        ("", "condition"),
        ("age > 'text'", "condition"),
    ];
    for (condition, says) in cases {
        let error = filter_rows(&table, condition).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{condition}: {error}");
    }
    let error = tables().query("SELECT * FROM tile").unwrap_err().to_string();
    assert!(error.contains("the tables tiles, clinical"), "{error}");
    assert!(TextTable::from_csv("a,a\n1,2\n").is_err());
    assert!(TextTable::from_csv("a,b\n1\n").is_err());
    assert!(tables().add_text("tiles", &table).is_err());
}

#[test]
fn answers_are_written_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut again = tables();
    let sql = "SELECT patient, age, score, alive, age * 2.5 AS more FROM clinical ORDER BY patient";
    let first = again.query(sql).unwrap();
    let (csv, parquet) = (folder.path().join("a.csv"), folder.path().join("a.parquet"));
    first.write_csv(std::fs::File::create(&csv).unwrap()).unwrap();
    first.write_parquet(&parquet).unwrap();
    assert!(again.add_file("c", &csv).unwrap().is_empty());
    assert!(again.add_file("p", &parquet).unwrap().is_empty());
    for name in ["c", "p"] {
        let second = again.query(&format!("SELECT * FROM {name}")).unwrap();
        assert_eq!(second.columns(), first.columns());
        for row in 0..3 {
            for column in 0..5 {
                let number = |a: &eosin_query::Answer| {
                    let cell = a.cell(row, column);
                    cell.as_ref().and_then(|c| c.parse().ok()).ok_or(cell) as Result<f64, _>
                };
                assert_eq!(number(&second), number(&first), "{name} row {row} column {column}");
            }
        }
    }
}

#[test]
fn a_file_that_is_no_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    std::fs::write(&path, "no table").unwrap();
    assert!(matches!(Tables::new().add_file("x", &path), Err(Error::Data { .. })));
    let missing = Tables::new().add_file("x", &folder.path().join("y.csv"));
    assert!(matches!(missing, Err(Error::Environment { .. })));
}
