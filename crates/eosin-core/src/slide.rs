// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::{Error, Mpp, Result, RgbImage};

/// An image beside the tissue: a label, macro photograph or thumbnail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociatedImage {
    /// Its name, `label`, `macro` and `thumbnail` where the format has these.
    pub name: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Opens whole-slide images of formats that the built-in reader leaves out: a plugin.
///
/// The caller asks from any thread. The implementer tells formats by content, and answers
/// `Ok(None)` for files of other kinds, so that the next plugin is asked.
///
/// ```
/// use std::path::Path;
/// use eosin_core::{Result, SlideImage, SlideReader};
/// #[derive(Debug)]
/// struct Nothing;
/// impl SlideReader for Nothing {
///     fn kind(&self) -> &'static str { "nothing" }
///     fn recognises(&self, _path: &Path) -> bool { false }
///     fn open(&self, _path: &Path) -> Result<Option<Box<dyn SlideImage>>> { Ok(None) }
/// }
/// ```
pub trait SlideReader: Send + Sync + fmt::Debug {
    /// The reader's name in configurations and contracts.
    fn kind(&self) -> &'static str;
    /// Whether the file is of a kind that [`SlideReader::open`] reads; `false` where the reader
    /// cannot work at all.
    fn recognises(&self, path: &Path) -> bool;
    /// Opens a slide; `None` for files of other kinds. An error says what the reader itself lacks,
    /// such as a library, or what is wrong with a file of its kind.
    fn open(&self, path: &Path) -> Result<Option<Box<dyn SlideImage>>>;
}

/// A slide that a [`SlideReader`] opened: levels of decreasing resolution, read by region.
///
/// The caller keeps regions inside their level. The implementer returns the same pixels always,
/// white where the slide has none, and serves several threads at a time.
pub trait SlideImage: Send + Sync + fmt::Debug {
    /// The version of the pixels, part of the contract.
    fn version(&self) -> &str;
    /// Width and height of each level, the finest first.
    fn levels(&self) -> &[(u32, u32)];
    /// Resolution of the finest level, where the file says it.
    fn mpp(&self) -> Option<Mpp>;
    /// µm per pixel across and down of the finest level, where the file says two that differ; then
    /// [`mpp`](Self::mpp) is `None`.
    fn unequal_spacing(&self) -> Option<[f64; 2]> {
        None
    }
    /// What the file says of itself, by its own names.
    fn properties(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        &NONE
    }
    /// Images beside the tissue.
    fn associated(&self) -> &[AssociatedImage] {
        &[]
    }
    /// Decodes an associated image, one of those that [`associated`](Self::associated) names.
    fn read_associated(&self, name: &str) -> Result<RgbImage> {
        let known: Vec<&str> = self.associated().iter().map(|image| image.name.as_str()).collect();
        let hint = "`eosin inspect` names those that a slide has";
        Err(Error::unsupported(format!("image `{name}` beside the slide"), &known, hint))
    }
    /// The ICC profile of the finest level.
    fn icc_profile(&self) -> Option<&[u8]> {
        None
    }
    /// Decodes width × height pixels of a level from a corner, in that level's pixels.
    fn read_region(&self, level: usize, corner: (u32, u32), size: (u32, u32)) -> Result<RgbImage>;
}
