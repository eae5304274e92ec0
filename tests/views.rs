// SPDX-License-Identifier: MIT OR Apache-2.0

//! Banks of views: which images they hold, and what each weighs.

use std::collections::BTreeSet;
use std::fs;

use eosin::crates::augment::test_time_average;
use eosin::crates::core::{
    Draw, EmbeddingStore, FeatureTransform, Fold, Head, HeadRecord, LabelledSet, Matrix,
    NoProgress, Probabilities, Result, Tile, TileBatch, TrainBatch, TrainView,
};
use eosin::crates::store::{ParquetStore, RowKey};
use eosin::crates::tile::resample;
use eosin::crates::tile::views::dihedral;
use eosin::{EngineConfig, Places, RegistryExt, Session, SessionOptions, default_registry};

use crate::common::{Bench, eosin, text};

const BACKBONE: &str = "efficientnet-lite0";

/// Views that differ in their pose alone.
const TURNED: &str = "[views]\nn_views = 8\nhed_sigma = 0.0\nbrightness = 0.0\ncontrast = 0.0\n\
                      [[transforms]]\nkind = \"view-bank\"\n";

/// What a run with [`TURNED`] has of its training tiles.
fn with_turned(bench: &Bench, look: impl FnOnce(&Session, &LabelledSet, &[String], usize)) {
    let run = bench.write_run("");
    fs::write(bench.path("configs/augment/noise.toml"), TURNED).unwrap();
    let options = SessionOptions {
        data: Some(bench.path("tiles")),
        out: bench.path("out"),
        ..SessionOptions::default()
    };
    let session = Session::open(&run, options, default_registry(), &NoProgress).unwrap();
    let embedded = session.embed(BACKBONE, None, None).unwrap();
    let rows = session.rows(&session.config.task, &[]).unwrap();
    let (bank, n_rows) = eosin::embed_views(&session, &rows, BACKBONE).unwrap().unwrap();
    let set = eosin::labelled(&session, &rows, &embedded, Some((&bank, n_rows))).unwrap();
    look(&session, &set, &rows.tile_ids, rows.split.train[0]);
}

/// A tile in its eight poses, embedded without a bank.
fn poses(bench: &Bench, session: &Session, tile_id: &str) -> Matrix {
    let (engine, places) = (EngineConfig::default(), Places::default());
    let backbone = eosin::load_backbone(
        &default_registry(),
        &bench.path("configs"),
        BACKBONE,
        &engine,
        &places,
    )
    .unwrap();
    let px = backbone.info().input_px;
    let filter: resample::Filter = backbone.info().resampling.parse().unwrap();
    let at = session.tiles().iter().position(|t| t.tile_id == tile_id).unwrap();
    let tile = session.source().read(at).unwrap();
    let mut batch = TileBatch::new(px);
    for pose in 0..8 {
        let image = resample::resize(&dihedral(&tile.image, pose), px, px, filter);
        batch.push(Tile { meta: tile.meta.clone(), image }).unwrap();
    }
    backbone.embed(&batch).unwrap()
}

/// The pose whose embedding is nearest.
fn nearest(poses: &Matrix, shown: &[f32]) -> usize {
    let distance = |pose: &usize| -> f32 {
        poses.row(*pose).iter().zip(shown).map(|(a, b)| (a - b).abs()).sum()
    };
    (0..8).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()
}

#[test]
fn a_tile_and_its_bank_of_eight_hold_every_pose_once() {
    let bench = Bench::new();
    with_turned(&bench, |session, set, tile_ids, row| {
        let view = TrainView::whole(set);
        let poses = poses(&bench, session, &tile_ids[row]);
        let n_rows = set.bank().unwrap().n_views();
        assert_eq!(n_rows, 7);
        let mut seen = BTreeSet::from([nearest(&poses, view.feature_row(row))]);
        assert_eq!(seen, BTreeSet::from([0]));
        for stored in 0..n_rows {
            let pose = nearest(&poses, view.bank_row(row, stored).unwrap());
            // What the learned operator is told of a view is of the row that shows it.
            let parameters = view.bank_parameters(row, stored).unwrap();
            assert_eq!(parameters[..8].iter().position(|&flag| flag > 0.5), Some(pose));
            assert!(seen.insert(pose), "pose {pose} occurs twice");
        }
        assert_eq!(seen.len(), 8);
    });
}

