// SPDX-License-Identifier: MIT OR Apache-2.0

//! A manifest as the rows of tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use eosin_core::{
    Error, Fold, LabelledSet, Matrix, ProxyRows, Result, TileMeta, ViewBank, nearest,
};
use eosin_tile::{Manifest, ManifestRow};

use crate::config::TaskConfig;
use crate::embed::Skipped;

/// Column of the manifest with the centre that a tile comes from.
const CENTRE: &str = "centre";

/// A manifest and the tiles of it that could be embedded under every backbone.
pub struct Dataset {
    manifest: Manifest,
}

/// The rows of a manifest that a task uses, in manifest order.
#[derive(Clone, Debug)]
pub struct TaskRows {
    /// Tile ids.
    pub tile_ids: Vec<String>,
    /// Class names, the positive class last in a binary task.
    pub classes: Vec<String>,
    /// Class index per row.
    pub labels: Vec<u32>,
    /// Group name per row.
    pub groups: Vec<String>,
    /// Centre per row, where the manifest has the column `centre`.
    pub centres: Option<Vec<String>>,
    /// Positions to fit on and to test on; `held_out` is empty where the task has no test part.
    pub split: Fold,
    /// Things a reader of the report must know.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// Takes a manifest.
    pub fn new(manifest: Manifest) -> Self {
        Self { manifest }
    }

    /// Number of tiles that the manifest lists.
    pub fn n_tiles(&self) -> usize {
        self.manifest.rows().len()
    }

    /// The manifest itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Lines of the part that `task` fits on, whatever their class, without tiles that were
    /// skipped.
    pub fn training_lines(
        &self,
        task: &TaskConfig,
        skipped: &[Skipped],
    ) -> Result<Vec<&ManifestRow>> {
        let skipped: BTreeSet<&str> = skipped.iter().map(|s| s.tile.as_str()).collect();
        Ok(self
            .where_rows(task)?
            .into_iter()
            .filter(|row| !skipped.contains(row.path.as_str()))
            .filter(|row| task.train.is_empty() || in_part(&task.train, row))
            .filter(|row| task.test.is_empty() || !in_part(&task.test, row))
            .collect())
    }

    /// The cells of a column for the given tiles; an empty one is an error.
    pub fn cells(&self, column: &str, tile_ids: &[String]) -> Result<Vec<String>> {
        self.require_column(column)?;
        let rows: BTreeMap<&str, &ManifestRow> =
            self.manifest.rows().iter().map(|row| (row.path.as_str(), row)).collect();
        let cell = |id: &String| {
            let cell = rows.get(id.as_str()).and_then(|row| row.column(column));
            cell.map(str::to_string).ok_or_else(|| {
                Error::data(
                    self.manifest.file(),
                    format!("`{column}` of every tile"),
                    format!("none for {id}"),
                    "fill the cell, or leave the tile out",
                )
            })
        };
        tile_ids.iter().map(cell).collect()
    }

    /// The rows that `task` uses, without tiles that were skipped.
    pub fn rows(&self, task: &TaskConfig, skipped: &[Skipped]) -> Result<TaskRows> {
        let file = self.manifest.file();
        self.require_columns(task)?;
        if let Some(first) = skipped.first().filter(|_| skipped.len() >= self.n_tiles()) {
            return Err(Error::data(
                file,
                "tiles that can be read, or that were embedded before",
                format!("none of {}; {}: {}", self.n_tiles(), first.tile, first.reason),
                "are the images where the manifest says, and is their disk mounted?",
            ));
        }
        let skipped: BTreeSet<&str> = skipped.iter().map(|s| s.tile.as_str()).collect();
        let mut warnings = Vec::new();
        let rows: Vec<&ManifestRow> = self
            .where_rows(task)?
            .into_iter()
            .filter(|row| !skipped.contains(row.path.as_str()))
            .filter(|row| row.column(&task.column).is_some_and(|c| is_listed(&task.classes, c)))
            .filter(|row| used_split(task, row))
            .collect();
        let classes = classes(task, &rows);
        if classes.len() < 2 {
            return Err(Error::data(
                file,
                format!("at least two classes in column `{}`", task.column),
                if classes.is_empty() { "none".into() } else { classes.join(", ") },
                "a head needs tiles of every class; check `classes`, `train` and `test` of the task",
            ));
        }
        if let Some(positive) = &task.positive
            && classes.last() != Some(positive)
        {
            return Err(Error::data(
                file,
                format!("tiles of the positive class `{positive}` in column `{}`", task.column),
                classes.join(", "),
                nearest(positive, classes.iter().map(String::as_str)).map_or_else(
                    || "mend `positive` of the task".into(),
                    |near| format!("did you mean `{near}`?"),
                ),
            ));
        }
        warnings.extend(unused_names(task, &classes, &rows));
        let ungrouped = rows.iter().filter(|r| r.column(&task.group).is_none()).count();
        if ungrouped > 0 {
            warnings.push(format!(
                "{ungrouped} tiles have no `{}`: each counts as a group of its own, so intervals \
                 are too narrow if some come from one patient",
                task.group
            ));
        }
        let index: BTreeMap<&str, u32> =
            classes.iter().enumerate().map(|(i, c)| (c.as_str(), i as u32)).collect();
        let labels = rows
            .iter()
            .map(|r| r.column(&task.column).and_then(|c| index.get(c)).copied().unwrap_or(0))
            .collect();
        let split = split(task, &rows);
        let has_centres = self.manifest.columns().iter().any(|c| c == CENTRE);
        let centre = |r: &&ManifestRow| r.column(CENTRE).unwrap_or("unknown").to_string();
        let task_rows = TaskRows {
            tile_ids: rows.iter().map(|r| r.path.clone()).collect(),
            labels,
            groups: rows
                .iter()
                .map(|r| r.column(&task.group).unwrap_or(&r.path).to_string())
                .collect(),
            centres: has_centres.then(|| rows.iter().map(centre).collect()),
            split,
            classes,
            warnings,
        };
        task_rows.check(file, task)?;
        Ok(task_rows)
    }

