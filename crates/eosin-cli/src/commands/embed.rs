// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;
use eosin::crates::backbone::native::gemm_peak;
use eosin::crates::core::Error;
use eosin::crates::store::{Dtype, ParquetStore, StoreOptions};
use eosin::crates::tile::ViewBank;
use eosin::{
    EmbedOptions, EmbedOutcome, EmbedStats, EngineConfig, Registry, contract, load_backbone,
    open_input,
};

use super::{tell_skipped, tiling};
use crate::arguments::EmbedArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// Tiles that a dry run decodes, evenly over the source.
const DECODED: usize = 512;

/// `eosin embed`.
pub fn embed(arguments: &EmbedArguments, registry: &Registry, bars: &Bars) -> Result<Outcome> {
    let mut tiling = tiling(&arguments.grid)?;
    tiling.verify |= arguments.verify;
    let views = arguments.views.map(|n_views| ViewBank {
        n_views,
        seed: arguments.seed,
        ..ViewBank::default()
    });
    views.as_ref().map_or(Ok(()), ViewBank::validate)?;
    let (source, geometry) = open_input(&arguments.input, &tiling, registry)?;
    let engine = EngineConfig {
        kind: arguments.engine.clone(),
        batch_size: arguments.batch_size,
        ..EngineConfig::default()
    };
    let dtype = if arguments.f32 { Dtype::F32 } else { Dtype::F16 };
    let store =
        ParquetStore::open_with(&arguments.store, StoreOptions { dtype, ..Default::default() })?;
    let mut skipped = Vec::new();
    let places = super::places(arguments.weights.as_deref());
    for name in &arguments.backbone {
        let backbone = load_backbone(registry, &arguments.configs, name, &engine, &places)?;
        let info = backbone.info();
        let contract = contract(info, source.as_ref(), &geometry, views.as_ref());
        let set = contract.fingerprint();
        if arguments.dry_run {
            let there = store.committed(&set)?.len();
            let n_rows = source.tiles().len() * views.as_ref().map_or(1, ViewBank::n_stored);
            println!("{name}: {n_rows} rows × {} wanted, {there} there, set {set}", info.dim);
            continue;
        }
        let options = EmbedOptions {
            batch_size: arguments.batch_size,
            views: views.as_ref(),
            only: None,
            replace: arguments.replace,
        };
        let started = Instant::now();
        let outcome =
            eosin::embed(source.as_ref(), &geometry, backbone.as_ref(), &store, &options, bars)?;
        println!(
            "{name} on {}: {} tiles embedded, {} there already{}, {:.1} s, set {set}",
            info.engine,
            outcome.n_new,
            outcome.n_kept,
            also(&outcome),
            started.elapsed().as_secs_f64()
        );
        if arguments.stats {
            print!("{}", stats_text(&outcome.stats, gemm_peak()? / 1e9));
        }
        skipped.extend(outcome.skipped);
    }
    if arguments.dry_run {
        eosin::require_writable(&arguments.store)?;
        skipped = eosin::unreadable(source.as_ref(), DECODED);
    }
    skipped.sort();
    skipped.dedup();
    let n_tiles = source.tiles().len();
    if let Some(first) = skipped.first().filter(|_| skipped.len() == n_tiles) {
        // Not a tile here and there: the slide, or the folder, is what cannot be read.
        return Err(Error::data(
            &arguments.input,
            "tiles that can be read",
            format!("none among {n_tiles}; the first: {}", first.reason),
            "copy it again, or see whether it can be opened elsewhere",
        )
        .into());
    }
    tell_skipped(&skipped);
    Ok(Outcome::of(skipped.len()))
}

/// What else a user must know of the tiles that were there.
fn also(outcome: &EmbedOutcome) -> String {
    let mut text = String::new();
    if outcome.n_unreadable > 0 {
        let _ = write!(text, " ({} of them cannot be read now)", outcome.n_unreadable);
    }
    if outcome.n_replaced > 0 {
        let _ = write!(text, ", {} rows of changed files replaced", outcome.n_replaced);
    }
    text
}

/// The stages, and the rate against the machine's `peak` in GFLOP/s.
fn stats_text(stats: &EmbedStats, peak: f64) -> String {
    let mut text = format!("  {:30} {:>9} {:>9}\n", "stage", "work s", "waits s");
    for (name, stage) in [
        ("read, decode, resample", stats.read),
        ("normalise, engine", stats.engine),
        ("write, commit", stats.write),
    ] {
        let _ = writeln!(text, "  {name:30} {:9.2} {:9.2}", stage.work, stage.waiting);
    }
    let _ = writeln!(
        text,
        "  core seconds: {:.2} reading and decoding, {:.2} resampling",
        stats.decode_core_seconds, stats.resample_core_seconds
    );
    let _ = write!(text, "  {:.1} tiles/s", stats.rows_per_second());
    if let Some(gflops) = stats.gflops() {
        let share = 100.0 * gflops / peak;
        let _ = write!(text, ", {gflops:.1} GFLOP/s, {share:.0} % of {peak:.0} measured");
    }
    text + "\n"
}
