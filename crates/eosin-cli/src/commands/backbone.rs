// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use anyhow::Result;
use comfy_table::{Table, presets};
use eosin::crates::backbone::{
    LoadOptions, TensorReport, builtin_cards, check as check_weights, has_family, read_card,
};
use eosin::crates::core::{Card, Error};
use eosin::{EngineConfig, Registry, find_card, find_weights, is_installed, open_card, serving};

use super::places;
use crate::arguments::{BackboneArguments, BackboneCommand};
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin backbone`.
pub fn backbone(
    arguments: &BackboneArguments,
    registry: &Registry,
    bars: &Bars,
) -> Result<Outcome> {
    // Only a fetch takes long.
    #[cfg(not(feature = "hub"))]
    let _ = bars;
    let configs = &arguments.configs;
    match &arguments.command {
        BackboneCommand::Ls { installed, licence, weights, json } => {
            let places = places(weights.as_deref());
            let mut cards = cards(configs)?;
            cards.retain(|card| !installed || is_installed(card, &places));
            cards.retain(|card| licence == "any" || card.licence.is_commercial());
            let here: Vec<bool> = cards.iter().map(|card| is_installed(card, &places)).collect();
            let engines = |card: &Card| serving(registry, card, &places);
            let engines: Vec<Vec<String>> = cards.iter().map(engines).collect();
            list(&cards, &here, &engines, *json)
        }
        BackboneCommand::Show { name, json } => show(&find_card(configs, name)?, *json),
        BackboneCommand::Check { name, weights, json } => {
            check(&find_card(configs, name)?, weights.as_deref(), *json, registry)
        }
        #[cfg(feature = "hub")]
        BackboneCommand::Fetch { names, hub, cache, offline, insecure } => {
            let options = hub_options(hub.clone(), cache.clone(), *offline)?;
            let options = eosin::crates::hub::HubOptions { insecure: *insecure, ..options };
            fetch(configs, names, &options, bars)
        }
    }
}

fn list(cards: &[Card], here: &[bool], engines: &[Vec<String>], json: bool) -> Result<Outcome> {
    if json {
        let all: Vec<serde_json::Value> = cards
            .iter()
            .zip(here.iter().zip(engines))
            .map(|(card, (here, engines))| {
                serde_json::json!({
                    "name": card.name, "family": card.family, "input_px": card.input_px,
                    "dim": card.dim, "licence": card.licence, "installed": here,
                    "engines": engines, "summary": card.summary,
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(Outcome::Done);
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(["backbone", "family", "px", "dim", "weights", "engine", "licence", ""]);
    for (card, (here, engines)) in cards.iter().zip(here.iter().zip(engines)) {
        table.add_row([
            card.name.clone(),
            card.family.clone(),
            card.input_px.to_string(),
            card.dim.to_string(),
            if *here { "here".into() } else { "–".to_string() },
            engines.first().map_or("–", String::as_str).to_string(),
            licence(card),
            card.summary.clone(),
        ]);
    }
    println!("{table}");
    Ok(Outcome::Done)
}

/// The licence, marked where it forbids commercial use or nobody knows.
fn licence(card: &Card) -> String {
    let mark = if card.licence.is_commercial() { "" } else { " (not commercial)" };
    format!("{}{mark}", card.licence.name)
}

fn show(card: &Card, json: bool) -> Result<Outcome> {
    if json {
        println!("{}", serde_json::to_string_pretty(card)?);
    } else {
        print!("{}", toml::to_string_pretty(card)?);
    }
    Ok(Outcome::Done)
}

/// Compares a card's weights with its architecture where that is one of ours, and opens it as
/// embedding would, on the first engine of the registry that serves it.
fn check(card: &Card, weights: Option<&Path>, json: bool, registry: &Registry) -> Result<Outcome> {
    let places = places(weights);
    let weights = find_weights(card, &places);
    let options = LoadOptions { weights: weights.clone(), ..LoadOptions::default() };
    let report =
        if has_family(card) { check_weights(card, &options)? } else { TensorReport::default() };
    if report.is_sound() {
        open_card(registry, card, &EngineConfig::default(), &places)?;
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        let lists = [
            ("missing", &report.missing),
            ("mis-shaped", &report.mis_shaped),
            ("unused", &report.unused),
        ];
        for (kind, names) in lists {
            for name in names {
                println!("{kind:10} {name}");
            }
        }
        let file = weights.map_or_else(|| "its weights".into(), |path| path.display().to_string());
        let verdict = if report.is_sound() { "fit" } else { "do not fit" };
        println!("{}: {file} {verdict}; licence {}", card.name, licence(card));
    }
    if report.is_sound() {
        return Ok(Outcome::Done);
    }
    Err(Error::data(
        card.name.as_str(),
        "exactly the tensors of the card's architecture",
        report.to_string(),
        "check the card's family and architecture against the weights",
    )
    .into())
}

/// Where the hub is and who asks, from arguments and the variables of the hub's Python client.
#[cfg(feature = "hub")]
fn hub_options(
    hub: Option<String>,
    cache: Option<std::path::PathBuf>,
    offline: bool,
) -> Result<eosin::crates::hub::HubOptions> {
    use super::{hub_cache, hub_home, variable};
    let cache = cache.or_else(hub_cache);
    let cache = cache.ok_or_else(|| anyhow::anyhow!("no home folder: name one by --cache"))?;
    let token_file = || std::fs::read_to_string(hub_home()?.join("token")).ok();
    let token = variable("HF_TOKEN").or_else(token_file).map(|token| token.trim().to_string());
    let is_on =
        |value: String| !["0", "false", "no", "off"].contains(&value.to_lowercase().as_str());
    Ok(eosin::crates::hub::HubOptions {
        endpoint: hub.or_else(|| variable("HF_ENDPOINT")),
        token: token.filter(|token| !token.is_empty()),
        offline: offline || variable("HF_HUB_OFFLINE").is_some_and(is_on),
        proxy: variable("HTTPS_PROXY").or_else(|| variable("https_proxy")),
        ..eosin::crates::hub::HubOptions::new(cache)
    })
}

#[cfg(feature = "hub")]
fn fetch(
    configs: &Path,
    names: &[String],
    options: &eosin::crates::hub::HubOptions,
    bars: &Bars,
) -> Result<Outcome> {
    use eosin::crates::core::WeightsSource;
    use eosin::crates::hub::{Hub, Wanted};
    let hub = Hub::new(options.clone())?;
    for name in names {
        let card = find_card(configs, name)?;
        let WeightsSource::Hub { repo, file, revision, sha256, .. } = &card.weights else {
            println!(
                "{}: its weights are not on a hub; see `eosin backbone show {name}`",
                card.name
            );
            continue;
        };
        let wanted = Wanted { repo, revision, file: file.as_deref(), sha256: sha256.as_deref() };
        let fetched = hub.fetch(&wanted, bars)?;
        let megabytes = fetched.n_bytes as f64 / 1e6;
        println!(
            "{}: {} ({megabytes:.1} MB fetched, commit {})",
            card.name,
            fetched.path.display(),
            fetched.commit
        );
        println!("  licence {}", licence(&card));
        // As they stand in a card that pins them.
        println!("  revision = \"{}\"", fetched.commit);
        println!("  sha256 = \"{}\"", fetched.sha256);
    }
    Ok(Outcome::Done)
}

/// The cards of the program and those in `configs/backbone/`, which take the place of those of the
/// same name.
pub fn cards(configs: &Path) -> Result<Vec<Card>> {
    let mut cards = builtin_cards()?;
    let mut files: Vec<_> = std::fs::read_dir(configs.join("backbone"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    for file in files {
        let card = read_card(&file)?;
        match cards.iter_mut().find(|known| known.name == card.name) {
            Some(known) => *known = card,
            None => cards.push(card),
        }
    }
    Ok(cards)
}
