// SPDX-License-Identifier: MIT OR Apache-2.0

//! Writes the demo's tiles and manifest; their labels are made, not annotated.

use std::path::PathBuf;
use std::process::ExitCode;

use eosin_core::{Error, Result};
use eosin_testkit::demo;
use eosin_tile::SlideSource;

const USAGE: &str = "demo-data --config configs/demo/tiles.toml --slide SLIDE --out DIR";

fn main() -> ExitCode {
    match run() {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!("hint: {}", error.hint());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<demo::Summary> {
    let [config, slide, out] = paths()?;
    let config = demo::DemoConfig::read(&config)?;
    let source = SlideSource::open(slide, &config.tiling()?)?;
    demo::write(&demo::plan(&source, &config)?, &config, &out)
}

fn paths() -> Result<[PathBuf; 3]> {
    let flags = ["--config", "--slide", "--out"];
    let mut found: [Option<PathBuf>; 3] = [const { None }; 3];
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let at = flags.iter().position(|f| *f == argument);
        match (at, arguments.next()) {
            (Some(at), Some(value)) => found[at] = Some(PathBuf::from(value)),
            _ => return Err(usage(argument)),
        }
    }
    match found {
        [Some(config), Some(slide), Some(out)] => Ok([config, slide, out]),
        _ => Err(usage("a flag missing".into())),
    }
}

fn usage(found: String) -> Error {
    Error::input("arguments", USAGE, found, "give all three flags, each with a path")
}
