// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use crate::{Mpp, Result, RgbImage, TileMeta};

/// All that a head says of one slide, with where its tiles lie.
#[derive(Clone, Debug)]
pub struct SlidePredictions<'a> {
    /// The slide's name; untrusted text, which is no file name.
    pub slide: &'a str,
    /// The patient or other group; the slide where it is not known.
    pub patient: &'a str,
    /// The slide's file; empty where it is not known.
    pub path: &'a Path,
    /// Width and height in level-0 pixels, where the slide was opened.
    pub size: Option<(u32, u32)>,
    /// Width of a level-0 pixel, where the slide tells it.
    pub mpp: Option<Mpp>,
    /// A picture of the whole slide, where a writer asked for one and there is a slide.
    pub thumbnail: Option<&'a SlideThumbnail>,
    /// Names of the classes.
    pub classes: &'a [String],
    /// Its tiles, in the order of the source.
    pub tiles: Vec<PredictedTile<'a>>,
    /// What a head of slides says of it; absent for heads of tiles.
    pub call: Option<Prediction<'a>>,
}

/// A tile with what a head says of it.
#[derive(Clone, Copy, Debug)]
pub struct PredictedTile<'a> {
    /// Where it lies.
    pub meta: &'a TileMeta,
    /// What a head of tiles says of it; absent for heads of slides.
    pub prediction: Option<Prediction<'a>>,
    /// How much a head of slides attends to it; a slide's tiles sum to 1.
    pub attention: Option<f32>,
}

/// What a head says of a tile or of a slide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction<'a> {
    /// A probability per class.
    pub probabilities: &'a [f64],
    /// The class that is called, an index; `None` where the head leaves it uncalled.
    pub called: Option<u32>,
    /// The classes that cannot be ruled out, where the head gives such sets.
    pub set: Option<&'a [u32]>,
}

/// A small picture of a whole slide.
#[derive(Clone, Debug, PartialEq)]
pub struct SlideThumbnail {
    /// Its pixels.
    pub image: RgbImage,
    /// Level-0 pixels per pixel of it.
    pub downsample: f64,
}

/// Writes what a head says of slides as files, such as a heat map or a table.
///
/// The caller gives each slide a name of its own and the writer a folder that is there.
/// The implementer writes files that appear whole or not at all, never outside the folder whatever
/// the names are, and says which. The same predictions give the same bytes. It is called from one
/// thread for a slide, and from several for several slides.
///
/// ```
/// use std::path::{Path, PathBuf};
/// use eosin_core::{Error, PredictionWriter, Result, SlidePredictions};
/// /// Counts tiles.
/// struct Count;
/// impl PredictionWriter for Count {
///     fn kind(&self) -> &'static str { "count" }
///     fn write(&self, slide: &SlidePredictions, folder: &Path) -> Result<Vec<PathBuf>> {
///         let (partial, path) = (folder.join(".count.partial"), folder.join("count.txt"));
///         std::fs::write(&partial, slide.tiles.len().to_string())
///             .and_then(|()| std::fs::rename(&partial, &path))
///             .map_err(|e| Error::io("write", &path, e))?;
///         Ok(vec![path])
///     }
/// }
/// ```
pub trait PredictionWriter: Send + Sync {
    /// The kind, as configurations name it.
    fn kind(&self) -> &'static str;
    /// The longer side of the thumbnail that it draws on, or `None` where it needs no picture: a
    /// writer that asks for one is used on slides alone.
    fn thumbnail_px(&self) -> Option<u32> {
        None
    }
    /// Writes the files of one slide and names them.
    fn write(&self, slide: &SlidePredictions, folder: &Path) -> Result<Vec<PathBuf>>;
}
