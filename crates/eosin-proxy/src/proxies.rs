// SPDX-License-Identifier: MIT OR Apache-2.0

//! Proxy tasks that need no pathologist: made from pixels, places, views or nuisances.
//!
//! A task is a [`LabelledSet`] that any probe scores, or a probe of its own where there is nothing
//! to classify.

mod invariance;
mod neighbourhood;

pub use invariance::Invariance;
pub use neighbourhood::SpatialNeighbourhood;

use eosin_core::{Error, LabelledSet, Result, TileMeta};

/// The third of the values that each lies in, as class 0, 1 or 2, such as haematoxylin density in
/// low, middle and high; equal values are in the same third.
pub fn terciles(values: &[f64]) -> Result<Vec<u32>> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = |third: usize| sorted.get(third * sorted.len() / 3).copied().unwrap_or(f64::NAN);
    let (low, high) = (cut(1), cut(2));
    if !(values.iter().all(|v| v.is_finite()) && low < high) {
        return Err(Error::input(
            "values to part into thirds",
            "at least three different finite numbers",
            format!("cuts at {low} and {high}"),
            "measure more tiles, or tiles that differ",
        ));
    }
    Ok(values.iter().map(|&v| u32::from(v >= low) + u32::from(v >= high)).collect())
}

/// A group for each tile: its slide and the square block of side `block_px` (level-0 pixels) that
/// holds its centre. Tiles that touch are alike, so splits of one slide must not part them.
pub fn spatial_blocks(metas: &[TileMeta], block_px: u32) -> Result<Vec<String>> {
    if block_px == 0 {
        return Err(Error::input("side of spatial blocks", "above 0 px", "0", "2048 is usual"));
    }
    let block = |at: i64, size: u32| (at + i64::from(size / 2)).div_euclid(i64::from(block_px));
    let name = |m: &TileMeta| {
        let (x, y) = (block(m.x, m.size_level0_px), block(m.y, m.size_level0_px));
        format!("{}:{x}:{y}", m.slide)
    };
    Ok(metas.iter().map(name).collect())
}

/// The rows of one class, to be classified by a nuisance such as centre, scanner or slide: the
/// better a probe does, the more of the nuisance is in the embeddings.
///
/// `nuisance` and `groups` have a name for each row of the set. Slides and patients have one
/// centre, so they serve as groups for centre and scanner; to classify slides, give
/// [`spatial_blocks`]. Values seen in one group alone are left out, because no split can hold them
/// out and still train on them.
pub fn nuisance_task<S: AsRef<str>>(
    set: &LabelledSet,
    class: u32,
    nuisance: &[S],
    groups: &[S],
) -> Result<LabelledSet> {
    if nuisance.len() != set.n_rows() || groups.len() != set.n_rows() {
        return Err(Error::input(
            "nuisance",
            format!("a value and a group for each of {} rows", set.n_rows()),
            format!("{} values and {} groups", nuisance.len(), groups.len()),
            "give one of each per tile",
        ));
    }
    let rows: Vec<usize> = (0..set.n_rows()).filter(|&i| set.labels()[i] == class).collect();
    let in_several_groups = |value: &str| {
        let mut own = rows.iter().filter(|&&i| nuisance[i].as_ref() == value);
        let first = own.next().map(|&i| groups[i].as_ref());
        own.any(|&i| Some(groups[i].as_ref()) != first)
    };
    let mut values: Vec<&str> = rows.iter().map(|&i| nuisance[i].as_ref()).collect();
    values.sort_unstable();
    values.dedup();
    values.retain(|v| in_several_groups(v));
    if values.len() < 2 {
        return Err(Error::input(
            "nuisance",
            "at least two values, each in several groups, among the rows of the class",
            format!("{} such values", values.len()),
            "give tiles of more slides, or ask about another nuisance",
        ));
    }
    let label = |i: usize| values.binary_search(&nuisance[i].as_ref()).ok().map(|l| (i, l as u32));
    let (kept, labels): (Vec<usize>, Vec<u32>) = rows.into_iter().filter_map(label).unzip();
    let own_groups: Vec<&str> = kept.iter().map(|&i| groups[i].as_ref()).collect();
    let classes = values.iter().map(ToString::to_string).collect();
    LabelledSet::new(set.features().select(&kept), classes, labels, &own_groups)
}
