// SPDX-License-Identifier: MIT OR Apache-2.0

//! A grid of tiles over a slide, defined in micrometres.

mod options;
mod plan;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use eosin_core::{Error, Mpp, Result, RgbImage, SlideReader, Tile, TileMeta, TileSource};

pub use options::TilingOptions;
use plan::{Plan, grid};

use crate::geometry::{Region, read_region};
use crate::icc::ToSrgb;
use crate::left_out;
use crate::mpp_table::mpp_of_slide;
use crate::resample::PixelBox;
use crate::slide::Slide;
use crate::stain::{StainFit, StainNormalization};
use crate::tissue::{TissueMask, tissue_of_slide};

/// The tiles of one slide, row by row from the top.
#[derive(Debug)]
pub struct SlideSource {
    slide: Slide,
    options: TilingOptions,
    plan: Plan,
    mask: Option<TissueMask>,
    metas: Vec<TileMeta>,
    /// Where it is asked for and the slide has a profile.
    to_srgb: Option<ToSrgb>,
    /// Fitted when the first tile is read, so that laying the grid decodes nothing.
    stain: OnceLock<Result<StainFit, String>>,
}

/// Tiles that a stain is fitted to, evenly over the slide.
const STAIN_TILES: usize = 24;

impl SlideSource {
    /// Opens a slide and lays the grid over it.
    ///
    /// Only whole tiles are kept. A slide without a resolution is an error unless the options give
    /// one: a nominal magnification is never taken for it.
    pub fn open(path: impl AsRef<Path>, options: &TilingOptions) -> Result<Self> {
        Self::open_with(path, options, &[])
    }

    /// As [`SlideSource::open`], with plugins for formats that the built-in reader leaves out.
    pub fn open_with(
        path: impl AsRef<Path>,
        options: &TilingOptions,
        readers: &[Arc<dyn SlideReader>],
    ) -> Result<Self> {
        options.validate()?;
        let cache_bytes = (options.cache_mib as usize) << 20;
        let slide = Slide::open_with(path, &options.reader, readers, cache_bytes)?;
        let mpp = resolution(&slide, options)?;
        let plan = Plan::new(&slide, mpp, options)?;
        let region = region(&slide, options)?;
        let mask = if options.min_tissue > 0.0 {
            Some(tissue_of_slide(&slide, &options.tissue)?)
        } else {
            None
        };
        let metas = grid(&slide, &plan, mask.as_ref(), region.as_ref(), options)?;
        let to_srgb = if options.icc { to_srgb(&slide)? } else { None };
        let stain = OnceLock::new();
        Ok(Self { slide, options: options.clone(), plan, mask, metas, to_srgb, stain })
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

    /// Whether tiles are converted to sRGB; where it was asked for, a slide without a profile is the
    /// only one whose tiles are not.
    pub fn is_converted(&self) -> bool {
        self.to_srgb.is_some()
    }

    /// What the stain of this slide was found to be, by the method of the options.
    pub fn stain(&self) -> Result<StainFit> {
        let method = self.options.stain;
        if method == StainNormalization::None {
            return Ok(StainFit::None);
        }
        let fit = || {
            let stride = self.metas.len().div_ceil(STAIN_TILES).max(1);
            let images = self.metas.iter().step_by(stride).map(|meta| self.cut(meta));
            let images = images.collect::<Result<Vec<_>>>().map_err(|e| e.to_string())?;
            method.fit(&images).map_err(|e| e.to_string())
        };
        self.stain.get_or_init(fit).clone().map_err(|found| {
            Error::data(
                self.slide.path(),
                format!("a slide whose stain {} can be fitted to", method.name()),
                found,
                "leave the stain as it is with --stain none, or raise --min-tissue",
            )
        })
    }

    fn cut(&self, meta: &TileMeta) -> Result<RgbImage> {
        let mut image = self.cut_stored(meta)?;
        if let Some(to_srgb) = &self.to_srgb {
            to_srgb.apply(&mut image)?;
        }
        Ok(image)
    }

    /// The tile in the colours of the file.
    fn cut_stored(&self, meta: &TileMeta) -> Result<RgbImage> {
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
        self.options.resampling.resize_box(&region, part, px, px, self.options.filter)
    }
}

impl TileSource for SlideSource {
    fn kind(&self) -> &'static str {
        self.slide.reader()
    }

    fn reader_version(&self) -> &str {
        self.slide.reader_version()
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
        let mut image = self.cut(meta)?;
        self.stain()?.normalise(&mut image);
        Ok(Tile { meta: meta.clone(), image })
    }
}

fn resolution(slide: &Slide, options: &TilingOptions) -> Result<Mpp> {
    let in_table = match (options.mpp, &options.mpp_csv) {
        (None, Some(table)) => mpp_of_slide(table, slide.path())?,
        _ => None,
    };
    options.mpp.or(in_table).or(slide.mpp()).ok_or_else(|| {
        if let Some([x, y]) = slide.unequal_spacing() {
            return Error::input(
                format!("resolution of {}", slide.path().display()),
                "square pixels",
                format!("pixels of {x} × {y} µm"),
                "give the resolution of both axes with --mpp, or one per slide with --mpp-csv; the \
                 slide is then read as if its pixels were square",
            );
        }
        let found = match &options.mpp_csv {
            Some(table) => format!("none, nor a row in {}", table.display()),
            None => "none".into(),
        };
        Error::input(
            format!("resolution of {}", slide.path().display()),
            "µm per pixel in the slide's headers",
            found,
            "give it with --mpp, for example --mpp 0.25 for most 40x scans, or one per slide with \
             --mpp-csv and the columns slide and mpp",
        )
    })
}

fn to_srgb(slide: &Slide) -> Result<Option<ToSrgb>> {
    let what = "applying ICC profiles";
    left_out::require(cfg!(feature = "icc"), slide.path(), what, "icc")?;
    let Some(profile) = slide.icc_profile() else {
        tracing::warn!(slide = slide.stem(), "no ICC profile; its colours are taken for sRGB");
        return Ok(None);
    };
    ToSrgb::new(profile).map(Some).map_err(|found| {
        Error::data(
            slide.path(),
            "an ICC profile of RGB colours",
            found,
            "leave --icc out, and the colours as they are",
        )
    })
}

fn region(slide: &Slide, options: &TilingOptions) -> Result<Option<Region>> {
    let Some(path) = &options.roi else { return Ok(None) };
    if !path.is_dir() {
        return read_region(path).map(Some);
    }
    let file: PathBuf = path.join(format!("{}.geojson", slide.stem()));
    if file.exists() {
        read_region(file).map(Some)
    } else {
        tracing::info!(slide = slide.stem(), "no region of interest; the slide is cut whole");
        Ok(None)
    }
}
