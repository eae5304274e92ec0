// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{Backbone, BackboneInfo, Error, Licence, Matrix, Result, TileBatch, Use};

use super::clock;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    SortedRows,
    BatchNorm,
    Counter,
    Constant,
    DropsLast,
    NotFinite,
    LooksAtNames,
    EmptyIsAnError,
}

/// The mean colour of a tile.
pub struct Network {
    fault: Fault,
    info: BackboneInfo,
}

impl Network {
    pub fn new(fault: Fault) -> Self {
        let info = BackboneInfo {
            name: "mean-colour".into(),
            family: "test".into(),
            architecture: BTreeMap::new(),
            weights_sha256: "none".into(),
            parameters: 0,
            input_px: 16,
            mean: [0.0; 3],
            std: [1.0; 3],
            resampling: "none".into(),
            pooling: "mean".into(),
            dim: 3,
            precision: "f32".into(),
            licence: Licence { name: "MIT".into(), allows: Use::Commercial },
            training_sources: Vec::new(),
            engine: "test".into(),
        };
        Self { fault, info }
    }
}

impl Backbone for Network {
    fn info(&self) -> &BackboneInfo {
        &self.info
    }

    fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
        let n_pixels = (batch.px() * batch.px()) as usize;
        let mut rows: Vec<Vec<f32>> = Vec::new();
        for (tile, meta) in batch.pixels().chunks(n_pixels * 3).zip(batch.metas()) {
            let mut row = vec![0.0; 3];
            for pixel in tile.chunks(3) {
                for (sum, v) in row.iter_mut().zip(pixel) {
                    *sum += f32::from(*v) / n_pixels as f32;
                }
            }
            match self.fault {
                Fault::Constant => row.fill(1.0),
                Fault::Counter => row[0] += clock() as f32 * 1e-3,
                Fault::NotFinite => row[1] = f32::NAN,
                Fault::LooksAtNames => row[2] += meta.x as f32,
                _ => {}
            }
            rows.push(row);
        }
        match self.fault {
            Fault::SortedRows => rows.sort_by(|a, b| a[0].total_cmp(&b[0])),
            Fault::DropsLast => drop(rows.pop()),
            Fault::BatchNorm => {
                let mean = rows.iter().map(|r| r[0]).sum::<f32>() / rows.len().max(1) as f32;
                for row in &mut rows {
                    row[0] -= mean;
                }
            }
            Fault::EmptyIsAnError if rows.is_empty() => {
                return Err(Error::input("batch", "tiles", "none", "pass one"));
            }
            _ => {}
        }
        Matrix::from_rows(&rows)
    }
}
