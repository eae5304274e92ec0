// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Matrix, Result};

/// How each view of each tile was made, as numbers: what the learned operator is told.
///
/// Row `tile · V + view` belongs to that view of that tile of the whole set. Where they are not at
/// hand, [`LearnedOperator`](crate::LearnedOperator) is told only which view it is, which is all
/// there is to know where a view is the same transform for every tile, such as a rotation.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewConditions {
    n_views: usize,
    values: Matrix,
}

impl ViewConditions {
    /// Takes N·V × P parameters, the V views of a tile together.
    pub fn new(n_views: usize, values: Matrix) -> Result<Self> {
        let sound = n_views > 0
            && values.n_cols() > 0
            && values.n_rows().is_multiple_of(n_views)
            && values.first_bad_row().is_none();
        if sound {
            return Ok(Self { n_views, values });
        }
        Err(Error::input(
            "parameters of views",
            "finite numbers, at least one per view, the views of a tile together",
            format!("{} × {} for {n_views} views", values.n_rows(), values.n_cols()),
            "give them for all tiles of the set",
        ))
    }

    /// Views per tile.
    pub fn n_views(&self) -> usize {
        self.n_views
    }

    /// Parameters per view.
    pub fn n_parameters(&self) -> usize {
        self.values.n_cols()
    }

    /// Number of tiles.
    pub fn n_tiles(&self) -> usize {
        self.values.n_rows() / self.n_views
    }

    /// The parameters of one view of a tile.
    pub fn row(&self, tile: usize, view: usize) -> &[f32] {
        self.values.row(tile * self.n_views + view)
    }
}
