// SPDX-License-Identifier: MIT OR Apache-2.0

//! A saved head on labelled tiles or slides that it never saw.

mod labels;
mod report;
mod training;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eosin_core::{EmbeddingBatch, Error, Probabilities, Progress, Result, TileMeta, numbered};
use eosin_report::{EvaluationReport, render_evaluation_html};

use self::labels::Label;
pub use self::labels::LabelOptions;
use crate::apply::{AnyHead, Applicable, ApplyOptions, Opened, predict_slides};
use crate::parts::{SizedRow, TaskSizes};
use eosin_session::config::EvaluationConfig;
use eosin_session::embed::Skipped;
use eosin_session::evaluate::Scored;
use eosin_session::exports::{Exports, Predictions, RowName, TEST};
use eosin_session::opened;
use eosin_session::writable::require_writable;
use eosin_session::writable::write;

/// What to evaluate a head on.
#[derive(Clone, Debug)]
pub struct EvaluateOptions<'a> {
    /// Manifests, folders of images and slides.
    pub data: &'a [PathBuf],
    /// How rows are labelled.
    pub labels: LabelOptions<'a>,
    /// The head, and how it is applied.
    pub apply: ApplyOptions<'a>,
    /// Folder for the report and the predictions.
    pub out: &'a Path,
    /// Shares of positives that somebody states.
    pub prevalence: &'a [f64],
    /// Why rows of the head's training are evaluated on all the same.
    pub allow_leakage: Option<&'a str>,
    /// How intervals are made.
    pub evaluation: EvaluationConfig,
    /// Seed of the bootstrap.
    pub seed: u64,
}

/// What evaluating left behind.
#[derive(Clone, Debug)]
pub struct EvaluateOutcome {
    /// The report, as it was written.
    pub report: EvaluationReport,
    /// `evaluation.json`.
    pub json: PathBuf,
    /// `evaluation.html`.
    pub html: PathBuf,
    /// Tiles that were left out.
    pub skipped: Vec<Skipped>,
}

/// A labelled tile.
#[derive(Clone, Debug)]
struct Row {
    meta: TileMeta,
    label: Label,
}

/// An input with the labels of its tiles.
struct Input<'a> {
    path: &'a Path,
    opened: Opened,
    rows: Vec<Row>,
}

/// What the head said of every row, tiles or slides.
struct Judged {
    names: Vec<RowName>,
    labels: Vec<u32>,
    raw: Vec<f64>,
}

/// All that the report is made of.
struct Evaluated<'a> {
    options: &'a EvaluateOptions<'a>,
    applicable: &'a Applicable,
    columns: [String; 2],
    names: Arc<[RowName]>,
    scored: Scored,
    skipped: &'a [Skipped],
    notes: Vec<String>,
    warnings: Vec<String>,
    n_opened: u64,
}

/// Labels of the inputs, and what a reader must know of them.
struct Gathered<'a> {
    inputs: Vec<Input<'a>>,
    columns: [String; 2],
    warnings: Vec<String>,
}

/// What an evaluation would be of, before anything is embedded.
#[derive(Clone, Debug)]
pub struct PlannedEvaluation {
    /// The tiles, all of them the test part, and what every centre has of them.
    pub sizes: TaskSizes,
    /// What was left out, and what is known of the head's training.
    pub notes: Vec<String>,
}

/// Opens everything and says what would be evaluated; refuses what [`evaluate`] would refuse before
/// it embeds.
pub fn check_evaluate(options: &EvaluateOptions) -> Result<PlannedEvaluation> {
    let applicable = Applicable::open(&options.apply)?;
    let Gathered { inputs, warnings: mut notes, .. } = gather(options, &applicable)?;
    let rows: Vec<Row> = inputs.into_iter().flat_map(|input| input.rows).collect();
    let known = training::check(&applicable.file, &rows, options.allow_leakage)?;
    notes.extend(known.notes.into_iter().chain(known.warnings));
    require_writable(options.out)?;
    require_writable(options.apply.store)?;
    let task = options.labels.task.unwrap_or("evaluation");
    let mut sizes = TaskSizes::without_parts(task, applicable.file.record.classes.clone());
    let sized = |row: &Row| SizedRow {
        class: row.label.class,
        group: row.label.group.clone(),
        centre: row.label.centre.clone(),
    };
    sizes.add(TEST, &rows.iter().map(sized).collect::<Vec<_>>());
    Ok(PlannedEvaluation { sizes, notes })
}

