// SPDX-License-Identifier: MIT OR Apache-2.0

//! Measures Eosin against its peers, every contender taking turns in one run.
//!
//! `cargo xtask bench` builds and calls it; `benches/README.md` describes the files it writes.

mod embed;
mod heads;
mod peer;
mod table;
mod tiles;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
struct Options {
    /// What to measure.
    #[arg(value_parser = ["embed", "heads", "tiles"])]
    name: String,
    /// The peers' Python.
    #[arg(long)]
    python: PathBuf,
    /// The peers' script.
    #[arg(long)]
    peer: PathBuf,
    /// The JSON file to write.
    #[arg(long)]
    out: PathBuf,
    /// How often every contender runs.
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// A smaller size of the same work.
    #[arg(long)]
    quick: bool,
    /// Only the heads of this size, such as 2000x384.
    #[arg(long)]
    size: Option<String>,
    /// Only the case of heads whose name starts so.
    #[arg(long)]
    case: Option<String>,
    /// Seconds per repeat and case after which a peer's heads are no longer timed.
    #[arg(long, default_value_t = 20.0)]
    budget: f64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let measurements = match options.name.as_str() {
        "embed" => embed::measure(&options)?,
        "tiles" => tiles::measure(&options)?,
        _ => heads::measure(&options)?,
    };
    print!("{}", table::text(&measurements));
    std::fs::write(&options.out, serde_json::to_string_pretty(&measurements)?)?;
    Ok(())
}
