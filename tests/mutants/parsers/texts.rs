// SPDX-License-Identifier: MIT OR Apache-2.0

//! Heads, and texts that users write.

use std::path::Path;

use eosin::crates::core::{HeadTrainer, Licence, Use};
use eosin::crates::core::{LabelledSet, Matrix, Result, TrainBatch, TrainView};
use eosin::crates::head::{
    Decision, HeadFile, KnnTrainer, LdaTrainer, LogisticTrainer, NearestMeanTrainer, TrainedOn,
    load_head, save_head,
};
use eosin::crates::query::{Tables, TextTable, filter_rows};
use eosin::crates::tile::geometry::read_region;
use eosin::{LoadedRun, RegistryExt, StudyConfig, default_registry, read_tiling};
use eosin_testkit::conformance;
use eosin_testkit::demo::DemoConfig;
use eosin_testkit::mutants::{Alphabet, MutantParser, Seed};
use tempfile::TempDir;

use super::fixtures::{all_files, root};

const DIM: usize = 4;

pub fn head() -> MutantParser {
    let trainers: [(&dyn HeadTrainer, f64); 4] = [
        (&LogisticTrainer::default(), 1.0),
        (&KnnTrainer::default(), 3.0),
        (&NearestMeanTrainer::default(), 0.3),
        (&LdaTrainer::default(), 0.5),
    ];
    let seeds = trainers.iter().map(|(trainer, penalty)| saved_head(*trainer, *penalty));
    let registry = default_registry();
    MutantParser {
        alphabet: Alphabet::Bytes,
        words: &[
            b"eosin-head",
            b"\"F64\"",
            b"\"F32\"",
            b"[0]",
            b"[2,0]",
            b"\\\"kind\\\":\\\"knn\\\"",
            b"\\\"mlp\\\"",
            b"\\\"abmil\\\"",
            b"\\\"classes\\\":[]",
            b"\\\"version\\\":2",
            b"null",
            b"1e308",
            b"-1",
            b"\x00\x00\x00\x00\x00\x00\xf8\x7f",
        ],
        seeds: seeds.collect(),
        read: Box::new(move |path, _| {
            let file = load_head(path)?;
            let head = registry.restore_head(&file.record)?;
            let rows = Matrix::new(2, DIM, vec![0.5; 2 * DIM])?;
            let probabilities = head.predict(&rows)?;
            file.decide(&probabilities).map(drop)
        }),
    }
}

fn saved_head(trainer: &dyn HeadTrainer, penalty: f64) -> Seed {
    let rows: Vec<Vec<f32>> =
        (0..12).map(|i| (0..DIM).map(|j| ((i * 7 + j * 3) % 5) as f32).collect()).collect();
    let groups: Vec<String> = (0..12).map(|i| format!("p{i}")).collect();
    let labels = (0..12).map(|i| i % 2).collect();
    let classes = vec!["benign".into(), "atypical".into()];
    let matrix = Matrix::from_rows(&rows).expect("a matrix");
    let set = LabelledSet::new(matrix, classes, labels, &groups).expect("a set");
    let fitted = trainer.fit(&TrainBatch::from_view(&TrainView::whole(&set)), penalty);
    let head = HeadFile {
        record: fitted.expect("a head").record(),
        contract: conformance::contract("any"),
        threshold: Some(0.4),
        decision: Decision::default(),
        penalty: Some(penalty),
        metrics: [("auroc".to_string(), 0.7)].into(),
        training_digest: "any".into(),
        trained_on: TrainedOn::new(2, &[0, 1], ["a", "b"], ["p", "q"]),
        licence: Licence { name: "MIT".into(), allows: Use::Commercial },
        eosin_version: "0.1.0".into(),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("{}.safetensors", trainer.kind()));
    save_head(&path, &head).expect("a head file");
    Seed::file(&path)
}

