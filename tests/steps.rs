// SPDX-License-Identifier: MIT OR Apache-2.0

//! Each step alone: tile, embed, select, train, predict, inspect.

use crate::common::{Bench, eosin, root, text};

#[test]
fn a_slide_becomes_tiles_embeddings_and_predictions() {
    let bench = Bench::new();
    bench.write_run("");
    let slide = root().join("tests/fixtures/cmu-1-small-region.svs");

    let cut = eosin()
        .arg("tile")
        .arg(&slide)
        .args(["--tile-um", "112", "--tile-px", "224", "--min-tissue", "0.5", "--out"])
        .arg(bench.path("cut"))
        .output()
        .unwrap();
    assert!(cut.status.success(), "{}", text(&cut));
    let manifest = std::fs::read_to_string(bench.path("cut/manifest.csv")).unwrap();
    let n_tiles = manifest.lines().count() - 1;
    assert!(n_tiles > 20, "{n_tiles} tiles");

    let selected = bench.select(&[]);
    assert!(selected.status.success(), "{}", text(&selected));
    assert!(text(&selected).contains("colour-statistics"), "{}", text(&selected));
    let trained = bench.train(&[]);
    assert!(trained.status.success(), "{}", text(&trained));
    assert!(text(&trained).contains("AUROC"), "{}", text(&trained));

    let head = bench.head("logistic", "efficientnet-lite0");
    let scored = bench.predict(&head, &bench.path("cut/manifest.csv"), &[]);
    assert!(scored.status.success(), "{}", text(&scored));
    let scores = std::fs::read_to_string(bench.path("scores.csv")).unwrap();
    assert_eq!(scores.lines().count(), n_tiles + 1);
    for line in scores.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let sum: f64 = cells[5..7].iter().map(|p| p.parse::<f64>().unwrap()).sum();
        assert!((sum - 1.0).abs() < 2e-6, "{line}");
    }

    // Tiles cut at another place in the pipeline are another contract, unless accepted by name.
    let grid = ["--tile-um", "112", "--min-tissue", "0.5"];
    let refused = bench.predict(&head, &slide, &grid);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    assert!(text(&refused).contains("tile_um"), "{}", text(&refused));
    let accepted = ["mpp_policy", "reader", "tile_px", "tile_um"].map(|f| ["--accept", f]).concat();
    let scored = bench.predict(&head, &slide, &[&grid[..], &accepted].concat());
    assert!(scored.status.success(), "{}", text(&scored));
    let from_slide = std::fs::read_to_string(bench.path("scores.csv")).unwrap();
    let probability = |csv: &str| -> Vec<String> {
        csv.lines().skip(1).map(|l| l.split(',').nth(6).unwrap().to_string()).collect()
    };
    assert_eq!(probability(&from_slide), probability(&scores), "the same pixels score the same");

    let inspected = eosin()
        .arg("inspect")
        .args([&slide, &head, &bench.path("tiles/manifest.csv"), &bench.path("out/store")])
        .output()
        .unwrap();
    let inspected = text(&inspected);
    for part in ["0.499", "2220 × 2967", "microcalcification", "77", "efficientnet-lite0"] {
        assert!(inspected.contains(part), "no {part} in\n{inspected}");
    }
}

