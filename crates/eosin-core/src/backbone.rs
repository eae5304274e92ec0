// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Licence, Matrix, Result, TileBatch};

/// What is known of a backbone before it embeds anything; its part of the contract and its costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackboneInfo {
    /// Name of the card.
    pub name: String,
    /// Architecture family.
    pub family: String,
    /// The family's arguments.
    pub architecture: BTreeMap<String, String>,
    /// SHA-256 of the weights file, or how they were generated.
    pub weights_sha256: String,
    /// Number of parameters; 0 for a backbone that has none.
    pub parameters: u64,
    /// Side of the input in pixels.
    pub input_px: u32,
    /// Mean that is subtracted, in units of 0 to 1.
    pub mean: [f64; 3],
    /// Standard deviation that is divided by, in units of 0 to 1.
    pub std: [f64; 3],
    /// Filter with which tiles are brought to `input_px`.
    pub resampling: String,
    /// How features become one vector.
    pub pooling: String,
    /// Length of the vector.
    pub dim: u32,
    /// Arithmetic of the forward pass.
    pub precision: String,
    /// The weights' licence.
    pub licence: Licence,
    /// Data sets that the weights were trained on.
    pub training_sources: Vec<String>,
    /// The engine that computes, with its device; not part of the contract.
    pub engine: String,
}

/// Turns tiles into embeddings.
///
/// The caller passes tiles of side `info().input_px`, 8-bit RGB.
/// The implementer normalises them itself and returns row i for tile i, the same numbers for any
/// batch size and thread count up to rounding.
///
/// ```
/// use eosin_core::{Backbone, BackboneInfo, Matrix, Result, TileBatch};
/// struct MeanRed(BackboneInfo);
/// impl Backbone for MeanRed {
///     fn info(&self) -> &BackboneInfo { &self.0 }
///     fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
///         let px = (batch.px() * batch.px()) as usize;
///         let mean = |tile: &[u8]| tile.iter().step_by(3).map(|&v| f32::from(v)).sum::<f32>() / px as f32;
///         Matrix::new(batch.n_tiles(), 1, batch.pixels().chunks(px * 3).map(mean).collect())
///     }
/// }
/// ```
pub trait Backbone: Send + Sync {
    /// What is known of it.
    fn info(&self) -> &BackboneInfo;
    /// Embeds a batch: N × dim.
    fn embed(&self, batch: &TileBatch) -> Result<Matrix>;
    /// Multiplications and additions that a tile's matrix products and convolutions take by their
    /// definition, whatever a faster algorithm saves; `None` where nobody counted.
    fn flops(&self) -> Option<f64> {
        None
    }
}
