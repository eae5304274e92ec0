// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Head, HeldOutView, Matrix, Probabilities, Result};

/// Rows that are predicted at once; it bounds the views that are copied.
const BLOCK: usize = 1024;

/// Class probabilities of each row, averaged over the row itself and all its views.
///
/// It changes no training, so it is an arm of its own. Every row must have views in the bank:
/// averaging some rows and not others would compare unlike things.
pub fn test_time_average(head: &dyn Head, rows: &HeldOutView) -> Result<Probabilities> {
    let no_views = |row: Option<usize>| {
        Error::input(
            "test-time averaging",
            "views of every row that is predicted",
            row.map_or("no view bank".into(), |row| format!("none of row {row}")),
            "embed the bank for test tiles too, or leave this arm out",
        )
    };
    let bank = rows.bank().ok_or_else(|| no_views(None))?;
    let (n, dim, n_views) = (rows.n_rows(), rows.dim(), bank.n_views());
    let n_classes = head.classes().len();
    let per_row = n_views + 1;
    let mut averaged = Vec::with_capacity(n * n_classes);
    for start in (0..n).step_by(BLOCK) {
        let block = start..(start + BLOCK).min(n);
        let mut values = Vec::with_capacity(block.len() * per_row * dim);
        for i in block.clone() {
            values.extend_from_slice(rows.feature_row(i));
            for view in 0..n_views {
                let row = rows.rows()[i];
                values.extend_from_slice(bank.row(row, view).ok_or_else(|| no_views(Some(row)))?);
            }
        }
        let found = head.predict(&Matrix::new(block.len() * per_row, dim, values)?)?;
        for tile in found.values().chunks_exact((per_row * n_classes).max(1)) {
            for class in 0..n_classes {
                let total: f64 = tile.iter().skip(class).step_by(n_classes).sum();
                averaged.push(total / per_row as f64);
            }
        }
    }
    Probabilities::new(n_classes, averaged)
}
