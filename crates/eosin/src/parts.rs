// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a task has before anything is embedded: the size of its parts, and the folds that they
//! allow.

use std::collections::{BTreeMap, BTreeSet};

use eosin_core::{Fold, Result, numbered};
use eosin_eval::bootstrap::FEWEST_GROUPS;
use eosin_eval::splits;

use crate::train_many::TrainPlan;
use eosin_select::numbered_by_name;
use eosin_session::config::{HoldOut, TaskConfig, part};
use eosin_session::dataset::TaskRows;
use eosin_session::exports::TEST;
use eosin_session::session::Session;
use eosin_study::{StudyConfig, seed_of};

/// The parts of a task with their sizes, and the folds of its training part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSizes {
    /// The task's name.
    pub task: String,
    /// Classes, the positive one last in a binary task.
    pub classes: Vec<String>,
    /// The training part, the test part where there is one, and what every centre has of either.
    pub parts: Vec<PartSize>,
    /// Folds that the work would make of the training part.
    pub folds: Vec<PlannedFolds>,
}

/// The size of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSize {
    /// Such as `train`, or `test, centre A`.
    pub name: String,
    /// Tiles.
    pub n_tiles: usize,
    /// Groups.
    pub n_groups: usize,
    /// Tiles per class.
    pub counts: Vec<usize>,
}

/// Folds that are asked for, and those that the groups allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFolds {
    /// What they are for.
    pub purpose: &'static str,
    /// Repeats and folds of each that are asked for.
    pub asked: (usize, usize),
    /// Repeats and folds of each that can be made; no folds where there can be no two.
    pub possible: (usize, usize),
    /// Where they are fewer or uneven, the reasons.
    pub reasons: Vec<String>,
}

/// What is counted of a row.
pub(crate) struct SizedRow {
    pub class: u32,
    pub group: String,
    pub centre: Option<String>,
}

/// Labels and group numbers of the rows that folds are made of.
struct Rows {
    labels: Vec<u32>,
    groups: Vec<u32>,
    n_classes: usize,
}

impl TaskSizes {
    /// The parts of a task.
    pub fn of(task: &str, rows: &TaskRows) -> Self {
        let mut sizes = Self::without_parts(task, rows.classes.clone());
        let row = |&i: &usize| SizedRow {
            class: rows.labels[i],
            group: rows.groups[i].clone(),
            centre: rows.centres.as_ref().map(|centres| centres[i].clone()),
        };
        for (name, positions) in [("train", &rows.split.train), (TEST, &rows.split.held_out)] {
            if !positions.is_empty() {
                sizes.add(name, &positions.iter().map(row).collect::<Vec<_>>());
            }
        }
        sizes
    }

    pub(crate) fn without_parts(task: &str, classes: Vec<String>) -> Self {
        Self { task: task.to_string(), classes, parts: Vec::new(), folds: Vec::new() }
    }

    /// Adds a part, and what every centre has of it.
    pub(crate) fn add(&mut self, name: &str, rows: &[SizedRow]) {
        let mut of_centre: BTreeMap<&str, Vec<&SizedRow>> = BTreeMap::new();
        for row in rows {
            if let Some(centre) = &row.centre {
                of_centre.entry(centre).or_default().push(row);
            }
        }
        self.parts.push(self.size(name.to_string(), &rows.iter().collect::<Vec<_>>()));
        for (centre, rows) in of_centre {
            self.parts.push(self.size(format!("{name}, centre {centre}"), &rows));
        }
    }

    fn size(&self, name: String, rows: &[&SizedRow]) -> PartSize {
        let mut counts = vec![0; self.classes.len()];
        for row in rows {
            counts[row.class as usize] += 1;
        }
        let groups: BTreeSet<&String> = rows.iter().map(|row| &row.group).collect();
        PartSize { name, n_tiles: rows.len(), n_groups: groups.len(), counts }
    }