/// Configurations of every kind: each is read as all of them.
pub fn config() -> MutantParser {
    let kinds = ["run", "task", "augment", "head", "study", "tiling", "demo"];
    let seeds =
        kinds.iter().flat_map(|kind| all_files(&format!("configs/{kind}"), "toml")).collect();
    let configs = tempfile::tempdir().expect("a folder");
    for kind in kinds {
        let folder = configs.path().join(kind);
        std::fs::create_dir(&folder).expect("a folder");
        for file in all_files(&format!("configs/{kind}"), "toml") {
            std::fs::write(folder.join(&file.name), &file.bytes).expect("room for a configuration");
        }
    }
    let run = std::fs::read_to_string(root("configs/run/demo.toml")).unwrap();
    MutantParser {
        alphabet: Alphabet::Text,
        words: &[
            b"kind",
            b"options",
            b"seed",
            b"folds",
            b"repeats",
            b"[selection]",
            b"[[arms]]",
            b"where",
            b"train",
            b"classes",
            b"hold_out",
            b"\"centre\"",
            b"views",
            b"copies",
            b"gamma",
            b"ks",
            b"k",
            b"tile_um",
            b"tile_px",
            b"overlap",
            b"true",
            b"1970-01-01",
            b"\"\"\"",
            b"#",
        ],
        seeds,
        read: Box::new(move |path, text| read_config(&configs, &run, path, text)),
    }
}

fn read_config(configs: &TempDir, run: &str, path: &Path, text: &[u8]) -> Result<()> {
    let registry = default_registry();
    // A study finds the augmentations that it names beside its own folder.
    let study = configs.path().join("study").join("mutant.toml");
    std::fs::write(&study, text).expect("room for a configuration");
    let mut outcome = StudyConfig::read(&study).map(drop);
    outcome = outcome.or(read_tiling(path).map(drop)).or(DemoConfig::read(path).map(drop));
    for kind in ["run", "task", "augment", "head"] {
        let mutant = configs.path().join(kind).join("mutant.toml");
        std::fs::write(&mutant, text).expect("room for a configuration");
        let named = if kind == "run" {
            mutant.clone()
        } else {
            // The demo's run, with the damaged part in place of its own.
            let line = run.lines().map(|line| {
                if line.starts_with(&format!("{kind} = ")) {
                    format!("{kind} = \"mutant\"")
                } else {
                    line.into()
                }
            });
            let named = configs.path().join("run/named.toml");
            std::fs::write(&named, line.collect::<Vec<_>>().join("\n")).expect("room");
            named
        };
        let loaded = LoadedRun::read(&named).and_then(|loaded| {
            let _ = loaded.digest();
            registry.pipeline(&loaded.augment.transforms)?;
            if !registry.is_slide_head(&loaded.head.kind) {
                registry.head(&loaded.head.kind, &loaded.head.options)?;
            }
            registry.proxy(&loaded.task.kind, &loaded.task.options).map(drop)
        });
        std::fs::remove_file(&mutant).expect("what was written");
        outcome = outcome.or(loaded);
    }
    outcome
}

/// Regions of interest.
pub fn geojson() -> MutantParser {
    let polygon = r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[100,0],[100,80.5],[0,0]],[[10,10],[20,10],[20,20],[10,10]]]},"properties":{}}]}"#;
    let multi = r#"[{"type":"Feature","geometry":{"type":"GeometryCollection","geometries":[{"type":"MultiPolygon","coordinates":[[[[1,2],[3e2,4],[5,6]]]]},{"type":"Point","coordinates":[1,2]}]},"properties":null}]"#;
    MutantParser {
        alphabet: Alphabet::Text,
        words: &[
            b"\"type\"",
            b"\"Polygon\"",
            b"\"MultiPolygon\"",
            b"\"GeometryCollection\"",
            b"\"geometries\"",
            b"\"coordinates\"",
            b"[[",
            b"]]",
            b"1e308",
            b"-1e308",
            b"[0,0]",
            b"{\"type\":\"Feature\",\"geometry\":",
        ],
        seeds: vec![Seed::new("polygon.geojson", polygon), Seed::new("multi.geojson", multi)],
        read: Box::new(|path, _| {
            let region = read_region(path)?;
            for polygon in region.polygons() {
                let _ = polygon.area();
            }
            let _ = region.fraction(5.0, 5.0, 50.0, 50.0) + region.fraction(-1e9, -1e9, 2e9, 2e9);
            Ok(())
        }),
    }
}

