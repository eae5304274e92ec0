// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::Result;
use comfy_table::{Table, presets};
use eosin::crates::backbone::{EngineCheck, doctor_with};
use eosin::crates::core::{Card, Error};
use eosin::{EngineConfig, Registry, find_card, is_installed, open_card, serving};

use super::backbone::cards;
use super::places;
use crate::arguments::DoctorArguments;
use crate::exit::Outcome;

/// `eosin doctor`.
pub fn doctor(arguments: &DoctorArguments, registry: &Registry) -> Result<Outcome> {
    let places = places(arguments.weights.as_deref());
    let mut chosen = Vec::new();
    for name in &arguments.names {
        chosen.push(find_card(&arguments.configs, name)?);
    }
    if arguments.names.is_empty() {
        chosen = cards(&arguments.configs)?;
        chosen.retain(|card| is_installed(card, &places));
    }
    let mut found = Vec::new();
    for card in &chosen {
        let open = |card: &Card, engine: &str| {
            let engine = EngineConfig { kind: engine.into(), ..EngineConfig::default() };
            open_card(registry, card, &engine, &places)
        };
        let mut engines = arguments.engine.clone();
        if engines.is_empty() {
            engines = serving(registry, card, &places);
            let lacking = registry.backbones.names_compiled_out();
            engines.extend(lacking.into_iter().map(str::to_string));
        }
        let engines: Vec<&str> = engines.iter().map(String::as_str).collect();
        found.push((card.name.clone(), doctor_with(card, &engines, open)));
    }
    if arguments.json {
        print_json(&found)?;
    } else {
        print_table(&found);
    }
    // An engine that is not there is told and no fault; one that runs and disagrees is.
    let n_wrong = found.iter().flat_map(|(_, checks)| checks).filter(|c| is_wrong(c)).count();
    Ok(Outcome::of(n_wrong))
}

fn is_wrong(check: &EngineCheck) -> bool {
    match &check.outcome {
        Ok(report) => !report.agrees,
        Err(error) => matches!(error, Error::Data { .. }),
    }
}

fn print_table(found: &[(String, Vec<EngineCheck>)]) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
        "backbone",
        "engine",
        "",
        "cosine",
        "difference",
        "compared with",
        "tiles/s",
        "memory",
    ]);
    let mut advice = Vec::new();
    for (card, check) in found.iter().flat_map(|(card, all)| all.iter().map(move |c| (card, c))) {
        match &check.outcome {
            Ok(report) => {
                table.add_row([
                    card.clone(),
                    report.device.clone(),
                    if report.agrees { "agrees".into() } else { "DIFFERS".to_string() },
                    format!("{:.7}", report.cosine),
                    format!("{:.1e}", report.max_difference),
                    report.reference.clone(),
                    format!("{:.1}", report.tiles_per_second),
                    report.memory.map_or("–".into(), |b| format!("{:.0} MB", b as f64 / 1e6)),
                ]);
                if !report.agrees {
                    advice.push(format!(
                        "{card} on {}: use another engine for it, and report this table",
                        check.engine
                    ));
                }
            }
            // What this build does not have is the same for every card.
            Err(error @ Error::Unsupported { .. }) => {
                advice.push(format!("{error}\n  hint: {}", error.hint()));
            }
            Err(error) => {
                let engine = &check.engine;
                advice.push(format!("{card} on {engine}: {error}\n  hint: {}", error.hint()));
            }
        }
    }
    let mut told = std::collections::BTreeSet::new();
    advice.retain(|line| told.insert(line.clone()));
    println!("{table}");
    for line in advice {
        println!("{line}");
    }
}

fn print_json(found: &[(String, Vec<EngineCheck>)]) -> Result<()> {
    let one = |card: &str, check: &EngineCheck| match &check.outcome {
        Ok(report) => serde_json::json!({
            "backbone": card, "engine": check.engine, "device": report.device,
            "agrees": report.agrees, "cosine": report.cosine,
            "max_difference": report.max_difference, "reference": report.reference,
            "tiles_per_second": report.tiles_per_second, "memory_bytes": report.memory,
        }),
        Err(error) => serde_json::json!({
            "backbone": card, "engine": check.engine, "error": error.to_string(),
            "hint": error.hint(),
        }),
    };
    let all: Vec<serde_json::Value> =
        found.iter().flat_map(|(card, checks)| checks.iter().map(|c| one(card, c))).collect();
    println!("{}", serde_json::to_string_pretty(&all)?);
    Ok(())
}