    /// The rows that meet the task's condition.
    #[cfg(feature = "sql")]
    pub fn where_rows(&self, task: &TaskConfig) -> Result<Vec<&ManifestRow>> {
        let all = self.manifest.rows();
        let Some(condition) = &task.condition else { return Ok(all.iter().collect()) };
        let columns = self.manifest.columns();
        let cell = |row: &ManifestRow, name: &String| {
            // The path as a tile id, not as it was written.
            if name == "path" { row.path.clone() } else { row.column(name).unwrap_or("").into() }
        };
        let mut table = eosin_query::TextTable::new(columns)?;
        for row in all {
            table.push(columns.iter().map(|name| cell(row, name)))?;
        }
        Ok(eosin_query::filter_rows(&table, condition)?.into_iter().map(|i| &all[i]).collect())
    }

    /// The rows of a task; a condition on them needs the feature `sql`.
    #[cfg(not(feature = "sql"))]
    pub fn where_rows(&self, task: &TaskConfig) -> Result<Vec<&ManifestRow>> {
        match &task.condition {
            None => Ok(self.manifest.rows().iter().collect()),
            Some(_) => Err(Error::unsupported(
                "`where` in a task",
                &["tasks without it"],
                "build with `--features sql`",
            )),
        }
    }

    fn require_columns(&self, task: &TaskConfig) -> Result<()> {
        self.require_column(&task.column)?;
        if !task.train.is_empty() || !task.test.is_empty() {
            self.require_column("split")?;
        }
        Ok(())
    }

    /// Refuses a column that the manifest lacks.
    pub fn require_column(&self, column: &str) -> Result<()> {
        let columns = self.manifest.columns();
        if columns.iter().any(|c| c == column) {
            return Ok(());
        }
        Err(Error::data(
            self.manifest.file(),
            format!("a column named {column}"),
            format!("the columns {}", columns.join(", ")),
            nearest(column, columns.iter().map(String::as_str)).map_or_else(
                || "add the column, or name another in the task".into(),
                |near| format!("did you mean `{near}`?"),
            ),
        ))
    }
}

impl TaskRows {
    /// The rows with their embeddings: `embedding` holds one row per tile id, in order.
    pub fn labelled(&self, embeddings: Matrix, bank: Option<ViewBank>) -> Result<LabelledSet> {
        let set =
            LabelledSet::new(embeddings, self.classes.clone(), self.labels.clone(), &self.groups)?;
        match bank {
            Some(bank) => set.with_bank(bank),
            None => Ok(set),
        }
    }

    /// The rows as a proxy's kind is given them; `metas[i]` is what the store knows of row i.
    pub fn of_proxy<'a>(&'a self, metas: &'a [TileMeta]) -> ProxyRows<'a> {
        let Self { classes, labels, groups, .. } = self;
        ProxyRows { classes, labels, groups, metas }
    }

    /// Tile ids of the rows to fit on.
    pub fn train_ids(&self) -> Vec<String> {
        self.split.train.iter().map(|&i| self.tile_ids[i].clone()).collect()
    }

