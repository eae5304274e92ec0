// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Matrix, Result};
use ndarray::{Array2, Axis};

use super::spectrum::{check, rows};

/// Rows that are compared at most; pairs grow with the square.
const MAX_ROWS: usize = 1000;

/// PARC: 100 times Spearman's correlation between the pairwise dissimilarities of embeddings and
/// those of one-hot labels, dissimilarity being 1 − Pearson's correlation of two rows.
///
/// Of more than 1,000 rows as many are taken at even steps. No dimensions are reduced.
/// Source: Bolya et al. 2021.
pub fn parc(features: &Matrix, labels: &[u32], n_classes: usize) -> Result<f64> {
    check(features, labels, n_classes)?;
    let n = labels.len().min(MAX_ROWS);
    let taken: Vec<usize> = (0..n).map(|i| i * labels.len() / n).collect();
    let mut x = rows(&features.select(&taken))?;
    for mut row in x.axis_iter_mut(Axis(0)) {
        let mean = row.mean().unwrap_or(0.0);
        row -= mean;
        let length = row.dot(&row).sqrt();
        if length > 0.0 {
            row /= length;
        }
    }
    let similarities = x.dot(&x.t());
    let apart = upper_triangle(&similarities, |v, _, _| 1.0 - v);
    // The correlation of two one-hot rows is 1 or −1/(C − 1): its ranks are those of "differ".
    let differ = upper_triangle(&similarities, |_, i, j| {
        f64::from(u8::from(labels[taken[i]] != labels[taken[j]]))
    });
    let correlation = pearson(&ranks(&apart), &ranks(&differ));
    if correlation.is_finite() {
        Ok(100.0 * correlation)
    } else {
        Err(Error::input(
            "rows for parc",
            "pairs of equal and of different class, and embeddings that are not all the same",
            "only one kind of pair",
            "label more tiles, or leave out parc",
        ))
    }
}

fn upper_triangle(m: &Array2<f64>, value: impl Fn(f64, usize, usize) -> f64) -> Vec<f64> {
    let n = m.nrows();
    (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .map(|(i, j)| value(m[(i, j)], i, j))
        .collect()
}

/// Ranks from 1, equals sharing their mean rank.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let first = values[order[start]];
        let equal = |&i: &usize| values[i].total_cmp(&first).is_eq();
        let end = start + order[start..].iter().take_while(|i| equal(i)).count();
        for &i in &order[start..end] {
            ranks[i] = (start + end + 1) as f64 / 2.0;
        }
        start = end;
    }
    ranks
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - mean_a) * (y - mean_b);
        aa += (x - mean_a).powi(2);
        bb += (y - mean_b).powi(2);
    }
    ab / (aa * bb).sqrt()
}
