// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::{Error, Fold, Matrix, Result, numbered};

/// Embeddings of the tiles of slides: each slide is a bag of consecutive rows.
#[derive(Clone, Debug)]
pub struct Bags {
    features: Arc<Matrix>,
    bags: Vec<Bag>,
}

/// A slide's tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bag {
    /// The slide.
    pub id: String,
    /// Its rows of the matrix, at least one.
    pub rows: Range<usize>,
}

/// Bags with a class and a group, such as a patient, for each.
#[derive(Clone, Debug)]
pub struct LabelledBags {
    bags: Bags,
    classes: Vec<String>,
    labels: Vec<u32>,
    groups: Vec<u32>,
    group_names: Vec<String>,
}

/// Bags that may be fitted on; like [`TrainView`](crate::TrainView) it can be made only of a
/// whole set or by a split that tears no group.
#[derive(Clone, Debug)]
pub struct TrainBags<'a> {
    set: &'a LabelledBags,
    bags: Vec<usize>,
}

impl Bags {
    /// Takes the matrix and the rows of each bag, which may leave rows out but not share them.
    pub fn new(features: impl Into<Arc<Matrix>>, bags: Vec<Bag>) -> Result<Self> {
        let features = features.into();
        let mut ranges: Vec<&Range<usize>> = bags.iter().map(|b| &b.rows).collect();
        ranges.sort_by_key(|rows| rows.start);
        let overlap = ranges.windows(2).any(|pair| pair[0].end > pair[1].start);
        let outside = bags.iter().find(|b| b.rows.is_empty() || b.rows.end > features.n_rows());
        if overlap || outside.is_some() {
            return Err(Error::input(
                outside.map_or("bags".into(), |b| format!("bag {}", b.id)),
                format!("at least one row each, of {} rows, no row twice", features.n_rows()),
                outside.map_or("rows in two bags".into(), |b| format!("{:?}", b.rows)),
                "leave out slides without tiles",
            ));
        }
        let mut ids = HashSet::new();
        if let Some(twice) = bags.iter().find(|b| !ids.insert(b.id.as_str())) {
            return Err(Error::input(
                "bags",
                "every slide once",
                twice.id.clone(),
                "sort the rows by slide",
            ));
        }
        if let Some(row) = features.first_bad_row() {
            return Err(Error::input(
                format!("row {row} of the embeddings"),
                "finite values",
                "NaN or infinity",
                "embed that tile again, or leave it out",
            ));
        }
        Ok(Self { features, bags })
    }

    /// Takes the slide of every row; rows of a slide must be neighbours.
    pub fn from_slides<S: AsRef<str>>(
        features: impl Into<Arc<Matrix>>,
        slides: &[S],
    ) -> Result<Self> {
        let features = features.into();
        if slides.len() != features.n_rows() {
            return Err(Error::input(
                "bags",
                format!("{} slides, one per row", features.n_rows()),
                slides.len().to_string(),
                "give the slide of every tile",
            ));
        }
        let mut start = 0;
        let runs = slides.chunk_by(|a, b| a.as_ref() == b.as_ref());
        let bags = runs.map(|run| {
            let rows = start..start + run.len();
            start = rows.end;
            Bag { id: run[0].as_ref().to_string(), rows }
        });
        Self::new(features.clone(), bags.collect())
    }

    /// Number of bags.
    pub fn n_bags(&self) -> usize {
        self.bags.len()
    }

    /// Every bag in order.
    pub fn bags(&self) -> &[Bag] {
        &self.bags
    }

    /// The matrix of all tiles.
    pub fn features(&self) -> &Matrix {
        &self.features
    }

    /// The given bags in the given order; positions must be below [`Bags::n_bags`].
    pub fn select(&self, bags: &[usize]) -> Result<Self> {
        check_positions(bags, self.n_bags())?;
        let picked = bags.iter().map(|&i| self.bags[i].clone()).collect();
        Ok(Self { features: self.features.clone(), bags: picked })
    }

    /// The mean embedding of each bag.
    pub fn mean_pooled(&self) -> Result<Matrix> {
        let dim = self.features.n_cols();
        let mut values = Vec::with_capacity(self.n_bags() * dim);
        for bag in &self.bags {
            let mut sums = vec![0.0_f64; dim];
            for row in bag.rows.clone() {
                for (sum, &x) in sums.iter_mut().zip(self.features.row(row)) {
                    *sum += f64::from(x);
                }
            }
            values.extend(sums.iter().map(|sum| (sum / bag.rows.len() as f64) as f32));
        }
        Matrix::new(self.n_bags(), dim, values)
    }
}