    /// Only the rows to fit on; nothing is held out any more.
    pub fn train_only(&self) -> Self {
        let pick =
            |i: &usize| (self.tile_ids[*i].clone(), self.labels[*i], self.groups[*i].clone());
        let picked: Vec<_> = self.split.train.iter().map(pick).collect();
        Self {
            tile_ids: picked.iter().map(|p| p.0.clone()).collect(),
            labels: picked.iter().map(|p| p.1).collect(),
            groups: picked.iter().map(|p| p.2.clone()).collect(),
            centres: self
                .centres
                .as_ref()
                .map(|centres| self.split.train.iter().map(|&i| centres[i].clone()).collect()),
            classes: self.classes.clone(),
            split: Fold { train: (0..picked.len()).collect(), held_out: Vec::new() },
            warnings: self.warnings.clone(),
        }
    }

    /// Rows and groups per class name among the given positions.
    pub fn counts(&self, positions: &[usize]) -> BTreeMap<String, u64> {
        let mut counts: BTreeMap<String, u64> =
            self.classes.iter().map(|c| (c.clone(), 0)).collect();
        for &i in positions {
            *counts.entry(self.classes[self.labels[i] as usize].clone()).or_default() += 1;
        }
        counts
    }

    /// Number of different groups among the given positions.
    pub fn n_groups(&self, positions: &[usize]) -> usize {
        positions.iter().map(|&i| self.groups[i].as_str()).collect::<BTreeSet<_>>().len()
    }

    fn check(&self, file: &Path, task: &TaskConfig) -> Result<()> {
        let parts =
            [("train", &self.split.train, &task.train), ("test", &self.split.held_out, &task.test)];
        for (name, positions, names) in parts {
            if name == "test" && names.is_empty() {
                continue;
            }
            if positions.is_empty() {
                return Err(Error::data(
                    file,
                    format!("tiles of the {name} part ({})", names.join(", ")),
                    "none",
                    format!("check the column `split` and `{name}` of the task"),
                ));
            }
            if let Some((class, _)) = self.counts(positions).iter().find(|(_, n)| **n == 0) {
                return Err(Error::data(
                    file,
                    format!("tiles of class `{class}` in the {name} part"),
                    "none",
                    "a part with one class can be neither fitted nor scored; change the split",
                ));
            }
        }
        Ok(())
    }
}

fn is_listed(classes: &[String], class: &str) -> bool {
    classes.is_empty() || classes.iter().any(|c| c == class)
}

fn in_part(part: &[String], row: &ManifestRow) -> bool {
    row.split().is_some_and(|split| part.iter().any(|p| p == split))
}

fn used_split(task: &TaskConfig, row: &ManifestRow) -> bool {
    task.train.is_empty() || in_part(&task.train, row) || in_part(&task.test, row)
}

/// The classes that occur, in the task's order or sorted, the positive one last.
fn classes(task: &TaskConfig, rows: &[&ManifestRow]) -> Vec<String> {
    let present: BTreeSet<&str> = rows.iter().filter_map(|r| r.column(&task.column)).collect();
    let mut classes: Vec<String> = if task.classes.is_empty() {
        present.iter().map(ToString::to_string).collect()
    } else {
        task.classes.iter().filter(|c| present.contains(c.as_str())).cloned().collect()
    };
    if let Some(at) = classes.iter().position(|c| Some(c) == task.positive.as_ref()) {
        let positive = classes.remove(at);
        classes.push(positive);
    }
    classes
}

/// Names of the task that no row has, such as one that is misspelt: its rows would be missed
/// without a word.
fn unused_names(task: &TaskConfig, classes: &[String], rows: &[&ManifestRow]) -> Vec<String> {
    let unused = task.classes.iter().filter(|class| !classes.contains(class));
    let mut told: Vec<String> = unused
        .map(|class| format!("no tile in use has the class `{class}` in column `{}`", task.column))
        .collect();
    let splits: BTreeSet<&str> = rows.iter().filter_map(|row| row.split()).collect();
    let parts = task.train.iter().chain(&task.test);
    let unused = parts.filter(|part| !splits.contains(part.as_str()));
    told.extend(unused.map(|part| format!("no tile in use has `{part}` in column `split`")));
    told
}

fn split(task: &TaskConfig, rows: &[&ManifestRow]) -> Fold {
    let (mut train, mut held_out) = (Vec::new(), Vec::new());
    for (i, row) in rows.iter().enumerate() {
        if !task.test.is_empty() && in_part(&task.test, row) {
            held_out.push(i);
        } else {
            train.push(i);
        }
    }
    Fold { train, held_out }
}
