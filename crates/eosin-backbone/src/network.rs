// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Backbone, BackboneInfo, Error, Matrix, Result, TileBatch};

/// A forward pass on some engine.
pub(crate) trait Network: Send + Sync {
    /// Embeds `n_tiles` tiles of `px` × `px` × 3 bytes, row after row.
    fn forward(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Result<Vec<f32>>;
}

impl Network for crate::native::EfficientNet {
    fn forward(&self, pixels: &[u8], n_tiles: usize, _px: usize) -> Result<Vec<f32>> {
        let mut rows = vec![0.0; n_tiles * self.dim()];
        self.embed(pixels, n_tiles, &mut rows)?;
        Ok(rows)
    }
}

/// A network with what is known of it.
pub(crate) struct NetworkBackbone {
    pub(crate) info: BackboneInfo,
    pub(crate) network: Box<dyn Network>,
}

impl Backbone for NetworkBackbone {
    fn info(&self) -> &BackboneInfo {
        &self.info
    }

    fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
        let (n_tiles, dim) = (batch.n_tiles(), self.info.dim as usize);
        if batch.px() != self.info.input_px {
            return Err(Error::input(
                format!("tiles for backbone {}", self.info.name),
                format!("{0} × {0} px", self.info.input_px),
                format!("{0} × {0} px", batch.px()),
                "resample the tiles to the card's input_px first",
            ));
        }
        if n_tiles == 0 {
            return Matrix::new(0, dim, Vec::new());
        }
        let values = self.network.forward(batch.pixels(), n_tiles, batch.px() as usize)?;
        Matrix::new(n_tiles, dim, values)
    }
}
