// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use crate::{Backbone, Card, Device, Result, TileSource};

/// A card that is to be made ready to run, with what is no part of it.
#[derive(Clone, Copy, Debug)]
pub struct BackboneRequest<'a> {
    /// What the backbone is.
    pub card: &'a Card,
    /// Weights that the user or a hub's cache has for it; without them the card's own.
    pub weights: Option<&'a Path>,
    /// Where to compute; without it the opener's usual device.
    pub device: Option<Device>,
    /// A library that an opener loads at run time, or a folder that has it.
    pub library: Option<&'a Path>,
}

impl BackboneRequest<'_> {
    /// The file of weights, given or the card's own, where its name has this ending.
    pub fn weights_of(&self, ending: &str) -> Option<PathBuf> {
        let file = self.card.weights_file(self.weights)?;
        file.extension().is_some_and(|e| e == ending).then_some(file)
    }
}

/// Makes backbones ready to run: an engine, or whatever else turns tiles into embeddings.
///
/// The caller asks openers in the order in which they were registered and takes the first that
/// serves, or the one that a user names. The implementer answers [`serves`](Self::serves) without
/// reading weights, says `true` for a card of its own that is wrong, so that opening says what is
/// wrong with it, and refuses in [`open`](Self::open) what it does not serve.
///
/// ```
/// use eosin_core::{Backbone, BackboneInfo, BackboneOpener, BackboneRequest};
/// use eosin_core::{Matrix, Result, TileBatch};
/// struct Zeros(BackboneInfo);
/// impl Backbone for Zeros {
///     fn info(&self) -> &BackboneInfo { &self.0 }
///     fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
///         let dim = self.0.dim as usize;
///         Matrix::new(batch.n_tiles(), dim, vec![0.0; batch.n_tiles() * dim])
///     }
/// }
/// struct ZerosOpener;
/// impl BackboneOpener for ZerosOpener {
///     fn kind(&self) -> &'static str { "zeros" }
///     fn serves(&self, request: &BackboneRequest) -> bool { request.card.family == "zeros" }
///     fn open(&self, request: &BackboneRequest) -> Result<Box<dyn Backbone>> {
///         Ok(Box::new(Zeros(request.card.info("none".into(), 0, "zeros".into()))))
///     }
/// }
/// ```
pub trait BackboneOpener: Send + Sync {
    /// The engine's name, as `--engine` gives it.
    fn kind(&self) -> &'static str;
    /// Whether it opens such a card, with these weights, on this device.
    fn serves(&self, request: &BackboneRequest) -> bool;
    /// Makes the backbone ready to run.
    fn open(&self, request: &BackboneRequest) -> Result<Box<dyn Backbone>>;
}

/// Opens paths of a kind of its own as tiles: an archive of patches, another program's folder.
///
/// The caller asks openers before it looks for what is built in (folders, manifests, slides), and
/// never for a pipe or a device. The implementer tells its kind by content.
///
/// ```
/// use std::path::Path;
/// use eosin_core::{Error, Result, TileSource, TileSourceOpener};
/// struct Nothing;
/// impl TileSourceOpener for Nothing {
///     fn kind(&self) -> &'static str { "nothing" }
///     fn recognises(&self, _path: &Path) -> bool { false }
///     fn open(&self, path: &Path) -> Result<Box<dyn TileSource>> {
///         Err(Error::data(path, "tiles", "nothing", "name another file"))
///     }
/// }
/// ```
pub trait TileSourceOpener: Send + Sync {
    /// The kind's name.
    fn kind(&self) -> &'static str;
    /// Whether the path holds what [`TileSourceOpener::open`] reads.
    fn recognises(&self, path: &Path) -> bool;
    /// Opens the path; tiles are embedded as they are.
    fn open(&self, path: &Path) -> Result<Box<dyn TileSource>>;
}
