// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{BinaryCounts, ConfusionMatrix, Ranked};

/// What a binary head does on the rows of one centre.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CentreMetrics {
    /// The centre's number.
    pub centre: u32,
    /// Its rows.
    pub n_rows: usize,
    /// Positive ones among them.
    pub n_positives: usize,
    /// Calls at the threshold, for F1, precision, recall and the rest.
    pub counts: BinaryCounts,
    /// Area under the ROC curve; NaN without rows of both classes.
    pub auroc: f64,
    /// Average precision; NaN without positive rows.
    pub auprc: f64,
}

/// The rows of each centre, centres in the order of their numbers; other groupings work alike.
pub fn rows_by_centre(centres: &[u32]) -> Vec<(u32, Vec<usize>)> {
    let mut rows: Vec<usize> = (0..centres.len()).collect();
    rows.sort_by_key(|&row| centres[row]);
    rows.chunk_by(|&a, &b| centres[a] == centres[b])
        .map(|rows| (centres[rows[0]], rows.to_vec()))
        .collect()
}

/// Binary metrics on the rows of each centre, with one threshold for all.
pub fn metrics_by_centre(
    scores: &[f64],
    labels: &[bool],
    centres: &[u32],
    threshold: f64,
) -> Result<Vec<CentreMetrics>> {
    same_length(scores.len() == labels.len(), centres.len(), labels.len())?;
    let of_centre = |(centre, rows): (u32, Vec<usize>)| {
        let scores: Vec<f64> = rows.iter().map(|&row| scores[row]).collect();
        let labels: Vec<bool> = rows.iter().map(|&row| labels[row]).collect();
        let ranked = Ranked::new(&scores, &labels)?;
        Ok(CentreMetrics {
            centre,
            n_rows: rows.len(),
            n_positives: labels.iter().filter(|&&l| l).count(),
            counts: BinaryCounts::at(&scores, &labels, None, threshold),
            auroc: ranked.auroc(None),
            auprc: ranked.auprc(None),
        })
    };
    rows_by_centre(centres).into_iter().map(of_centre).collect()
}

/// A confusion matrix for each centre; their sum is that of all rows.
pub fn confusion_by_centre(
    truth: &[u32],
    called: &[u32],
    n_classes: usize,
    centres: &[u32],
) -> Result<Vec<(u32, ConfusionMatrix)>> {
    same_length(truth.len() == called.len(), centres.len(), truth.len())?;
    let of_centre = |(centre, rows): (u32, Vec<usize>)| {
        let of = |values: &[u32]| rows.iter().map(|&row| values[row]).collect::<Vec<_>>();
        Ok((centre, ConfusionMatrix::new(&of(truth), &of(called), n_classes, None)?))
    };
    rows_by_centre(centres).into_iter().map(of_centre).collect()
}

fn same_length(paired: bool, n_centres: usize, n_rows: usize) -> Result<()> {
    if paired && n_centres == n_rows {
        return Ok(());
    }
    Err(Error::input(
        "metrics by centre",
        format!("{n_rows} predictions and centres"),
        format!("{n_centres} centres"),
        "give one prediction, one label and one centre per row",
    ))
}
