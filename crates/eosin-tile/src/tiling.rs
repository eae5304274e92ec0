// SPDX-License-Identifier: MIT OR Apache-2.0

//! A grid of tiles over a slide, defined in micrometres.

use eosin_core::{Error, Mpp, Result, RgbImage, Tile, TileMeta, TileSource, TileUm};
use serde::{Deserialize, Serialize};

use crate::resample::{Filter, PixelBox, resize_box};
use crate::slide::{DEFAULT_CACHE_BYTES, READER_VERSION, Slide};
use crate::tissue::{TissueMask, TissueOptions, tissue_of_slide};

/// Which tiles are cut from a slide. The grid itself has no default: its resolution is what the
/// backbone was trained at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TilingOptions {
    /// Side of a tile in µm.
    pub tile_um: TileUm,
    /// Side of a tile in pixels; together with `tile_um` it is the requested resolution.
    pub tile_px: u32,
    /// The share of a tile's side that the next tile repeats, from 0 to below 1.
    #[serde(default)]
    pub overlap: f64,
    /// Tiles with less tissue are left out. At 0 all are kept and no mask is made.
    #[serde(default)]
    pub min_tissue: f64,
    /// How tissue is found.
    #[serde(default)]
    pub tissue: TissueOptions,
    /// Resolution of level 0, for slides that do not say it; it goes before what they say.
    #[serde(default)]
    pub mpp: Option<Mpp>,
    /// Filter from level to tile.
    #[serde(default)]
    pub filter: Filter,
    /// A level whose resolution is within this share of the requested one is cut without
    /// resampling, and the tile's effective resolution is the level's. At 0 every tile is exact.
    #[serde(default)]
    pub mpp_tolerance: f64,
    /// How many times finer than level 0 the requested resolution may be.
    #[serde(default = "default_upsampling")]
    pub max_upsampling: f64,
    /// Memory for decoded pieces, in MiB.
    #[serde(default = "default_cache_mib")]
    pub cache_mib: u32,
}

/// The tiles of one slide, row by row from the top.
#[derive(Debug)]
pub struct SlideSource {
    slide: Slide,
    options: TilingOptions,
    plan: Plan,
    mask: Option<TissueMask>,
    metas: Vec<TileMeta>,
}

/// What all tiles of a slide have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plan {
    level: usize,
    /// Level pixels per level-0 pixel, by axis.
    scale: (f64, f64),
    /// Side of a tile in level-0 pixels.
    side: f64,
    /// Whether tiles are cut without resampling.
    native: bool,
    effective: Mpp,
}

/// Tiles of a slide beyond which the grid is taken for a mistake.
const MAX_TILES: u64 = 20_000_000;

/// Sides of a tile in pixels.
const TILE_PX: std::ops::RangeInclusive<u32> = 1..=4096;

impl TilingOptions {
    /// Tiles of `tile_um` a side at `tile_px`, side by side, with bilinear resampling.
    pub fn new(tile_um: TileUm, tile_px: u32) -> Self {
        Self {
            tile_um,
            tile_px,
            overlap: 0.0,
            min_tissue: 0.0,
            tissue: TissueOptions::default(),
            mpp: None,
            filter: Filter::Bilinear,
            mpp_tolerance: 0.0,
            max_upsampling: default_upsampling(),
            cache_mib: default_cache_mib(),
        }
    }

    /// The requested resolution.
    pub fn requested_mpp(&self) -> Result<Mpp> {
        self.tile_um.mpp(self.tile_px)
    }

    /// How the resolution is met, for the contract.
    pub fn mpp_policy(&self) -> String {
        if self.mpp_tolerance > 0.0 {
            format!("native within {} else exact {}", self.mpp_tolerance, self.filter)
        } else {
            format!("exact {}", self.filter)
        }
    }

    fn validate(&self) -> Result<()> {
        let fault = |key: &str, expected: &str, found: String| {
            Err(Error::input(format!("tiling {key}"), expected, found, "change the value"))
        };
        if !TILE_PX.contains(&self.tile_px) {
            return fault("tile_px", "1 to 4096", self.tile_px.to_string());
        }
        if !(0.0..=0.95).contains(&self.overlap) {
            return fault("overlap", "0 to 0.95 of a tile's side", self.overlap.to_string());
        }
        if !(0.0..=1.0).contains(&self.min_tissue) {
            return fault("min_tissue", "0 to 1", self.min_tissue.to_string());
        }
        if !(0.0..=0.5).contains(&self.mpp_tolerance) {
            return fault("mpp-tolerance", "0 to 0.5", self.mpp_tolerance.to_string());
        }
        if !(1.0..=16.0).contains(&self.max_upsampling) {
            return fault("max-upsampling", "1 to 16", self.max_upsampling.to_string());
        }
        Ok(())
    }
}

