// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Mpp, Result, TileMeta};

use super::TilingOptions;
use crate::geometry::Region;
use crate::slide::Slide;
use crate::tissue::TissueMask;

/// What all tiles of a slide have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) level: usize,
    /// Level pixels per level-0 pixel, by axis.
    pub(super) scale: (f64, f64),
    /// Side of a tile in level-0 pixels.
    pub(super) side: f64,
    /// Whether tiles are cut without resampling.
    pub(super) native: bool,
    pub(super) effective: Mpp,
}

/// Tiles of a slide beyond which the grid is taken for a mistake.
const MAX_TILES: u64 = 20_000_000;

impl Plan {
    /// The coarsest level that is at least as fine as requested; level 0 if none is.
    pub(super) fn new(slide: &Slide, mpp: Mpp, options: &TilingOptions) -> Result<Self> {
        let requested = options.requested_mpp()?.get();
        if mpp.get() > requested * options.max_upsampling {
            return Err(Error::input(
                format!("resolution of {}", slide.path().display()),
                format!("at most {} µm per pixel", requested * options.max_upsampling),
                mpp.get().to_string(),
                "ask for coarser tiles (a larger tile_um), or raise max_upsampling knowing that it invents pixels",
            ));
        }
        let tolerance = options.mpp_tolerance.max(1e-6);
        let fine_enough = |d: f64| mpp.get() * d <= requested * (1.0 + tolerance);
        let level = slide.levels().iter().rposition(|l| fine_enough(l.downsample)).unwrap_or(0);
        let (width, height) = slide.size();
        let Some(shape) = slide.levels().get(level) else {
            return Err(Error::data(slide.path(), "at least one level", "none", "copy it again"));
        };
        let scale = (
            f64::from(shape.width) / f64::from(width),
            f64::from(shape.height) / f64::from(height),
        );
        let level_mpp = mpp.get() * shape.downsample;
        let native = options.mpp_tolerance > 0.0
            && (level_mpp / requested - 1.0).abs() <= options.mpp_tolerance;
        let effective = if native { level_mpp } else { requested };
        let side = if native {
            f64::from(options.tile_px) * shape.downsample
        } else {
            options.tile_um.get() / mpp.get()
        };
        Ok(Self { level, scale, side, native, effective: Mpp::new(effective)? })
    }
}

/// The tiles that lie whole on the slide, far enough in the region and on enough tissue.
pub(super) fn grid(
    slide: &Slide,
    plan: &Plan,
    mask: Option<&TissueMask>,
    region: Option<&Region>,
    options: &TilingOptions,
) -> Result<Vec<TileMeta>> {
    let digest = slide.digest_of(options.verify)?;
    let (width, height) = slide.size();
    let step = plan.side * (1.0 - options.overlap);
    // A hair of a pixel, so that rounding does not lose a tile that fits exactly.
    let n_along =
        |len: u32| ((f64::from(len) - plan.side + 1e-6) / step + 1.0).floor().max(0.0) as u64;
    let (n_columns, n_rows) = (n_along(width), n_along(height));
    if n_columns.saturating_mul(n_rows) > MAX_TILES {
        return Err(Error::input(
            "tiling",
            format!("at most {MAX_TILES} tiles a slide"),
            format!("{n_columns} × {n_rows}"),
            "take larger tiles or less overlap",
        ));
    }
    let requested = options.requested_mpp()?;
    let size = plan.side.round() as u32;
    let mut metas = Vec::new();
    for row in 0..n_rows {
        for column in 0..n_columns {
            // Down, so that the last tile never leaves the slide by rounding; a hair above, so
            // that a whole number stays one.
            let at = |i: u64| (i as f64 * step + 1e-6).floor();
            let (x, y) = (at(column), at(row));
            let covered = region.map_or(1.0, |region| region.fraction(x, y, plan.side, plan.side));
            if covered < options.min_roi {
                continue;
            }
            let tissue = mask.map_or(1.0, |mask| mask.fraction(x, y, plan.side, plan.side));
            if tissue < options.min_tissue {
                continue;
            }
            metas.push(TileMeta {
                tile_id: format!("{}:{x}:{y}:{size}", slide.stem()),
                slide: slide.stem().to_string(),
                group: slide.stem().to_string(),
                centre: None,
                scanner: None,
                x: x as i64,
                y: y as i64,
                size_level0_px: size,
                requested_mpp: Some(requested),
                effective_mpp: Some(plan.effective),
                tissue_fraction: tissue as f32,
                source: slide.source().to_string(),
                source_digest: digest.clone(),
            });
        }
    }
    Ok(metas)
}