    /// What a reader of the numbers must know: parts of one class, and parts of too few groups for
    /// an interval.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for part in self.parts.iter().filter(|part| part.name.starts_with(TEST)) {
            let missing = self.classes.iter().zip(&part.counts).filter(|(_, n)| **n == 0);
            for (class, _) in missing {
                notes.push(format!("{} has no tile of class {class}", part.name));
            }
            if part.n_groups < FEWEST_GROUPS {
                notes.push(format!(
                    "{} has {} of the {FEWEST_GROUPS} groups that an interval needs: its figures \
                     will have none",
                    part.name, part.n_groups
                ));
            }
        }
        notes
    }
}

/// Of `eosin run`: folds of the selection, and of the heads' tuning.
pub fn run_sizes(session: &Session) -> Result<TaskSizes> {
    let (mut sizes, rows) = target(session)?;
    sizes.folds = selection(session, &rows)?;
    sizes.folds.push(tuning(session, &rows)?);
    Ok(sizes)
}

/// Of `eosin select`: folds of the selection.
pub fn select_sizes(session: &Session) -> Result<TaskSizes> {
    let (mut sizes, rows) = target(session)?;
    sizes.folds = selection(session, &rows)?;
    Ok(sizes)
}

/// Of `eosin train`: every task with the folds of its heads' tuning; heads of slides are tuned on
/// slides, of whose folds nothing is said.
pub fn train_sizes(session: &Session, plan: &TrainPlan) -> Result<Vec<TaskSizes>> {
    let own = [session.config.run.task.clone()];
    let tasks = if plan.tasks.is_empty() { &own[..] } else { &plan.tasks[..] };
    let of_slides = |head: &String| session.registry.is_slide_head(head);
    let only_slides = !plan.heads.is_empty() && plan.heads.iter().all(of_slides);
    let sizes = |name: &String| {
        let task: TaskConfig = part(&session.config.configs, "task", name)?;
        let rows = session.rows(&task, &[])?;
        let mut sizes = TaskSizes::of(name, &rows);
        if !only_slides {
            sizes.folds.push(tuning(session, &rows)?);
        }
        Ok(sizes)
    };
    tasks.iter().map(sizes).collect()
}

/// Of `eosin study`: outer folds, and the fewest inner folds that an outer fold allows.
pub fn study_sizes(session: &Session, config: &StudyConfig) -> Result<TaskSizes> {
    let (mut sizes, rows) = target(session)?;
    let (design, seed) = (&config.design, session.config.run.seed);
    let train = Rows::of_training(&rows);
    let (outer, folds) = train.parted("outer folds", (design.repeats, design.folds), seed);
    let mut inner: Option<PlannedFolds> = None;
    for (at, fold) in folds.iter().enumerate() {
        let (repeat, fold_of_repeat) = (at / outer.possible.1, at % outer.possible.1);
        let seed = seed_of(seed, repeat, fold_of_repeat);
        let (found, _) =
            train.select(&fold.train).tried("inner folds", (1, design.inner_folds), seed)?;
        if inner.as_ref().is_none_or(|fewest| found.possible < fewest.possible) {
            inner = Some(found);
        }
    }
    sizes.folds.push(outer);
    sizes.folds.extend(inner);
    Ok(sizes)
}

fn target(session: &Session) -> Result<(TaskSizes, TaskRows)> {
    let rows = session.rows(&session.config.task, &[])?;
    Ok((TaskSizes::of(&session.config.run.task, &rows), rows))
}

fn tuning(session: &Session, rows: &TaskRows) -> Result<PlannedFolds> {
    let (training, seed) = (&session.config.run.training, session.config.run.seed);
    let asked = (training.repeats, training.folds);
    Ok(Rows::of_training(rows).tried("tuning of heads", asked, seed)?.0)
}

