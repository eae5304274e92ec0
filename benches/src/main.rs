// SPDX-License-Identifier: MIT OR Apache-2.0

//! Measures Eosin against its peers, every contender taking turns in one run.
//!
//! `cargo xtask bench` builds and calls it; `benches/README.md` describes the files it writes.

mod embed;
mod heads;
mod networks;
mod peer;
mod pipeline;
mod select;
mod speed;
mod store;
mod table;
mod tiles;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
#[command(after_help = "Examples:
  eosin-bench heads --size 2000x384 --out heads.json
  eosin-bench speed --quick --out speed.json
  eosin-bench speed --data DIR --label label --group group --tiles 240 --epochs 6 --out speed.json")]
struct Options {
    /// What to measure.
    #[arg(value_parser = ["embed", "heads", "memory", "pipeline", "select", "speed", "store", "tiles"])]
    name: String,
    /// The peers' Python.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// The peers' script.
    #[arg(long, default_value = "peer.py")]
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
    /// embed: also the networks that take gigabytes.
    #[arg(long)]
    large: bool,
    /// embed, pipeline: only these networks.
    #[arg(long, value_delimiter = ',')]
    models: Vec<String>,
    /// embed: only these batch sizes.
    #[arg(long, value_delimiter = ',')]
    batches: Vec<usize>,
    /// embed: only these numbers of threads.
    #[arg(long, value_delimiter = ',')]
    threads: Vec<usize>,
    /// Keep the cases of an earlier run that this one does not measure again.
    #[arg(long)]
    merge: bool,
    /// heads: only this size, such as 2000x384.
    #[arg(long)]
    size: Option<String>,
    /// heads: only the cases whose name starts so.
    #[arg(long)]
    case: Option<String>,
    /// heads: seconds per repeat and case after which a peer's heads are no longer timed.
    #[arg(long, default_value_t = 20.0)]
    budget: f64,
    #[command(flatten)]
    speed: speed::SpeedOptions,
}

fn main() -> Result<()> {
    // The store's bench starts itself as a process of its own, whose memory it measures.
    let arguments: Vec<_> = std::env::args_os().collect();
    if let [_, flag, folder] = &arguments[..]
        && flag == "--stream"
    {
        return store::stream(folder.as_ref());
    }
    let options = Options::parse();
    let measurements = match options.name.as_str() {
        "memory" => return embed::print_memory(&options),
        "embed" => embed::measure(&options)?,
        "pipeline" => pipeline::measure(&options)?,
        "select" => select::measure(&options)?,
        "speed" => speed::measure(&options)?,
        "store" => store::measure(&options)?,
        "tiles" => tiles::measure(&options)?,
        _ => heads::measure(&options)?,
    };
    print!("{}", table::text(&measurements));
    let kept = if options.merge { table::read(&options.out)? } else { Vec::new() };
    let measurements = table::merged(kept, measurements);
    std::fs::write(&options.out, serde_json::to_string_pretty(&measurements)?)?;
    Ok(())
}
