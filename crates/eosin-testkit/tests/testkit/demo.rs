// SPDX-License-Identifier: MIT OR Apache-2.0

//! The demo's data, made from the slide in this repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use eosin_core::{RgbImage, TileSource};
use eosin_testkit::{conformance, demo};
use eosin_tile::{Manifest, ManifestSource, SlideSource, TileFileOptions};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn config(name: &str) -> demo::DemoConfig {
    demo::DemoConfig::read(&root().join("configs/demo").join(name)).unwrap()
}

fn slide(config: &demo::DemoConfig) -> SlideSource {
    let path = root().join("tests/fixtures/cmu-1-small-region.svs");
    SlideSource::open(path, &config.tiling().unwrap()).unwrap()
}

fn generate(name: &str) -> (tempfile::TempDir, demo::Summary) {
    let config = config(name);
    let out = tempfile::tempdir().unwrap();
    let plan = demo::plan(&slide(&config), &config).unwrap();
    let summary = demo::write(&plan, &config, out.path()).unwrap();
    (out, summary)
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn same_seed_same_bytes() {
    let (a, _) = generate("tiles-tiny.toml");
    let (b, _) = generate("tiles-tiny.toml");
    let of = |folder: &Path| -> Vec<Vec<u8>> { files(folder).into_values().collect() };
    assert_eq!(of(a.path()), of(b.path()));
    assert!(files(a.path()).len() > 60);
}

#[test]
fn both_sides_have_positives_and_share_no_pixel() {
    for (name, n_tiles, share) in [("tiles.toml", 300..450, 0.05), ("tiles-tiny.toml", 60..90, 0.2)]
    {
        let config = config(name);
        let plan = demo::plan(&slide(&config), &config).unwrap();
        assert!(n_tiles.contains(&plan.tiles.len()), "{name}: {} tiles", plan.tiles.len());
        for side in ["train", "test"] {
            let mine: Vec<_> = plan.tiles.iter().filter(|t| t.split == side).collect();
            let positives = mine.iter().filter(|t| t.positive).count();
            let found = positives as f64 / mine.len() as f64;
            assert!((found - share).abs() < 0.02, "{name}, {side}: {found}");
            let groups: BTreeSet<_> =
                mine.iter().filter(|t| t.positive).map(|t| &t.group).collect();
            assert!(groups.len() >= 5, "{name}, {side}: positives in {} groups", groups.len());
            let levels: BTreeSet<_> = mine.iter().map(|t| t.h_density).collect();
            assert_eq!(levels, BTreeSet::from(["low", "mid", "high"]));
        }
        for a in &plan.tiles {
            for b in plan.tiles.iter().filter(|b| b.group != a.group) {
                let (m, n) = (&a.tile.meta, &b.tile.meta);
                let side = i64::from(m.size_level0_px.max(n.size_level0_px));
                let apart = (m.x - n.x).abs() >= side || (m.y - n.y).abs() >= side;
                assert!(apart, "{} and {} overlap", m.tile_id, n.tile_id);
            }
        }
    }
}

#[test]
fn manifest_reads_back_as_tiles() {
    let (out, summary) = generate("tiles-tiny.toml");
    let manifest = Manifest::read(out.path().join("manifest.csv")).unwrap();
    let source = ManifestSource::new(manifest, TileFileOptions::default());
    assert_eq!(source.tiles().len(), summary.n_tiles);
    conformance::tile_source(&source);
    let readme = std::fs::read_to_string(out.path().join("README.md")).unwrap();
    assert!(readme.contains("labels are made, not") && readme.contains("annotated"));
}

#[test]
fn slide_passes_the_suite() {
    conformance::tile_source(&slide(&config("tiles.toml")));
}

#[test]
fn density_is_not_moved_by_what_is_drawn() {
    let mut config = config("tiles-tiny.toml");
    let of = |config: &demo::DemoConfig| -> Vec<(String, &'static str)> {
        let plan = demo::plan(&slide(config), config).unwrap();
        plan.tiles.into_iter().map(|t| (t.tile.meta.tile_id, t.h_density)).collect()
    };
    let before = of(&config);
    config.target.cluster.density = [3.0, 4.0];
    config.target.positive_share = 0.4;
    assert_eq!(before, of(&config));
}

#[test]
fn grains_darken_a_small_part() {
    let cluster = config("tiles.toml").target.cluster;
    let before = RgbImage::filled(112, 112, [231, 180, 205]);
    for seed in 0..20 {
        let mut image = before.clone();
        demo::draw_cluster(&mut image, &cluster, 2.0, &mut ChaCha8Rng::seed_from_u64(seed));
        let pairs = || image.pixels().zip(before.pixels());
        let changed = pairs().filter(|(a, b)| a != b).count() as f64 / pairs().len() as f64;
        let darker = pairs().filter(|(a, b)| a[1] < b[1]).count() as f64 / pairs().len() as f64;
        assert!((0.001..0.2).contains(&changed), "seed {seed}: {changed} of the tile changed");
        assert!(darker > 0.5 * changed, "seed {seed}: {darker} of the tile is darker");
    }
}

#[test]
fn faults_of_a_config_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let sound = std::fs::read_to_string(root().join("configs/demo/tiles.toml")).unwrap();
    let check = |from: &str, to: &str, told: &str| {
        let path = folder.path().join("c.toml");
        assert!(sound.contains(from));
        std::fs::write(&path, sound.replace(from, to)).unwrap();
        let error = demo::DemoConfig::read(&path).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    };
    check("seed = 7", "sede = 7", "sede");
    check("positive_share = 0.05", "positive_share = 1.5", "target.positive_share");
    check("n_grains = [3, 10]", "n_grains = [10, 3]", "target.cluster.n_grains");
    check("block_um = 176.0", "block_um = 20.0", "split.block_um");

    let mut none = config("tiles-tiny.toml");
    none.target.positive_share = 0.001;
    let error = demo::plan(&slide(&none), &none).unwrap_err().to_string();
    assert!(error.contains("0 positives among"), "{error}");
}
