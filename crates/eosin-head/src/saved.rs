// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{EmbeddingBatch, Head, Result};

use crate::decision::Decided;
use crate::file::{HeadFile, load_head};
use crate::record::head_from_record;

/// A head that was saved, ready to be applied to embeddings.
pub struct SavedHead {
    file: HeadFile,
    head: Box<dyn Head>,
}

impl SavedHead {
    /// Reads a head of one of the [`KINDS`](crate::KINDS).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let file = load_head(path.as_ref())?;
        let head = head_from_record(&file.record)?;
        Ok(Self { file, head })
    }

    /// A head that was made again by whoever knows its kind.
    pub fn new(file: HeadFile, head: Box<dyn Head>) -> Self {
        Self { file, head }
    }

    /// What is known of the head.
    pub fn file(&self) -> &HeadFile {
        &self.file
    }

    /// The probabilities and calls of embeddings, by the head's own calibration and threshold.
    ///
    /// Embeddings that were made under another contract than those of the head's training are an
    /// error, which names the fields that differ where the batch carries its contract, as those
    /// of stores do.
    pub fn predict(&self, batch: &EmbeddingBatch) -> Result<Decided> {
        batch.ensure_contract(&self.file.contract)?;
        self.file.decide(&self.head.predict(&batch.embeddings)?)
    }
}