/// Folds of the target task that decide between backbones, and those within them on which the
/// choice is made again.
fn selection(session: &Session, rows: &TaskRows) -> Result<Vec<PlannedFolds>> {
    let (options, seed) = (&session.config.run.selection, session.config.run.seed);
    if session.config.task.kind != "labelled" {
        return Ok(Vec::new());
    }
    let mut train = Rows::of_training(rows);
    let of_training = |names: &[String]| -> Vec<u32> {
        numbered_by_name(&rows.split.train.iter().map(|&i| names[i].clone()).collect::<Vec<_>>())
    };
    train.groups = of_training(&rows.groups);
    let (outer, folds) = match (&options.hold_out, &rows.centres) {
        (HoldOut::Centre, Some(centres)) => {
            let centres = of_training(centres);
            let n_centres = centres.iter().max().map_or(0, |&last| last as usize + 1);
            let (purpose, asked) = ("selection, a fold per centre", (1, n_centres));
            match splits::leave_centre_out(&centres, &train.groups) {
                Ok(folds) => {
                    let possible = (1, folds.len());
                    (PlannedFolds { purpose, asked, possible, reasons: Vec::new() }, folds)
                }
                Err(error) => (PlannedFolds::none(purpose, asked, error.to_string()), Vec::new()),
            }
        }
        _ => train.tried("selection", (options.repeats, options.folds), seed)?,
    };
    let mut planned = vec![outer];
    if options.nested > 0 && !folds.is_empty() {
        let Rows { labels, groups, n_classes } = &train;
        let inner = splits::inner_folds(labels, groups, *n_classes, &folds, options.nested, seed)?;
        let fewest = inner.as_ref().and_then(|inner| inner.counts.iter().min()).copied();
        let reason = match fewest {
            Some(n) if n < options.nested => Some("some outer fold allows no more"),
            Some(_) => None,
            None => Some("some outer fold has a class in one group alone"),
        };
        planned.push(PlannedFolds {
            purpose: "what the choice gains",
            asked: (1, options.nested),
            possible: (1, fewest.unwrap_or(0)),
            reasons: reason.map(str::to_string).into_iter().collect(),
        });
    }
    Ok(planned)
}

impl Rows {
    fn of_training(rows: &TaskRows) -> Self {
        let (groups, _) = numbered(rows.groups.iter().map(String::as_str));
        Self {
            labels: rows.split.train.iter().map(|&i| rows.labels[i]).collect(),
            groups: rows.split.train.iter().map(|&i| groups[i]).collect(),
            n_classes: rows.classes.len(),
        }
    }

    fn select(&self, positions: &[usize]) -> Self {
        Self {
            labels: positions.iter().map(|&i| self.labels[i]).collect(),
            groups: positions.iter().map(|&i| self.groups[i]).collect(),
            n_classes: self.n_classes,
        }
    }

    /// What becomes of the (repeats, folds) that are asked for, where no class may be in one group
    /// alone.
    fn tried(
        &self,
        purpose: &'static str,
        asked: (usize, usize),
        seed: u64,
    ) -> Result<(PlannedFolds, Vec<Fold>)> {
        if splits::feasible_folds(&self.labels, &self.groups, self.n_classes, asked.1)? < 2 {
            let reason = "a class has tiles in one group alone".to_string();
            return Ok((PlannedFolds::none(purpose, asked, reason), Vec::new()));
        }
        Ok(self.parted(purpose, asked, seed))
    }

    /// What becomes of the (repeats, folds) that are asked for.
    fn parted(
        &self,
        purpose: &'static str,
        asked: (usize, usize),
        seed: u64,
    ) -> (PlannedFolds, Vec<Fold>) {
        let Self { labels, groups, n_classes } = self;
        match splits::repeated(labels, groups, *n_classes, asked.1, asked.0, seed) {
            Ok(found) => {
                let possible = (found.repeats, found.k);
                (PlannedFolds { purpose, asked, possible, reasons: found.notes }, found.folds)
            }
            Err(error) => (PlannedFolds::none(purpose, asked, error.to_string()), Vec::new()),
        }
    }
}

impl PlannedFolds {
    fn none(purpose: &'static str, asked: (usize, usize), reason: String) -> Self {
        Self { purpose, asked, possible: (0, 0), reasons: vec![reason] }
    }
}
