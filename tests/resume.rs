// SPDX-License-Identifier: MIT OR Apache-2.0

//! A run that is killed while it embeds continues, and ends with the same bytes.

use std::path::Path;
use std::time::{Duration, Instant};

use eosin::crates::core::EmbeddingStore;
use eosin::crates::store::ParquetStore;

use crate::common::{Bench, text};

/// Tile, view and the bits of every value, in the order of tiles, of the one trained backbone.
fn rows(store: &Path) -> Vec<(String, u16, Vec<u32>)> {
    let store = ParquetStore::open(store).unwrap();
    let sets = store.sets().unwrap();
    let set = sets.iter().find(|s| s.contract.backbone == "efficientnet-lite0").unwrap();
    let all = store.read_all(&set.fingerprint).unwrap();
    let mut rows: Vec<_> = (0..all.metas.len())
        .map(|i| {
            let bits = all.embeddings.row(i).iter().map(|v| v.to_bits()).collect();
            (all.metas[i].tile_id.clone(), all.views[i], bits)
        })
        .collect();
    rows.sort();
    rows
}

fn committed(store: &Path) -> u64 {
    let Ok(store) = ParquetStore::open(store) else { return 0 };
    store.sets().map_or(0, |sets| sets.iter().map(|s| s.n_rows).sum())
}

#[test]
fn a_killed_run_continues_with_the_same_bytes() {
    let bench = Bench::new();
    bench.write_run("");
    let whole = bench.run("whole", &[]);
    assert!(whole.status.success(), "{}", text(&whole));
    let expected = rows(&bench.path("whole/store"));

    let store = bench.path("killed/store");
    let mut n_kills = 0;
    loop {
        let before = committed(&store);
        let mut child = bench.run_command("killed").spawn().unwrap();
        // Kill as soon as something new is committed; a run that ends first has embedded all.
        let started = Instant::now();
        let ended = loop {
            if child.try_wait().unwrap().is_some() {
                break true;
            }
            let now = committed(&store);
            if now > before && now < expected.len() as u64 {
                break false;
            }
            assert!(started.elapsed() < Duration::from_mins(5), "the run does not end");
            std::thread::sleep(Duration::from_millis(2));
        };
        if ended || n_kills == 3 {
            child.wait().unwrap();
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        n_kills += 1;
        assert!(committed(&store) > before, "nothing was committed before the kill");
    }
    assert!(n_kills > 0, "the run was never killed while it embedded");
    let rest = bench.run("killed", &[]);
    assert!(rest.status.success(), "{}", text(&rest));
    assert!(rows(&store) == expected, "the embeddings differ after {n_kills} kills");
    let report = |out: &str| std::fs::read(bench.path(out).join("report.json")).unwrap();
    assert!(report("whole") == report("killed"), "the reports differ");
}

#[test]
fn only_a_changed_tile_is_embedded_again() {
    let bench = Bench::new();
    bench.write_run("");
    let embed = || {
        let mut command = crate::common::eosin();
        command
            .arg("embed")
            .arg(bench.path("tiles/manifest.csv"))
            .arg("--configs")
            .arg(bench.path("configs"))
            .arg("--store")
            .arg(bench.path("store"));
        text(&command.output().unwrap())
    };
    assert!(embed().contains("77 tiles embedded, 0 there already"));
    assert!(embed().contains("0 tiles embedded, 77 there already"));
    let manifest = std::fs::read_to_string(bench.path("tiles/manifest.csv")).unwrap();
    let names: Vec<&str> = manifest.lines().skip(1).map(|l| l.split(',').next().unwrap()).collect();
    let tiles = bench.path("tiles");
    std::fs::copy(tiles.join(names[1]), tiles.join(names[0])).unwrap();
    assert!(embed().contains("1 tiles embedded, 76 there already"));
    let rows = rows(&bench.path("store"));
    let of = |name: &str| rows.iter().find(|r| r.0 == name).unwrap().2.clone();
    assert_eq!(of(names[0]), of(names[1]));
}