/// Embeds what is not embedded yet, applies the head, and writes the report and its predictions.
pub fn evaluate(options: &EvaluateOptions, progress: &dyn Progress) -> Result<EvaluateOutcome> {
    let applicable = Applicable::open(&options.apply)?;
    let Gathered { inputs, columns, mut warnings } = gather(options, &applicable)?;
    let all: Vec<Row> = inputs.iter().flat_map(|input| input.rows.clone()).collect();
    let file = &applicable.file;
    let known = training::check(file, &all, options.allow_leakage)?;
    warnings.extend(known.warnings);

    let mut judged = Judged { names: Vec::new(), labels: Vec::new(), raw: Vec::new() };
    let mut skipped = Vec::new();
    for input in &inputs {
        let wanted: BTreeSet<String> =
            input.rows.iter().map(|row| row.meta.tile_id.clone()).collect();
        let (outcome, mut batch) =
            applicable.embed(input.path, &input.opened, Some(&wanted), &options.apply, progress)?;
        if outcome.n_unreadable > 0 {
            let n = outcome.n_unreadable;
            warnings.push(format!(
                "{n} tiles cannot be read now; their rows were embedded before and are used"
            ));
        }
        skipped.extend(outcome.skipped);
        let by_id: BTreeMap<&str, &Row> =
            input.rows.iter().map(|row| (row.meta.tile_id.as_str(), row)).collect();
        let rows: Vec<&Row> =
            batch.metas.iter().filter_map(|m| by_id.get(m.tile_id.as_str()).copied()).collect();
        for (meta, row) in batch.metas.iter_mut().zip(&rows) {
            meta.slide.clone_from(&row.label.slide);
        }
        match &applicable.head {
            AnyHead::Tiles(head) => {
                judged.tiles(&rows, &batch, &head.predict(&batch.embeddings)?);
            }
            AnyHead::Slides(head) => {
                let found = predict_slides(head.as_ref(), &batch)?;
                judged.slides(&rows, &found.order, found.bags.bags(), &found.raw)?;
            }
        }
    }
    let Judged { names, labels, raw } = judged;
    let raw = Probabilities::new(file.record.classes.len(), raw)?;
    let (groups, _) = numbered(names.iter().map(|name| name.group.as_str()));
    let scored = Scored::decided((&file.decision, file.threshold), raw, labels, groups)?;
    if !skipped.is_empty() {
        warnings.push(format!("{} tiles could not be read and were left out", skipped.len()));
    }
    warnings.extend(file.lacking_guarantees());
    let rows = names.iter().zip(&scored.labels).map(|(name, &label)| {
        let id = name.tile_id.as_deref().or(name.slide.as_deref()).unwrap_or_default();
        (id, file.record.classes[label as usize].as_str())
    });
    let n_opened = opened::count(options.apply.store, rows, &opened::identity(file), &[])?;
    let names: Arc<[RowName]> = names.into();
    let evaluated = Evaluated {
        options,
        applicable: &applicable,
        columns,
        names: Arc::clone(&names),
        scored,
        skipped: &skipped,
        notes: known.notes,
        warnings,
        n_opened,
    };
    let report = report::report(&evaluated)?;
    evaluated.exports().write(options.out)?;
    let json = options.out.join("evaluation.json");
    let html = options.out.join("evaluation.html");
    write(&json, &report.to_json()?)?;
    write(&html, &render_evaluation_html(&report)?)?;
    Ok(EvaluateOutcome { report, json, html, skipped })
}

