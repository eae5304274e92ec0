// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Which rows of the other classes a point of a learning curve keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Others {
    /// All of them: only findings are scarce, as where they are rare.
    #[default]
    All,
    /// As large a share as of the positive rows: annotation itself is scarce.
    SameShare,
}

/// Training rows of one point of a learning curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearningSubset {
    /// Positive rows among them.
    pub n_positives: usize,
    /// Row numbers, rising.
    pub rows: Vec<usize>,
}

/// Subsets of the rows with so many rows of class `positive`, each holding the one before it.
///
/// Rows are drawn at random by the seed, whatever their group; evaluation has to part groups.
/// Sizes are sorted, those above the number of positive rows left out, and all rows are the last
/// subset. The seed decides one curve: average over several.
pub fn learning_subsets(
    labels: &[u32],
    positive: u32,
    sizes: &[usize],
    others: Others,
    seed: u64,
) -> Result<Vec<LearningSubset>> {
    let (mut positives, mut rest): (Vec<usize>, Vec<usize>) =
        (0..labels.len()).partition(|&row| labels[row] == positive);
    if positives.is_empty() || sizes.contains(&0) {
        return Err(Error::input(
            "learning curve",
            "sizes above 0 and at least one positive row",
            format!("{} positive rows, sizes {sizes:?}", positives.len()),
            "name the class that the task looks for, and sizes such as 5, 10, 25, 50, 100",
        ));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    positives.shuffle(&mut rng);
    rest.shuffle(&mut rng);
    let mut sizes: Vec<usize> = sizes.iter().copied().filter(|&n| n < positives.len()).collect();
    sizes.push(positives.len());
    sizes.sort_unstable();
    sizes.dedup();
    let subset = |n_positives: usize| {
        let n_others = match others {
            Others::All => rest.len(),
            // Rounded up, so that a class is there as long as it is there at all.
            Others::SameShare => (n_positives * rest.len()).div_ceil(positives.len()),
        };
        let mut rows = [&positives[..n_positives], &rest[..n_others]].concat();
        rows.sort_unstable();
        LearningSubset { n_positives, rows }
    };
    Ok(sizes.into_iter().map(subset).collect())
}