/// Rows for conditions and queries.
fn table() -> TextTable {
    let text = "path,label,x,y,mpp,day\na.png,benign,0,10,0.25,2020-01-02\nb.png,atypical,512,20,,\n\
                c.png,,1024,-30,0.5,2021-12-31\n";
    TextTable::from_csv(text).expect("a table")
}

const SQL_WORDS: &[&[u8]] = &[
    b" AND ",
    b" OR ",
    b" NOT ",
    b"(",
    b")",
    b" = ",
    b" <> ",
    b" >= ",
    b" IN (",
    b" BETWEEN ",
    b" LIKE '%a_'",
    b" IS NULL",
    b"CASE WHEN ",
    b" THEN ",
    b" END",
    b"CAST(",
    b" AS INT)",
    b"::INT",
    b"label",
    b"x",
    b"'a'",
    b"''",
    b" UNION ",
    b";",
    b"--",
    b"/*",
    b"ABS(",
    b"LENGTH(",
    b"UPPER(",
    b"SUBSTR(",
    b"COALESCE(",
    b"REGEXP ",
    b"~ '(a+)+b'",
    b"SELECT ",
    b" FROM t",
    b" GROUP BY ",
    b" ORDER BY ",
    b" LIMIT 5",
    b" JOIN t AS u ON ",
    b"COUNT(*)",
    b"-",
    b"+",
    b"/ 0",
    b"% 0",
    b"ADN",
    b"DATE '2020-01-01'",
    b"INTERVAL '1 day'",
];

/// What stands behind `where` in a task.
pub fn condition() -> MutantParser {
    let table = table();
    let texts = [
        "label = 'atypical' AND x < 600",
        "x >= 0 OR y BETWEEN -10 AND 5.5",
        "mpp IS NOT NULL AND label IN ('benign', 'atypical')",
        "NOT (label LIKE 'a%') AND ABS(y) > 10",
        "CASE WHEN x > 3 THEN true ELSE false END",
    ];
    MutantParser {
        alphabet: Alphabet::Text,
        words: SQL_WORDS,
        seeds: texts.iter().enumerate().map(|(i, t)| Seed::new(format!("{i}.sql"), *t)).collect(),
        read: Box::new(move |_, text| {
            filter_rows(&table, &String::from_utf8_lossy(text)).map(drop)
        }),
    }
}

/// What `eosin query` answers.
pub fn sql() -> MutantParser {
    let mut tables = Tables::new();
    tables.add_text("t", &table()).expect("a table");
    let texts = [
        "SELECT label, AVG(x) AS x FROM t GROUP BY label ORDER BY x LIMIT 2",
        "SELECT a.path, b.label FROM t AS a JOIN t AS b ON a.path = b.path WHERE a.x > 0",
        "WITH c AS (SELECT * FROM t WHERE y > 0) SELECT COUNT(*) FROM c",
        "SELECT path AS p FROM t UNION ALL SELECT label AS p FROM t",
        "SELECT CAST(mpp AS INT), SUBSTR(path, 1, 2) FROM t WHERE day > '2020-06-01'",
    ];
    MutantParser {
        alphabet: Alphabet::Text,
        words: SQL_WORDS,
        seeds: texts.iter().enumerate().map(|(i, t)| Seed::new(format!("{i}.sql"), *t)).collect(),
        read: Box::new(move |_, text| tables.query(&String::from_utf8_lossy(text)).map(drop)),
    }
}