#[test]
fn a_run_fits_on_every_pose_at_an_eighth() {
    let bench = Bench::new();
    with_turned(&bench, |session, set, tile_ids, row| {
        let (train, _) = TrainView::whole(set).split(&fold_of(set)).unwrap();
        let pipeline = session.registry.pipeline(&session.config.augment.transforms).unwrap();
        let draw = Draw { seed: 0, fold: 0, epoch: 0 };
        let fitted = pipeline.fit(&train).unwrap();
        let batch = fitted.apply(&TrainBatch::from_view(&train), draw).unwrap();
        assert_eq!(batch.n_rows(), 8 * train.n_rows());
        let poses = poses(&bench, session, &tile_ids[row]);
        let at = train.rows().iter().position(|&r| r == row).unwrap();
        let mut weights = [0.0; 8];
        for (i, &parent) in batch.parents().iter().enumerate() {
            if parent as usize == at {
                weights[nearest(&poses, batch.features().row(i))] += batch.weights()[i];
            }
        }
        assert!(weights.iter().all(|w| (w - 0.125).abs() < 1e-6), "{weights:?}");
    });
}

/// A head that knows one tile's poses: class k where the row is nearest to pose k.
struct OfPoses(Matrix);

impl Head for OfPoses {
    fn classes(&self) -> &[String] {
        static CLASSES: std::sync::LazyLock<Vec<String>> =
            std::sync::LazyLock::new(|| (0..8).map(|pose| pose.to_string()).collect());
        &CLASSES
    }

    fn predict(&self, features: &Matrix) -> Result<Probabilities> {
        let row = |shown: &[f32]| {
            let found = nearest(&self.0, shown);
            (0..8).map(move |pose| f64::from(u8::from(pose == found)))
        };
        Probabilities::new(8, features.rows().flat_map(row).collect())
    }

    fn record(&self) -> HeadRecord {
        HeadRecord {
            kind: "of-poses".into(),
            classes: self.classes().to_vec(),
            tensors: std::collections::BTreeMap::new(),
            parameters: std::collections::BTreeMap::new(),
        }
    }
}

#[test]
fn a_test_time_average_is_an_eighth_of_every_pose() {
    let bench = Bench::new();
    with_turned(&bench, |session, set, tile_ids, row| {
        let elsewhere = |&other: &usize| set.groups()[other] != set.groups()[row];
        let train = (0..set.n_rows()).filter(elsewhere).collect();
        let (_, held_out) =
            TrainView::whole(set).split(&Fold { train, held_out: vec![row] }).unwrap();
        let head = OfPoses(poses(&bench, session, &tile_ids[row]));
        let average = test_time_average(&head, &held_out).unwrap();
        assert!(average.row(0).iter().all(|p| (p - 0.125).abs() < 1e-9), "{:?}", average.row(0));
    });
}

/// The rows that have views, which are those that a run trains on.
fn fold_of(set: &LabelledSet) -> Fold {
    let has = |row: &usize| set.bank().is_some_and(|bank| bank.row(*row, 0).is_some());
    let (train, held_out) = (0..set.n_rows()).partition(has);
    Fold { train, held_out }
}

#[test]
fn the_command_stores_one_row_fewer_than_there_are_views() {
    let bench = Bench::new();
    let n_tiles = fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap().lines().count() - 1;
    let embed = |arguments: &[&str]| {
        let mut command = eosin();
        command.arg("embed").arg(bench.path("tiles/manifest.csv")).arg("--store");
        command.arg(bench.path("store")).args(["--backbone", "colour-statistics", "--configs"]);
        let output = command.arg(bench.path("configs")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    };
    let wanted = embed(&["--views", "8", "--dry-run"]);
    assert!(wanted.contains(&format!("{} rows", 7 * n_tiles)), "{wanted}");
    embed(&["--views", "8"]);
    let store = ParquetStore::open(bench.path("store")).unwrap();
    let sets = store.sets().unwrap();
    assert_eq!(sets.len(), 1);
    // Banks that held view 8 too were told apart by another text, so that rows never mix.
    assert!(sets[0].contract.view.starts_with("bank-2 n-views=8 "), "{}", sets[0].contract.view);
    let committed: BTreeSet<RowKey> =
        store.committed(&sets[0].fingerprint).unwrap().keys().cloned().collect();
    assert_eq!(committed.len(), 7 * n_tiles);
}
