// SPDX-License-Identifier: MIT OR Apache-2.0

//! From a manifest to the rows that a proxy asks about.

use std::collections::BTreeSet;

use eosin_core::{Error, Fold, Result};
use eosin_proxy::proxies::terciles;
use eosin_report::pca::evenly;
use eosin_tile::ManifestRow;

use super::{ProxyKind, Reads};
use eosin_session::config::TaskConfig;
use eosin_session::dataset::{Dataset, TaskRows};
use eosin_session::embed::Skipped;

/// The rows of a task's training part, with classes as the kind reads them.
pub(super) fn rows(
    dataset: &Dataset,
    task: &TaskConfig,
    kind: &dyn ProxyKind,
    skipped: &[Skipped],
) -> Result<TaskRows> {
    let rows = match kind.reads() {
        Reads::Classes => dataset.rows(task, skipped)?.train_only(),
        Reads::Numbers => by_number(dataset, task, skipped)?,
        Reads::Nothing => by_class_if_any(dataset, task, skipped)?,
    };
    Ok(match kind.max_rows() {
        Some(most) if most < rows.tile_ids.len() => {
            let kept = evenly(rows.tile_ids.len(), most);
            let split = Fold { train: kept, held_out: Vec::new() };
            TaskRows { split, ..rows }.train_only()
        }
        _ => rows,
    })
}

fn by_number(dataset: &Dataset, task: &TaskConfig, skipped: &[Skipped]) -> Result<TaskRows> {
    let mut lines: Vec<(&ManifestRow, f64)> = Vec::new();
    for row in dataset.training_lines(task, skipped)? {
        let Some(cell) = row.column(&task.column) else { continue };
        match cell.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => lines.push((row, number)),
            // How some programs write a cell that is missing.
            Ok(number) if number.is_nan() => {}
            _ => {
                return Err(Error::data(
                    dataset.manifest().file(),
                    format!("numbers in column `{}`", task.column),
                    format!("`{cell}` for {}", row.path),
                    "write it with a point and without a unit, or leave the cell empty",
                ));
            }
        }
    }
    let values: Vec<f64> = lines.iter().map(|l| l.1).collect();
    let labels = terciles(&values).map_err(|error| {
        Error::data(
            dataset.manifest().file(),
            format!("numbers in column `{}`", task.column),
            error.to_string(),
            "measure it for every tile, or name another column in the task",
        )
    })?;
    let lines: Vec<&ManifestRow> = lines.into_iter().map(|l| l.0).collect();
    Ok(made(task, &lines, ["low", "middle", "high"].map(String::from).to_vec(), labels))
}

fn by_class_if_any(dataset: &Dataset, task: &TaskConfig, skipped: &[Skipped]) -> Result<TaskRows> {
    let lines = dataset.training_lines(task, skipped)?;
    let class = |row: &&ManifestRow| {
        let class = row.column(&task.column)?.to_string();
        (task.classes.is_empty() || task.classes.contains(&class)).then_some(class)
    };
    let present: BTreeSet<String> = lines.iter().filter_map(class).collect();
    if present.len() < 2 {
        let labels = vec![0; lines.len()];
        return Ok(made(task, &lines, vec!["all".into()], labels));
    }
    let classes: Vec<String> = present.into_iter().collect();
    let index = |row: &&ManifestRow| classes.binary_search(&class(row)?).ok().map(|c| c as u32);
    let labelled: Vec<(&ManifestRow, u32)> =
        lines.iter().filter_map(|row| Some((*row, index(row)?))).collect();
    let labels = labelled.iter().map(|l| l.1).collect();
    let lines: Vec<&ManifestRow> = labelled.into_iter().map(|l| l.0).collect();
    Ok(made(task, &lines, classes.clone(), labels))
}

fn made(
    task: &TaskConfig,
    lines: &[&ManifestRow],
    classes: Vec<String>,
    labels: Vec<u32>,
) -> TaskRows {
    let group = |row: &&ManifestRow| row.column(&task.group).unwrap_or(&row.path).to_string();
    TaskRows {
        centres: None,
        tile_ids: lines.iter().map(|r| r.path.clone()).collect(),
        groups: lines.iter().map(group).collect(),
        split: Fold { train: (0..lines.len()).collect(), held_out: Vec::new() },
        warnings: Vec::new(),
        classes,
        labels,
    }
}
