// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use eosin_core::{Error, Matrix, Result};
use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::TileRow;

/// Rows of either side that are compared at once; it bounds memory to a few such blocks a thread.
const BLOCK: usize = 512;
/// How far a product of f32 may be from the cosine in f64.
const SLACK: f32 = 1e-4;

/// When two embeddings are so alike that their tiles may show the same place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NearDuplicateSearch {
    /// Pairs of at least this cosine are reported.
    ///
    /// What is near depends on the backbone. Under EfficientNet-Lite0 the most alike of 375,357
    /// pairs of mitoses from different slides have 0.909, and the eleven pairs of an external set
    /// that are copies 0.9999 or more: 0.99 tells the two apart.
    pub cosine: f64,
    /// How many pairs are named, the most alike first; all are counted.
    pub limit: usize,
}

/// Pairs of rows in different splits with nearly the same embedding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NearDuplicates {
    /// The least cosine that was looked for.
    pub cosine: f64,
    /// How many pairs were found.
    pub n_pairs: usize,
    /// How many rows are in such a pair.
    pub n_rows: usize,
    /// The pairs most alike.
    pub pairs: Vec<NearPair>,
}

/// Two rows with nearly the same embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearPair {
    /// Names of both.
    pub rows: [String; 2],
    /// The split of each.
    pub splits: [String; 2],
    /// The label of each.
    pub labels: [String; 2],
    /// Cosine of their embeddings.
    pub cosine: f64,
}

impl Default for NearDuplicateSearch {
    fn default() -> Self {
        Self { cosine: 0.99, limit: 100 }
    }
}

impl NearDuplicateSearch {
    /// Compares every row with every row of another split; row i of `features` is `rows[i]`'s.
    ///
    /// Tiles of equal digest are left out, since [`check`](super::check) names them, and so are
    /// embeddings of length 0. Time is that of the product of the splits' matrices, memory that
    /// of a few blocks of rows.
    pub fn find(&self, rows: &[TileRow], features: &Matrix) -> Result<NearDuplicates> {
        if features.n_rows() != rows.len() || !(self.cosine > 0.0 && self.cosine <= 1.0) {
            return Err(Error::input(
                "search for near-duplicate embeddings",
                format!("{} embeddings and a cosine above 0 and at most 1", rows.len()),
                format!("{} and {}", features.n_rows(), self.cosine),
                "give one embedding per row and a cosine such as 0.99",
            ));
        }
        let mut by_split: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, row) in rows.iter().enumerate() {
            by_split.entry(row.split).or_default().push(i);
        }
        let sides: Vec<&Vec<usize>> = by_split.values().collect();
        let mut jobs = Vec::new();
        for (at, &first) in sides.iter().enumerate() {
            for &second in &sides[at + 1..] {
                jobs.extend(first.chunks(BLOCK).map(|block| (block, second)));
            }
        }
        let is_near: Vec<AtomicBool> = rows.iter().map(|_| AtomicBool::new(false)).collect();
        let found: Vec<(usize, Vec<Candidate>)> = jobs
            .into_par_iter()
            .map(|(block, others)| self.of_block(rows, features, block, others, &is_near))
            .collect();
        let mut kept: Vec<Candidate> = found.iter().flat_map(|(_, kept)| kept.clone()).collect();
        keep_closest(&mut kept, self.limit);
        let name = |c: &Candidate| {
            let of = |f: fn(&TileRow) -> String| c.rows.map(|i| f(&rows[i]));
            NearPair {
                rows: of(|row| row.id.to_string()),
                splits: of(|row| row.split.to_string()),
                labels: of(|row| row.label.to_string()),
                cosine: c.cosine,
            }
        };
        Ok(NearDuplicates {
            cosine: self.cosine,
            n_pairs: found.iter().map(|(n, _)| n).sum(),
            n_rows: is_near.iter().filter(|near| near.load(Ordering::Relaxed)).count(),
            pairs: kept.iter().map(name).collect(),
        })
    }

    /// The number of pairs of a block with `others`, and the closest of them.
    fn of_block(
        &self,
        rows: &[TileRow],
        features: &Matrix,
        block: &[usize],
        others: &[usize],
        is_near: &[AtomicBool],
    ) -> (usize, Vec<Candidate>) {
        let dim = features.n_cols();
        let ours = unit_rows(features, block);
        let Ok(ours) = ArrayView2::from_shape((block.len(), dim), &ours) else {
            return (0, Vec::new());
        };
        let bound = self.cosine as f32 - SLACK;
        let (mut n_pairs, mut kept) = (0, Vec::new());
        for part in others.chunks(BLOCK) {
            let theirs = unit_rows(features, part);
            let Ok(theirs) = ArrayView2::from_shape((part.len(), dim), &theirs) else { continue };
            let products = ours.dot(&theirs.t());
            for ((i, j), _) in products.indexed_iter().filter(|(_, product)| **product >= bound) {
                let pair = [block[i], part[j]];
                let [a, b] = pair.map(|row| rows[row].digest);
                if a.is_some() && a == b {
                    continue;
                }
                let cosine = cosine(features.row(pair[0]), features.row(pair[1]));
                if cosine >= self.cosine {
                    n_pairs += 1;
                    for row in pair {
                        is_near[row].store(true, Ordering::Relaxed);
                    }
                    kept.push(Candidate { rows: pair, cosine });
                }
            }
            // What is kept between blocks stays small whatever the threshold lets through.
            keep_closest(&mut kept, self.limit);
        }
        (n_pairs, kept)
    }
}

#[derive(Clone, Debug)]
struct Candidate {
    rows: [usize; 2],
    cosine: f64,
}

fn keep_closest(pairs: &mut Vec<Candidate>, limit: usize) {
    pairs.sort_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.rows.cmp(&b.rows)));
    pairs.truncate(limit);
}

/// The rows scaled to length 1; a row of length 0 stays.
fn unit_rows(features: &Matrix, rows: &[usize]) -> Vec<f32> {
    let mut values = Vec::with_capacity(rows.len() * features.n_cols());
    for &row in rows {
        let row = features.row(row);
        let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        values.extend(row.iter().map(|&v| (f64::from(v) * scale) as f32));
    }
    values
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let (mut dot, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        dot += a * b;
        aa += a * a;
        bb += b * b;
    }
    // Rounding may leave equal rows a last bit above 1.
    (dot / (aa * bb).sqrt()).min(1.0)
}
