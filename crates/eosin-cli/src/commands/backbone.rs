// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use anyhow::Result;
use comfy_table::{Table, presets};
use eosin::crates::backbone::{Card, builtin_cards};

use crate::arguments::BackboneArguments;
use crate::exit::Outcome;

/// `eosin backbone`.
pub fn backbone(arguments: &BackboneArguments) -> Result<Outcome> {
    let cards = cards(&arguments.configs)?;
    if let Some(name) = &arguments.name {
        let card = match cards.iter().find(|card| card.name == *name) {
            Some(card) => card.clone(),
            None => Card::builtin(name)?,
        };
        print!("{}", toml::to_string_pretty(&card)?);
        return Ok(Outcome::Done);
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(["backbone", "family", "px", "dim", "licence", ""]);
    for card in &cards {
        table.add_row([
            card.name.clone(),
            card.family.clone(),
            card.input_px.to_string(),
            card.dim.to_string(),
            card.licence.name.clone(),
            card.summary.clone(),
        ]);
    }
    println!("{table}");
    Ok(Outcome::Done)
}

/// The cards of the program and those in `configs/backbone/`, each name once.
fn cards(configs: &Path) -> Result<Vec<Card>> {
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
        let card = Card::read(&file)?;
        if !cards.iter().any(|known| known.name == card.name) {
            cards.push(card);
        }
    }
    Ok(cards)
}
