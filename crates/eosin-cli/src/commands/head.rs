// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::{Context, Result};
use eosin::crates::head::{card, load_head};

use crate::arguments::{HeadArguments, HeadCommand};
use crate::exit::Outcome;

/// `eosin head`.
pub fn head(arguments: &HeadArguments) -> Result<Outcome> {
    match &arguments.command {
        HeadCommand::Card { head, out } => {
            let text = card(&load_head(head)?);
            match out {
                Some(path) => std::fs::write(path, text)
                    .with_context(|| format!("cannot write {}", path.display()))?,
                None => print!("{text}"),
            }
        }
    }
    Ok(Outcome::Done)
}