impl LabelledBags {
    /// Takes bags, class names, and a class index and a group name per bag.
    pub fn new<G: AsRef<str>>(
        bags: Bags,
        classes: Vec<String>,
        labels: Vec<u32>,
        groups: &[G],
    ) -> Result<Self> {
        let n = bags.n_bags();
        let known = labels.iter().all(|&l| (l as usize) < classes.len());
        if labels.len() != n || groups.len() != n || !known {
            return Err(Error::input(
                "labelled bags",
                format!("{n} labels below {} and {n} groups", classes.len()),
                format!("{} labels and {} groups", labels.len(), groups.len()),
                "give one label and one group per slide, and list every class",
            ));
        }
        let (groups, names) = numbered(groups.iter().map(AsRef::as_ref));
        let group_names = names.into_iter().map(str::to_string).collect();
        Ok(Self { bags, classes, labels, groups, group_names })
    }

    /// The bags without their labels.
    pub fn bags(&self) -> &Bags {
        &self.bags
    }

    /// Class names.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// A class index per bag.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// A group index per bag.
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// Group names.
    pub fn group_names(&self) -> &[String] {
        &self.group_names
    }
}

impl<'a> TrainBags<'a> {
    /// Every bag of a set, for work that holds nothing out of it.
    pub fn whole(set: &'a LabelledBags) -> Self {
        Self { set, bags: (0..set.bags.n_bags()).collect() }
    }

    /// Parts these bags by position; a group on both sides is refused.
    pub fn split(&self, fold: &Fold) -> Result<(Self, Bags)> {
        check_positions(&fold.train, self.n_bags())?;
        check_positions(&fold.held_out, self.n_bags())?;
        let of = |positions: &[usize]| -> Vec<usize> {
            positions.iter().map(|&i| self.bags[i]).collect()
        };
        let (train, held_out) = (of(&fold.train), of(&fold.held_out));
        let trained: HashMap<u32, usize> =
            train.iter().map(|&bag| (self.set.groups[bag], bag)).collect();
        for &bag in &held_out {
            let group = self.set.groups[bag];
            if let Some(&other) = trained.get(&group) {
                let name = |bag: usize| format!("slide {}", self.set.bags.bags[bag].id);
                return Err(Error::Leakage {
                    what: format!("group {}", self.set.group_names[group as usize]),
                    rows: vec![name(other), name(bag)],
                });
            }
        }
        Ok((Self { set: self.set, bags: train }, self.set.bags.select(&held_out)?))
    }

    /// Number of bags.
    pub fn n_bags(&self) -> usize {
        self.bags.len()
    }

    /// Class names, also those that no bag here has.
    pub fn classes(&self) -> &'a [String] {
        &self.set.classes
    }

    /// A class index per position.
    pub fn labels(&self) -> Vec<u32> {
        self.bags.iter().map(|&bag| self.set.labels[bag]).collect()
    }

    /// A group index per position.
    pub fn groups(&self) -> Vec<u32> {
        self.bags.iter().map(|&bag| self.set.groups[bag]).collect()
    }

    /// A group name per position.
    pub fn group_names(&self) -> Vec<&'a str> {
        let name = |&bag: &usize| self.set.group_names[self.set.groups[bag] as usize].as_str();
        self.bags.iter().map(name).collect()
    }

    /// Length of a tile's embedding.
    pub fn dim(&self) -> usize {
        self.set.bags.features.n_cols()
    }

    /// The bags without their labels.
    pub fn bags(&self) -> Result<Bags> {
        self.set.bags.select(&self.bags)
    }

    /// The matrix rows of position `i`.
    pub fn rows_of(&self, i: usize) -> Range<usize> {
        self.set.bags.bags[self.bags[i]].rows.clone()
    }

    /// A row of the matrix.
    pub fn row(&self, row: usize) -> &'a [f32] {
        self.set.bags.features.row(row)
    }
}

fn check_positions(positions: &[usize], n: usize) -> Result<()> {
    let mut seen = vec![false; n];
    for &at in positions {
        match seen.get_mut(at) {
            Some(taken) if !*taken => *taken = true,
            _ => {
                return Err(Error::input(
                    "bags",
                    format!("distinct positions below {n}"),
                    at.to_string(),
                    "make folds for the bags that are split",
                ));
            }
        }
    }
    Ok(())
}