#[test]
fn dry_runs_write_nothing() {
    let bench = Bench::new();
    bench.write_run("");
    let output = bench.run("out", &["--dry-run"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("nothing is wrong"));
    assert!(!bench.path("out").exists(), "the dry run made a folder");
}

#[test]
fn several_heads_are_trained_at_once_and_have_cards() {
    let bench = Bench::new();
    bench.write_run("");
    let tasks = ["--task", "demo-microcalcification", "--task", "demo-density"];
    let heads = ["--head", "logistic", "--head", "ridge", "--no-augment"];
    let trained = bench.train(&[&tasks[..], &heads].concat());
    assert!(trained.status.success(), "{}", text(&trained));
    for (task, metric) in
        [("demo-microcalcification", "out of fold F1"), ("demo-density", "macro F1")]
    {
        for head in ["logistic", "ridge"] {
            let file = format!("out/heads/{task}-{head}-efficientnet-lite0.safetensors");
            let card = eosin().args(["head", "card"]).arg(bench.path(&file)).output().unwrap();
            let card = text(&card);
            assert!(card.starts_with("# Model card"), "{card}");
            for says in [metric, "Apache-2.0", &format!("| Head | {head} |")] {
                assert!(card.contains(says), "no {says} in {card}");
            }
        }
    }
    let unknown = bench.train(&["--head", "logistik"]);
    assert_eq!(unknown.status.code(), Some(5), "{}", text(&unknown));
    assert!(text(&unknown).contains("logistic"), "{}", text(&unknown));
}

#[test]
fn tissue_tiles_and_outlines_are_drawn_without_cutting() {
    let folder = tempfile::tempdir().unwrap();
    let slide = root().join("tests/fixtures/cmu-1-small-region.svs");
    let path = |name: &str| folder.path().join(name);
    let drawn = eosin()
        .args(["tile", "--preview"])
        .arg(path("preview.png"))
        .arg("--mask")
        .arg(path("mask.png"))
        .arg("--contours")
        .arg(path("tissue.geojson"))
        .arg(&slide)
        .output()
        .unwrap();
    assert!(drawn.status.success(), "{}", text(&drawn));
    let mask = eosin::crates::tile::read_image(path("mask.png")).unwrap();
    let share = mask.pixels().filter(|p| p[0] == 255).count() as f64 / mask.pixels().len() as f64;
    assert!((0.2..1.0).contains(&share), "{share}");
    assert!(eosin::crates::tile::read_image(path("preview.png")).is_ok());
    // The outlines are a region of interest: no tile outside the tissue is left.
    let count = |min_tissue: &str, extra: &[&str]| {
        let mut command = eosin();
        command.arg("tile").arg(&slide).args(["--dry-run", "--min-tissue", min_tissue]).args(extra);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let line = text(&output);
        let count = line.split(": ").nth(1).and_then(|t| t.split(' ').next()).unwrap();
        count.parse::<usize>().unwrap()
    };
    let contours = path("tissue.geojson");
    let (all, inside) = (count("0", &[]), count("0", &["--roi", contours.to_str().unwrap()]));
    assert!(0 < inside && inside < all, "{inside} of {all}");
    // The mask counts its pixels whole where a tile touches them, the outlines by their area.
    let by_mask = count("0.5", &[]);
    assert!(inside.abs_diff(by_mask) <= 3, "{inside} by outline, {by_mask} by mask");

    let neither = eosin().arg("tile").arg(&slide).output().unwrap();
    assert_eq!(neither.status.code(), Some(2), "{}", text(&neither));
    assert!(text(&neither).contains("--out"), "{}", text(&neither));
}

#[test]
fn slides_are_called_from_their_tiles_with_attention() {
    let bench = Bench::new();
    bench.write_run("");
    // Tiles of one place and class stand for a slide.
    let manifest = bench.path("tiles/manifest.csv");
    let mut slides = std::collections::BTreeSet::new();
    bench.edit_rows(|cells| {
        cells[4] = format!("{}-{}", cells[2], cells[1]);
        slides.insert(cells[4].clone());
    });
    let options = "options = { hidden = 8, attention = 4, epochs = 3, penalties = [0.01] }";
    let head = format!("kind = \"abmil\"\n{options}\n");
    std::fs::write(bench.path("configs/head/abmil-tiny.toml"), head).unwrap();

    let trained = bench.train(&["--head", "abmil-tiny", "--head", "mean-pool"]);
    assert!(trained.status.success(), "{}", text(&trained));
    for head in ["abmil-tiny", "mean-pool"] {
        let attention = bench.path("attention.csv");
        let arguments = ["--attention", attention.to_str().unwrap()];
        let predicted =
            bench.predict(&bench.head(head, "efficientnet-lite0"), &manifest, &arguments);
        assert!(predicted.status.success(), "{}", text(&predicted));
        let called = std::fs::read_to_string(bench.path("scores.csv")).unwrap();
        assert_eq!(called.lines().count(), slides.len() + 1, "{called}");
        let attention = std::fs::read_to_string(bench.path("attention.csv")).unwrap();
        let mut sums = std::collections::BTreeMap::<&str, f64>::new();
        for line in attention.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            *sums.entry(cells[1]).or_default() += cells[5].parse::<f64>().unwrap();
        }
        assert_eq!(sums.len(), slides.len());
        assert!(sums.values().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
    }

    // A slide whose tiles disagree is refused by name.
    let torn = std::fs::read_to_string(&manifest).unwrap().replace("-microcalcification", "-none");
    std::fs::write(&manifest, torn).unwrap();
    let refused = bench.train(&["--head", "abmil-tiny"]);
    assert!(
        !refused.status.success() && text(&refused).contains("one label"),
        "{}",
        text(&refused)
    );
}
