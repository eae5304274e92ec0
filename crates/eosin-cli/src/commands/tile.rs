// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::Result;
use eosin::Overview;
use eosin::crates::core::TileSource;

use super::{tell_skipped, tiling};
use crate::arguments::TileArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin tile`.
pub fn tile(arguments: &TileArguments, bars: &Bars) -> Result<Outcome> {
    let tiling = tiling(&arguments.grid)?;
    let overview = Overview {
        preview: arguments.preview.clone(),
        mask: arguments.mask.clone(),
        contours: arguments.contours.clone(),
    };
    if arguments.dry_run {
        for slide in &arguments.slides {
            let source = eosin::open_slide(slide, &tiling)?;
            let mpp = tiling.requested_mpp()?.get();
            let n_tiles = source.tiles().len();
            println!("{}: {n_tiles} tiles at {mpp:.4} µm/px", slide.display());
        }
        return Ok(Outcome::Done);
    }
    if !overview.is_empty() {
        for path in eosin::draw(&arguments.slides, &tiling, &overview)? {
            println!("{}", path.display());
        }
    }
    let Some(out) = &arguments.out else { return Ok(Outcome::Done) };
    let outcome = eosin::cut(&arguments.slides, &tiling, out, bars)?;
    tell_skipped(&outcome.skipped);
    println!("{} tiles, {}", outcome.n_tiles, outcome.manifest.display());
    Ok(Outcome::of(outcome.skipped.len()))
}