impl SlideSource {
    /// Opens a slide and lays the grid over it.
    ///
    /// Only whole tiles are kept. A slide without a resolution is an error unless the options give
    /// one: a nominal magnification is never taken for it.
    pub fn open(path: impl AsRef<std::path::Path>, options: &TilingOptions) -> Result<Self> {
        options.validate()?;
        let slide = Slide::with_cache(path, (options.cache_mib as usize) << 20)?;
        let Some(mpp) = options.mpp.or(slide.mpp()) else {
            return Err(Error::input(
                format!("resolution of {}", slide.path().display()),
                "µm per pixel in the slide's headers",
                "none",
                "give it with --mpp, for example --mpp 0.25 for most 40x scans",
            ));
        };
        let plan = Plan::new(&slide, mpp, options)?;
        let mask = if options.min_tissue > 0.0 {
            Some(tissue_of_slide(&slide, &options.tissue)?)
        } else {
            None
        };
        let metas = grid(&slide, &plan, mask.as_ref(), options)?;
        Ok(Self { slide, options: options.clone(), plan, mask, metas })
    }

    /// The slide.
    pub fn slide(&self) -> &Slide {
        &self.slide
    }

    /// The options that the grid was laid by.
    pub fn options(&self) -> &TilingOptions {
        &self.options
    }

    /// The tissue mask, where one was asked for.
    pub fn mask(&self) -> Option<&TissueMask> {
        self.mask.as_ref()
    }

    /// The level that tiles are cut from.
    pub fn level(&self) -> usize {
        self.plan.level
    }

    /// By which share the pixels' resolution differs from the requested one; 0 unless a tolerance
    /// was given.
    pub fn mpp_residual(&self) -> f64 {
        let requested = self.options.tile_um.get() / f64::from(self.options.tile_px);
        self.plan.effective.get() / requested - 1.0
    }

    fn cut(&self, meta: &TileMeta) -> Result<RgbImage> {
        let Plan { level, scale, side, native, .. } = self.plan;
        let px = self.options.tile_px;
        let (left, top) = (meta.x as f64 * scale.0, meta.y as f64 * scale.1);
        // A box on whole pixels is a copy under every filter.
        let whole = |v: f64| (v - v.round()).abs() < 1e-9;
        let copies = |len: f64| (len - f64::from(px)).abs() < 1e-9;
        let aligned = whole(left) && whole(top) && copies(side * scale.0) && copies(side * scale.1);
        if native || aligned {
            return self.slide.read_region(level, left.round() as i64, top.round() as i64, px, px);
        }
        let Some(shape) = self.slide.levels().get(level) else {
            return Err(Error::input(
                "level",
                "one of the slide",
                level.to_string(),
                "open it again",
            ));
        };
        let (right, bottom) = (left + side * scale.0, top + side * scale.1);
        // The filter sees this much around the box when it scales down.
        let reach = |len: f64| {
            (self.options.filter.support() * (len / f64::from(px)).max(1.0)).ceil() + 1.0
        };
        let (reach_x, reach_y) = (reach(right - left), reach(bottom - top));
        let (width, height) = (f64::from(shape.width), f64::from(shape.height));
        let (right, bottom) = (right.min(width), bottom.min(height));
        let (x0, y0) = ((left - reach_x).floor().max(0.0), (top - reach_y).floor().max(0.0));
        let (x1, y1) = ((right + reach_x).ceil().min(width), (bottom + reach_y).ceil().min(height));
        let region = self.slide.read_region(
            level,
            x0 as i64,
            y0 as i64,
            (x1 - x0) as u32,
            (y1 - y0) as u32,
        )?;
        let part = PixelBox { x0: left - x0, y0: top - y0, x1: right - x0, y1: bottom - y0 };
        resize_box(&region, part, px, px, self.options.filter)
    }
}

impl TileSource for SlideSource {
    fn kind(&self) -> &'static str {
        "slide"
    }

    fn reader_version(&self) -> &'static str {
        READER_VERSION
    }

    fn tiles(&self) -> &[TileMeta] {
        &self.metas
    }

    fn read(&self, index: usize) -> Result<Tile> {
        let Some(meta) = self.metas.get(index) else {
            return Err(Error::input(
                "tile index",
                format!("a number below {}", self.metas.len()),
                index.to_string(),
                "ask the source for its tiles first",
            ));
        };
        Ok(Tile { meta: meta.clone(), image: self.cut(meta)? })
    }
}

impl Plan {
    /// The coarsest level that is at least as fine as requested; level 0 if none is.
    fn new(slide: &Slide, mpp: Mpp, options: &TilingOptions) -> Result<Self> {
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

fn grid(
    slide: &Slide,
    plan: &Plan,
    mask: Option<&TissueMask>,
    options: &TilingOptions,
) -> Result<Vec<TileMeta>> {
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
                source_digest: slide.digest().to_string(),
            });
        }
    }
    Ok(metas)
}

fn default_upsampling() -> f64 {
    1.5
}

fn default_cache_mib() -> u32 {
    (DEFAULT_CACHE_BYTES >> 20) as u32
}