fn gather<'a>(options: &EvaluateOptions<'a>, applicable: &Applicable) -> Result<Gathered<'a>> {
    let n_classes = applicable.file.record.classes.len();
    if n_classes != 2 && !options.prevalence.is_empty() {
        return Err(Error::input(
            "--prevalence",
            "a head of two classes",
            format!("{n_classes} classes"),
            "`eosin predict --prevalence` recalibrates heads of more to a share per class",
        ));
    }
    let task = options.labels.task(options.apply.configs)?;
    let classes = &applicable.file.record.classes;
    let (mut inputs, mut warnings) = (Vec::new(), Vec::new());
    let mut foreign: BTreeMap<String, usize> = BTreeMap::new();
    let (mut unlabelled, mut ungrouped) = (0, 0);
    for path in options.data {
        let opened = applicable.input(path, &options.apply)?;
        let tiles = opened.source.tiles();
        let labels = options.labels.read(path, tiles, &task, classes, options.apply.registry)?;
        for (class, n) in labels.foreign {
            *foreign.entry(class).or_default() += n;
        }
        unlabelled += labels.unlabelled;
        ungrouped += labels.ungrouped;
        let row = |(at, label): (usize, Label)| Row { meta: tiles[at].clone(), label };
        let rows = labels.of_tile.into_iter().map(row).collect();
        inputs.push(Input { path, opened, rows });
    }
    for (class, n) in foreign {
        warnings.push(format!(
            "{n} tiles of class `{class}`, which the head does not know, were left out"
        ));
    }
    if unlabelled > 0 {
        warnings.push(format!("{unlabelled} tiles have no label and were left out"));
    }
    if ungrouped > 0 {
        warnings.push(format!(
            "{ungrouped} tiles have no `{}`: each counts as a group of its own, so intervals are \
             too narrow if some come from one patient",
            task.group
        ));
    }
    Ok(Gathered { inputs, columns: [task.column, task.group], warnings })
}

impl Judged {
    fn tiles(&mut self, rows: &[&Row], batch: &EmbeddingBatch, raw: &Probabilities) {
        for (row, meta) in rows.iter().zip(&batch.metas) {
            self.names.push(RowName {
                tile_id: Some(meta.tile_id.clone()),
                source_digest: Some(meta.source_digest.clone()),
                slide: Some(row.label.slide.clone()),
                group: row.label.group.clone(),
                centre: row.label.centre.clone(),
            });
            self.labels.push(row.label.class);
        }
        self.raw.extend(raw.values());
    }

    /// A slide with two labels or groups is an error.
    fn slides(
        &mut self,
        rows: &[&Row],
        order: &[usize],
        bags: &[eosin_core::Bag],
        raw: &Probabilities,
    ) -> Result<()> {
        for bag in bags {
            let of_bag: Vec<&Row> = order[bag.rows.clone()].iter().map(|&i| rows[i]).collect();
            let Some(first) = of_bag.first() else { continue };
            let told = |row: &Row| (row.label.class, row.label.group.clone());
            if let Some(other) = of_bag.iter().find(|row| told(row) != told(first)) {
                return Err(Error::input(
                    format!("slide {}", bag.id),
                    "one label and one group for all its tiles",
                    format!("two, in {} and {}", first.meta.tile_id, other.meta.tile_id),
                    "give every tile the label of its slide, or evaluate a head of tiles",
                ));
            }
            self.names.push(RowName {
                slide: Some(bag.id.clone()),
                group: first.label.group.clone(),
                centre: first.label.centre.clone(),
                ..RowName::default()
            });
            self.labels.push(first.label.class);
        }
        self.raw.extend(raw.values());
        Ok(())
    }
}

impl Evaluated<'_> {
    fn exports(&self) -> Exports {
        let file = &self.applicable.file;
        let n = self.names.len();
        let predictions = Predictions {
            part: TEST.into(),
            task: self.options.labels.task.unwrap_or("evaluation").into(),
            backbone: file.contract.backbone.clone(),
            arm: file.record.kind.clone(),
            fold: None,
            names: Arc::clone(&self.names),
            rows: (0..n).collect(),
            classes: file.record.classes.as_slice().into(),
            labels: self.scored.labels.clone(),
            raw: (self.scored.raw != self.scored.probabilities).then(|| self.scored.raw.clone()),
            probabilities: self.scored.probabilities.clone(),
            called: self.scored.called.clone(),
            threshold: file.threshold,
        };
        Exports { predictions: vec![predictions], folds: Vec::new() }
    }
}
