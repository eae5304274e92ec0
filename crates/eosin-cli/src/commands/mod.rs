// SPDX-License-Identifier: MIT OR Apache-2.0

mod backbone;
mod doctor;
mod embed;
pub mod evaluate;
mod head;
mod inspect;
mod predict;
#[cfg(feature = "sql")]
pub mod query;
mod run;
mod select;
mod sizes;
pub mod store;
mod study;
mod tile;
mod train;

use std::path::{Path, PathBuf};

use anyhow::Result;
use eosin::crates::core::{Mpp, TileUm};
use eosin::crates::report::Verdict;
use eosin::crates::tile::{Arithmetic, StainNormalization, TilingOptions, TissueOptions};
use eosin::{ApplyOptions, EngineConfig, Places, Registry, Session, SessionOptions, Skipped};

use crate::arguments::{
    ApplyArguments, Cli, Command, DEFAULT_MIN_TISSUE, DEFAULT_TILE_PX, DEFAULT_TILE_UM,
    GridArguments, RunArguments,
};
use crate::exit::Outcome;
use crate::progress::Bars;

/// Runs the command that was asked for.
pub fn dispatch(cli: &Cli, registry: &Registry) -> Result<Outcome> {
    let bars = Bars::new(cli.global.quiet);
    match &cli.command {
        Command::Run(arguments) => run::run(arguments, registry, &bars),
        Command::Tile(arguments) => tile::tile(arguments, registry, &bars),
        Command::Embed(arguments) => embed::embed(arguments, registry, &bars),
        Command::Select(arguments) => select::select(arguments, registry, &bars),
        Command::Study(arguments) => study::study(arguments, registry, &bars),
        Command::Train(arguments) => train::train(arguments, registry, &bars),
        Command::Predict(arguments) => predict::predict(arguments, registry, &bars),
        Command::Evaluate(arguments) => evaluate::evaluate(arguments, registry, &bars),
        Command::Head(arguments) => head::head(arguments),
        Command::Inspect(arguments) => inspect::inspect(arguments, registry),
        Command::Backbone(arguments) => backbone::backbone(arguments, registry, &bars),
        Command::Doctor(arguments) => doctor::doctor(arguments, registry),
        Command::Store(arguments) => store::store(arguments, &bars),
        #[cfg(feature = "sql")]
        Command::Query(arguments) => query::query(arguments),
    }
}

/// Opens a run's configuration, tiles and store.
fn open<'a>(arguments: &RunArguments, registry: &Registry, bars: &'a Bars) -> Result<Session<'a>> {
    let options = SessionOptions {
        data: arguments.data.clone(),
        out: arguments.out.clone(),
        engine: arguments.engine.clone(),
        weights: arguments.weights.clone(),
        allow_leakage: arguments.allow_leakage.clone(),
        replace: arguments.replace,
        places: places(None),
    };
    Ok(Session::open(&arguments.config, options, registry.clone(), bars)?)
}

/// Where backbones find what is no part of the program: the environment says it, as the hub's
/// Python client and onnxruntime's users expect.
fn places(weights: Option<&Path>) -> Places {
    Places {
        weights: weights.map(Path::to_path_buf),
        hub_cache: hub_cache(),
        onnxruntime: variable("EOSIN_ONNXRUNTIME").map(PathBuf::from),
    }
}

/// The cache that the hub's Python client would use.
fn hub_cache() -> Option<PathBuf> {
    variable("HF_HUB_CACHE").map(PathBuf::from).or_else(|| Some(hub_home()?.join("hub")))
}

/// The folder of the hub's client, with its cache and its token.
fn hub_home() -> Option<PathBuf> {
    let cache = || {
        let own = variable("XDG_CACHE_HOME").map(PathBuf::from);
        own.or_else(|| Some(std::env::home_dir()?.join(".cache")))
    };
    variable("HF_HOME").map(PathBuf::from).or_else(|| Some(cache()?.join("huggingface")))
}

/// A variable of the environment that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How slides are cut: by a file, by arguments, or by the file with what arguments change.
fn tiling(grid: &GridArguments) -> Result<TilingOptions> {
    let mut tiling = match &grid.tiling {
        Some(file) => eosin::read_tiling(file)?,
        None => TilingOptions {
            min_tissue: DEFAULT_MIN_TISSUE,
            ..TilingOptions::new(TileUm::new(DEFAULT_TILE_UM)?, DEFAULT_TILE_PX)
        },
    };
    if let Some(tile_um) = grid.tile_um {
        tiling.tile_um = TileUm::new(tile_um)?;
    }
    tiling.tile_px = grid.tile_px.unwrap_or(tiling.tile_px);
    tiling.overlap = grid.overlap.unwrap_or(tiling.overlap);
    tiling.min_tissue = grid.min_tissue.unwrap_or(tiling.min_tissue);
    tiling.mpp = grid.mpp.map(Mpp::new).transpose()?.or(tiling.mpp);
    if let Some(preset) = &grid.tissue {
        tiling.tissue = TissueOptions::preset(preset)?;
    }
    if let Some(method) = &grid.stain {
        tiling.stain = StainNormalization::named(method)?;
    }
    if let Some(name) = &grid.resampling {
        tiling.resampling = Arithmetic::named(name)?;
    }
    tiling.icc |= grid.icc;
    if let Some(reader) = &grid.reader {
        tiling.reader.clone_from(reader);
    }
    for (given, option) in [(&grid.mpp_csv, &mut tiling.mpp_csv), (&grid.roi, &mut tiling.roi)] {
        if given.is_some() {
            option.clone_from(given);
        }
    }
    Ok(tiling)
}

/// How a saved head is applied.
fn apply_options<'a>(
    arguments: &'a ApplyArguments,
    registry: &'a Registry,
) -> Result<ApplyOptions<'a>> {
    let mut tiling = tiling(&arguments.grid)?;
    tiling.verify |= arguments.verify;
    Ok(ApplyOptions {
        tiling,
        registry,
        head: &arguments.head,
        store: &arguments.store,
        engine: EngineConfig { kind: arguments.engine.clone(), ..EngineConfig::default() },
        places: places(arguments.weights.as_deref()),
        configs: &arguments.configs,
        accept: &arguments.accept,
        replace: arguments.replace,
    })
}

/// Tells of tiles that were left out, a few by name.
fn tell_skipped(skipped: &[Skipped]) {
    const SHOWN: usize = 5;
    if skipped.is_empty() {
        return;
    }
    match skipped.len() {
        1 => eprintln!("1 tile was left out:"),
        n => eprintln!("{n} tiles were left out:"),
    }
    for skip in skipped.iter().take(SHOWN) {
        eprintln!("  {}: {}", skip.tile, skip.reason);
    }
    if skipped.len() > SHOWN {
        eprintln!("  and {} more", skipped.len() - SHOWN);
    }
}

/// A verdict: its sentence, then its bullets.
fn print_verdict(verdict: &Verdict) {
    for line in verdict.lines() {
        println!("{line}");
    }
}

/// Lines of name and value, the values under each other.
fn print_facts(facts: &[(String, String)]) {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in facts {
        println!("  {name:width$}  {value}");
    }
}
