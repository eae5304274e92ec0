// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use crate::{Error, Matrix, Result, numbered};

/// Embeddings with labels and groups: what selection, augmentation and heads work on.
///
/// Rows are tiles; `classes[labels[i]]` is row i's class and `group_names[groups[i]]` its group.
#[derive(Clone, Debug)]
pub struct LabelledSet {
    features: Arc<Matrix>,
    bank: Option<ViewBank>,
    classes: Vec<String>,
    labels: Vec<u32>,
    groups: Vec<u32>,
    group_names: Vec<String>,
}

/// Embeddings of several augmented images of tiles; test tiles need none, so a tile may have none.
#[derive(Clone, Debug)]
pub struct ViewBank {
    n_views: usize,
    embeddings: Arc<Matrix>,
    /// How each view was made, as numbers; one row per row of the embeddings.
    parameters: Option<Arc<Matrix>>,
    /// Where each row's views begin, in units of `n_views`.
    slots: Vec<Option<u32>>,
}

impl LabelledSet {
    /// Takes N × D features, class names, a class index and a group name per row.
    pub fn new<G: AsRef<str>>(
        features: impl Into<Arc<Matrix>>,
        classes: Vec<String>,
        labels: Vec<u32>,
        groups: &[G],
    ) -> Result<Self> {
        let features = features.into();
        let n = features.n_rows();
        if labels.len() != n || groups.len() != n {
            return Err(Error::input(
                "labelled set",
                format!("{n} labels and groups"),
                format!("{} labels and {} groups", labels.len(), groups.len()),
                "give one label and one group per row",
            ));
        }
        if let Some(label) = labels.iter().find(|&&l| l as usize >= classes.len()) {
            return Err(Error::input(
                "labelled set",
                format!("class indices below {}", classes.len()),
                label.to_string(),
                "list every class",
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
        let (groups, names) = numbered(groups.iter().map(AsRef::as_ref));
        let group_names = names.into_iter().map(str::to_string).collect();
        Ok(Self { features, bank: None, classes, labels, groups, group_names })
    }

    /// Adds a bank of views of the same tiles.
    pub fn with_bank(mut self, bank: ViewBank) -> Result<Self> {
        if bank.slots.len() != self.n_rows() || bank.embeddings.n_cols() != self.features.n_cols() {
            return Err(Error::input(
                "view bank",
                format!("{} tiles of {} values", self.n_rows(), self.features.n_cols()),
                format!("{} tiles of {} values", bank.slots.len(), bank.embeddings.n_cols()),
                "embed the bank for the same tiles, under the same backbone",
            ));
        }
        self.bank = Some(bank);
        Ok(self)
    }

    /// The same rows under other labels of the same classes, such as permuted ones.
    pub fn relabelled(&self, labels: Vec<u32>) -> Result<Self> {
        let sound = labels.iter().all(|&l| (l as usize) < self.classes.len());
        if labels.len() != self.n_rows() || !sound {
            return Err(Error::input(
                "labels",
                format!("{} class indices below {}", self.n_rows(), self.classes.len()),
                format!("{} labels", labels.len()),
                "give one label per row",
            ));
        }
        Ok(Self { labels, ..self.clone() })
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.labels.len()
    }

    /// N × D.
    pub fn features(&self) -> &Matrix {
        &self.features
    }

    /// The bank of views, where one was made.
    pub fn bank(&self) -> Option<&ViewBank> {
        self.bank.as_ref()
    }

    /// Class names.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// A class index per row.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// A group index per row.
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// Group names.
    pub fn group_names(&self) -> &[String] {
        &self.group_names
    }
}

impl ViewBank {
    /// Takes N·V × D embeddings of all N tiles, the V views of a tile together.
    pub fn new(n_views: usize, embeddings: impl Into<Arc<Matrix>>) -> Result<Self> {
        let embeddings = embeddings.into();
        let n_tiles = embeddings.n_rows().checked_div(n_views).unwrap_or(0);
        let rows: Vec<usize> = (0..n_tiles).collect();
        Self::partial(n_views, embeddings, &rows, n_tiles)
    }

    /// Takes the views of some tiles: the k-th V rows are the views of tile `rows[k]` of `n_tiles`.
    pub fn partial(
        n_views: usize,
        embeddings: impl Into<Arc<Matrix>>,
        rows: &[usize],
        n_tiles: usize,
    ) -> Result<Self> {
        let embeddings = embeddings.into();
        if n_views == 0 || embeddings.n_rows() != rows.len() * n_views {
            return Err(Error::input(
                "view bank",
                format!("{} × {n_views} rows, at least one view", rows.len()),
                embeddings.n_rows().to_string(),
                "embed the same number of views for every tile",
            ));
        }
        let mut slots = vec![None; n_tiles];
        for (slot, &row) in rows.iter().enumerate() {
            match slots.get_mut(row) {
                Some(free @ None) => *free = Some(slot as u32),
                _ => {
                    return Err(Error::input(
                        "view bank",
                        format!("distinct tiles below {n_tiles}"),
                        row.to_string(),
                        "name every tile once",
                    ));
                }
            }
        }
        Ok(Self { n_views, embeddings, parameters: None, slots })
    }

    /// Adds how each view was made, one row of numbers per row of the embeddings.
    pub fn with_parameters(mut self, parameters: impl Into<Arc<Matrix>>) -> Result<Self> {
        let parameters = parameters.into();
        let sound = parameters.n_rows() == self.embeddings.n_rows()
            && parameters.n_cols() > 0
            && parameters.first_bad_row().is_none();
        if !sound {
            return Err(Error::input(
                "parameters of views",
                format!("finite numbers, {} rows of at least one", self.embeddings.n_rows()),
                format!("{} × {}", parameters.n_rows(), parameters.n_cols()),
                "give them for every view of the bank",
            ));
        }
        self.parameters = Some(parameters);
        Ok(self)
    }

    /// Views per tile.
    pub fn n_views(&self) -> usize {
        self.n_views
    }

    /// View `view` of tile `row`, where the tile has views.
    pub fn row(&self, row: usize, view: usize) -> Option<&[f32]> {
        Some(self.embeddings.row(self.place(row, view)?))
    }

    /// How view `view` of tile `row` was made, where that is known.
    pub fn parameters(&self, row: usize, view: usize) -> Option<&[f32]> {
        Some(self.parameters.as_ref()?.row(self.place(row, view)?))
    }

    fn place(&self, row: usize, view: usize) -> Option<usize> {
        let slot = (*self.slots.get(row)?)? as usize;
        (view < self.n_views).then_some(slot * self.n_views + view)
    }
}
