// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the tiles of an input are labelled.

use std::collections::BTreeMap;
use std::path::Path;

use eosin_core::{Error, Result, TileMeta};
use eosin_tile::{Manifest, SourceKind, detect_with};

use eosin_session::config::{TaskConfig, part};
use eosin_session::dataset::Dataset;
use eosin_session::input::opener_of;
use eosin_session::{Registry, RegistryExt};

/// How rows are labelled.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabelOptions<'a> {
    /// A task of `configs/task`, whose test part is taken.
    pub task: Option<&'a str>,
    /// Column with the class, where no task says it.
    pub column: Option<&'a str>,
    /// Column with the unit over which intervals are made, where no task says it.
    pub group: Option<&'a str>,
    /// A CSV or Parquet file with a line per slide or tile, for inputs that are no manifest; its
    /// column `path` names the slide or the tile.
    pub labels: Option<&'a Path>,
}

/// One tile's label.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub class: u32,
    pub group: String,
    pub centre: Option<String>,
    pub slide: String,
}

/// The labels of an input's tiles by position, and what was left out.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub of_tile: BTreeMap<usize, Label>,
    /// Tiles of classes that the head does not know, by class.
    pub foreign: BTreeMap<String, usize>,
    /// Tiles without a label.
    pub unlabelled: usize,
    /// Tiles without a group.
    pub ungrouped: usize,
}

impl LabelOptions<'_> {
    /// The task, from its file or from the columns.
    pub(super) fn task(&self, configs: &Path) -> Result<TaskConfig> {
        let mut task: TaskConfig = match self.task {
            Some(name) => part(configs, "task", name)?,
            None => toml::from_str("description = \"\"").map_err(|e| {
                Error::input("task", "a task of defaults", e.to_string(), "name one with --task")
            })?,
        };
        if let Some(column) = self.column {
            task.column = column.to_string();
        }
        if let Some(group) = self.group {
            task.group = group.to_string();
        }
        Ok(task)
    }

    /// Labels the tiles of an input.
    pub(super) fn read(
        &self,
        input: &Path,
        tiles: &[TileMeta],
        task: &TaskConfig,
        classes: &[String],
        registry: &Registry,
    ) -> Result<Labels> {
        let is_manifest = opener_of(input, registry).is_none()
            && detect_with(input, &registry.readers())? == SourceKind::Manifest;
        let file = match self.labels {
            Some(file) => file,
            None if is_manifest => input,
            None => {
                return Err(Error::input(
                    input.display().to_string(),
                    "labels",
                    "a folder or slide, which has none",
                    "name a CSV of the columns path, label and group with --labels; path is the \
                     slide's name or the tile's path in the folder",
                ));
            }
        };
        let dataset = Dataset::new(Manifest::read(file)?);
        dataset.require_column(&task.column)?;
        if !task.train.is_empty() || !task.test.is_empty() {
            dataset.require_column("split")?;
        }
        let used = |split: Option<&str>| {
            let among = |names: &[String]| names.iter().any(|n| Some(n.as_str()) == split);
            if task.test.is_empty() { !among(&task.train) } else { among(&task.test) }
        };
        let rows = dataset.where_rows(task)?;
        let rows: BTreeMap<&str, _> = rows
            .into_iter()
            .filter(|row| used(row.split()))
            .map(|row| (row.path.as_str(), row))
            .collect();
        let mut found = Labels::default();
        for (at, tile) in tiles.iter().enumerate() {
            let row = rows.get(tile.tile_id.as_str()).or_else(|| rows.get(tile.slide.as_str()));
            let Some(row) = row else { continue };
            let Some(class) = row.column(&task.column) else {
                found.unlabelled += 1;
                continue;
            };
            let listed = task.classes.is_empty() || task.classes.iter().any(|c| c == class);
            let Some(index) = classes.iter().position(|c| c == class).filter(|_| listed) else {
                *found.foreign.entry(class.to_string()).or_default() += 1;
                continue;
            };
            let group = row.column(&task.group);
            found.ungrouped += usize::from(group.is_none());
            let label = Label {
                class: index as u32,
                group: group.unwrap_or(&row.path).to_string(),
                centre: row.centre().map(str::to_string),
                slide: row.column(&task.slide).unwrap_or(&tile.slide).to_string(),
            };
            found.of_tile.insert(at, label);
        }
        if found.of_tile.is_empty() {
            let others: Vec<&str> = found.foreign.keys().map(String::as_str).collect();
            return Err(Error::data(
                file,
                format!(
                    "tiles with a class of the head ({}) in column `{}`",
                    classes.join(", "),
                    task.column
                ),
                if others.is_empty() { "none".into() } else { others.join(", ") },
                "check the column, and `train`, `test` and `where` of the task",
            ));
        }
        Ok(found)
    }
}
