// SPDX-License-Identifier: MIT OR Apache-2.0

use anyhow::Result;
use eosin::crates::core::TileSource;
use eosin::crates::tile::TilingOptions;
use eosin::{CutOptions, Overview, RefusedSlide, Registry};

use super::{tell_skipped, tiling};
use crate::arguments::TileArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin tile`.
pub fn tile(arguments: &TileArguments, registry: &Registry, bars: &Bars) -> Result<Outcome> {
    let tiling = tiling(&arguments.grid)?;
    let overview = Overview {
        preview: arguments.preview.clone(),
        mask: arguments.mask.clone(),
        contours: arguments.contours.clone(),
    };
    if arguments.dry_run {
        return dry_run(arguments, &tiling, registry);
    }
    if !overview.is_empty() {
        for path in eosin::draw(&arguments.slides, &tiling, &overview, registry)? {
            println!("{}", path.display());
        }
    }
    let Some(out) = &arguments.out else { return Ok(Outcome::Done) };
    let options = CutOptions { tiling: &tiling, out, replace: arguments.replace, registry };
    let outcome = eosin::cut(&arguments.slides, &options, bars)?;
    tell_refused(&outcome.refused, arguments.slides.len());
    tell_skipped(&outcome.skipped);
    println!("{} tiles, {}", outcome.n_tiles, outcome.manifest.display());
    Ok(Outcome::of(outcome.skipped.len() + outcome.refused.len()))
}

fn dry_run(
    arguments: &TileArguments,
    tiling: &TilingOptions,
    registry: &Registry,
) -> Result<Outcome> {
    let (mut refused, mut first) = (Vec::new(), None);
    let mpp = tiling.requested_mpp()?.get();
    for slide in &arguments.slides {
        match eosin::open_slide(slide, tiling, registry) {
            Ok(source) => {
                let n_tiles = source.tiles().len();
                println!("{}: {n_tiles} tiles at {mpp:.4} µm/px", slide.display());
            }
            Err(error) => {
                refused.push(RefusedSlide::new(slide, &error));
                first.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first.filter(|_| refused.len() == arguments.slides.len()) {
        return Err(error.into());
    }
    if let Some(out) = &arguments.out {
        let options = CutOptions { tiling, out, replace: arguments.replace, registry };
        eosin::check_cut_folder(&arguments.slides, &options)?;
    }
    tell_refused(&refused, arguments.slides.len());
    Ok(Outcome::of(refused.len()))
}

/// Names the slides that could not be read, with the reason of each.
fn tell_refused(refused: &[RefusedSlide], n_slides: usize) {
    if refused.is_empty() {
        return;
    }
    eprintln!("{} of {n_slides} slides could not be read:", refused.len());
    for slide in refused {
        eprintln!("  {}: {}", slide.slide.display(), slide.reason);
    }
}
