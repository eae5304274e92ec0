// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every prediction behind a report as Parquet, from which anyone can make its figures again.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use eosin_core::{Error, Fold, Probabilities, Result};
use eosin_head::Tuned;
use parquet::arrow::ArrowWriter;

use crate::dataset::TaskRows;
use crate::evaluate::Scored;
use crate::session::{Embedded, Session};

/// File of predictions, one row each.
pub const PREDICTIONS: &str = "predictions.parquet";
/// File of folds, one row per tile and fold.
pub const FOLDS: &str = "folds.parquet";

/// Part of the predictions that the folds of tuning held out, the mean over their rounds. Each row
/// stands with its fold of the first round and the threshold that the others of that round gave.
pub const OUT_OF_FOLD: &str = "out-of-fold";
/// Part of the predictions on rows that a head never saw.
pub const TEST: &str = "test";

/// What a row is of: a tile, or a slide, which has no tile id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowName {
    /// The tile, for heads of tiles.
    pub tile_id: Option<String>,
    /// Digest of the file that the tile was embedded from.
    pub source_digest: Option<String>,
    /// The slide.
    pub slide: Option<String>,
    /// The unit that no fold tears.
    pub group: String,
    /// The centre, where it is known.
    pub centre: Option<String>,
}

/// Predictions of one head on some rows.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// What they are part of, such as `test`.
    pub part: String,
    /// The task.
    pub task: String,
    /// The backbone.
    pub backbone: String,
    /// The arm or head.
    pub arm: String,
    /// Round of folds, and fold of it; none where predictions are of no fold.
    pub fold: Option<(u32, u32)>,
    /// All rows that there are.
    pub names: Arc<[RowName]>,
    /// Those predicted, by their number in `names`.
    pub rows: Vec<usize>,
    /// Class names.
    pub classes: Arc<[String]>,
    /// True class per predicted row.
    pub labels: Vec<u32>,
    /// Probabilities per predicted row.
    pub probabilities: Probabilities,
    /// Those that the model gave, where the head corrects them.
    pub raw: Option<Probabilities>,
    /// Class that each was called, none where it was left uncalled.
    pub called: Vec<Option<u32>>,
    /// Least probability of the last class that is called positive.
    pub threshold: Option<f64>,
}

/// Rows on the sides of one fold.
#[derive(Clone, Debug)]
pub struct FoldRows {
    /// What it is part of, as [`Predictions::part`].
    pub part: String,
    /// The task.
    pub task: String,
    /// Round of folds, and fold of it.
    pub fold: Option<(u32, u32)>,
    /// All rows that there are.
    pub names: Arc<[RowName]>,
    /// The sides, by numbers in `names`.
    pub sides: Fold,
}

/// What is written: predictions and folds in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Exports {
    /// Predictions, head after head.
    pub predictions: Vec<Predictions>,
    /// Folds.
    pub folds: Vec<FoldRows>,
}

/// The names of a task's rows, in their order.
pub fn row_names(session: &Session, rows: &TaskRows, embedded: &Embedded) -> Arc<[RowName]> {
    let keys = session.keys(&embedded.outcome.kept_as, &rows.tile_ids);
    let slides: std::collections::HashMap<&str, &str> =
        session.tiles().iter().map(|t| (t.tile_id.as_str(), t.slide.as_str())).collect();
    let name = |(i, key): (usize, &eosin_store::TileKey)| RowName {
        tile_id: Some(rows.tile_ids[i].clone()),
        source_digest: Some(key.source_digest.clone()),
        slide: slides.get(rows.tile_ids[i].as_str()).map(|s| (*s).to_string()),
        group: rows.groups[i].clone(),
        centre: rows.centres.as_ref().map(|c| c[i].clone()),
    };
    keys.iter().enumerate().map(name).collect()
}

/// Whose predictions, and of which rows.
#[derive(Clone, Debug)]
pub struct Whose<'a> {
    /// The task.
    pub task: &'a str,
    /// The backbone.
    pub backbone: &'a str,
    /// The arm or head.
    pub arm: &'a str,
    /// All rows.
    pub names: &'a Arc<[RowName]>,
    /// Rows that were fitted on, and rows that were tested on.
    pub split: &'a Fold,
    /// Class names.
    pub classes: &'a [String],
    /// The search, whose folds heads of a task share.
    pub tuned: &'a Tuned,
}

impl Exports {
    /// Adds what a tuned head predicted out of fold and on the test part, with the folds, which
    /// heads of a task share.
    pub fn add(
        &mut self,
        whose: &Whose,
        out_of_fold: &Scored,
        test: Option<&Scored>,
    ) -> Result<()> {
        let Whose { split, names, tuned, .. } = whose;
        let known = |part: &str, folds: &[FoldRows]| {
            let same = |f: &FoldRows| f.task == whose.task && f.part == part && f.names == **names;
            folds.iter().any(same)
        };
        let rows = |of: &[usize]| -> Vec<usize> { of.iter().map(|&at| split.train[at]).collect() };
        if !known(OUT_OF_FOLD, &self.folds) {
            for (i, fold) in tuned.rounds.iter().enumerate() {
                let sides = Fold { train: rows(&fold.train), held_out: rows(&fold.held_out) };
                self.fold(whose, OUT_OF_FOLD, Some(place(i, tuned.folds)), sides);
            }
        }
        if test.is_some() && !known(TEST, &self.folds) {
            self.fold(whose, TEST, None, (*split).clone());
        }
        for (i, fold) in tuned.first_round().iter().enumerate() {
            let (rows, scored) = (rows(&fold.held_out), out_of_fold.select(&fold.held_out)?);
            self.scored(whose, OUT_OF_FOLD, Some(place(i, tuned.folds)), rows, scored);
        }
        if let Some(test) = test {
            self.scored(whose, TEST, None, split.held_out.clone(), test.clone());
        }
        Ok(())
    }

    fn fold(&mut self, whose: &Whose, part: &str, fold: Option<(u32, u32)>, sides: Fold) {
        self.folds.push(FoldRows {
            part: part.into(),
            task: whose.task.into(),
            fold,
            names: Arc::clone(whose.names),
            sides,
        });
    }

    /// Adds predictions on `rows`, all of which were called at one threshold.
    fn scored(
        &mut self,
        whose: &Whose,
        part: &str,
        fold: Option<(u32, u32)>,
        rows: Vec<usize>,
        scored: Scored,
    ) {
        self.predictions.push(Predictions {
            part: part.into(),
            task: whose.task.into(),
            backbone: whose.backbone.into(),
            arm: whose.arm.into(),
            fold,
            names: Arc::clone(whose.names),
            rows,
            classes: whose.classes.into(),
            labels: scored.labels,
            raw: (scored.raw != scored.probabilities).then_some(scored.raw),
            probabilities: scored.probabilities,
            called: scored.called,
            threshold: scored.thresholds.first().copied().flatten(),
        });
    }

    /// Writes both files into a folder, which is made where it is not there; each is seen whole or
    /// not at all.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
        let mut classes: Vec<&str> = Vec::new();
        for name in self.predictions.iter().flat_map(|p| p.classes.iter()) {
            if !classes.contains(&name.as_str()) {
                classes.push(name);
            }
        }
        // Probabilities before the head's correction stand beside only where some head corrects.
        let with_raw = self.predictions.iter().any(|p| p.raw.is_some());
        let batches = self.predictions.iter().map(|p| p.batch(&classes, with_raw));
        write_parquet(&folder.join(PREDICTIONS), predictions_schema(&classes, with_raw), batches)?;
        let batches = self.folds.iter().map(FoldRows::batch);
        write_parquet(&folder.join(FOLDS), folds_schema(), batches)
    }
}

/// Round and number of the fold at `i` among rounds of `k`.
pub fn place(i: usize, k: usize) -> (u32, u32) {
    ((i / k.max(1)) as u32, (i % k.max(1)) as u32)
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn fold_fields() -> [Field; 2] {
    ["repeat", "fold"].map(|name| Field::new(name, DataType::UInt32, true))
}

fn predictions_schema(classes: &[&str], with_raw: bool) -> Schema {
    let number = |name: String| Field::new(name, DataType::Float64, true);
    let mut fields: Vec<Field> = ["part", "task", "backbone", "arm"].map(text).into();
    fields.extend(fold_fields());
    fields.extend(["tile_id", "source_digest", "slide", "group", "centre", "label"].map(text));
    fields.extend(classes.iter().map(|class| number(format!("prob_{class}"))));
    fields.extend([text("called"), number("threshold".into())]);
    if with_raw {
        fields.extend(classes.iter().map(|class| number(format!("raw_{class}"))));
    }
    Schema::new(fields)
}

fn folds_schema() -> Schema {
    let mut fields: Vec<Field> = ["part", "task"].map(text).into();
    fields.extend(fold_fields());
    fields.extend(["side", "tile_id", "slide", "group"].map(text));
    Schema::new(fields)
}

fn same(value: &str, n: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, n)))
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn fold_columns(fold: Option<(u32, u32)>, n: usize) -> [ArrayRef; 2] {
    let column = |value: Option<u32>| -> ArrayRef {
        Arc::new(std::iter::repeat_n(value, n).collect::<UInt32Array>())
    };
    [column(fold.map(|f| f.0)), column(fold.map(|f| f.1))]
}

impl Predictions {
    fn batch(&self, classes: &[&str], with_raw: bool) -> Vec<ArrayRef> {
        let n = self.rows.len();
        let of = |pick: fn(&RowName) -> Option<&str>| -> ArrayRef {
            texts(self.rows.iter().map(|&row| pick(&self.names[row])))
        };
        let class = |c: u32| self.classes[c as usize].as_str();
        let mut columns =
            [&self.part, &self.task, &self.backbone, &self.arm].map(|v| same(v, n)).to_vec();
        columns.extend(fold_columns(self.fold, n));
        columns.extend([
            of(|name| name.tile_id.as_deref()),
            of(|name| name.source_digest.as_deref()),
            of(|name| name.slide.as_deref()),
            of(|name| Some(&name.group)),
            of(|name| name.centre.as_deref()),
            texts(self.labels.iter().map(|&label| Some(class(label)))),
        ]);
        // A task that does not know a class says nothing of it.
        let of_classes = |of: &Probabilities| -> Vec<ArrayRef> {
            let column = |name: &&str| -> ArrayRef {
                match self.classes.iter().position(|own| own == name) {
                    Some(at) => Arc::new(Float64Array::from(of.column(at))),
                    None => Arc::new(Float64Array::new_null(n)),
                }
            };
            classes.iter().map(column).collect()
        };
        columns.extend(of_classes(&self.probabilities));
        columns.push(texts(self.called.iter().map(|called| called.map(class))));
        columns.push(Arc::new(std::iter::repeat_n(self.threshold, n).collect::<Float64Array>()));
        if with_raw {
            columns.extend(of_classes(self.raw.as_ref().unwrap_or(&self.probabilities)));
        }
        columns
    }
}

impl FoldRows {
    fn batch(&self) -> Vec<ArrayRef> {
        let (train, held_out) = (&self.sides.train, &self.sides.held_out);
        let rows = || train.iter().chain(held_out).map(|&row| &self.names[row]);
        let n = train.len() + held_out.len();
        let side = std::iter::repeat_n("train", train.len())
            .chain(std::iter::repeat_n("held_out", held_out.len()));
        let mut columns = [&self.part, &self.task].map(|v| same(v, n)).to_vec();
        columns.extend(fold_columns(self.fold, n));
        columns.extend([
            texts(side.map(Some)),
            texts(rows().map(|name| name.tile_id.as_deref())),
            texts(rows().map(|name| name.slide.as_deref())),
            texts(rows().map(|name| Some(name.group.as_str()))),
        ]);
        columns
    }
}

/// Writes beside the file and renames.
fn write_parquet(
    path: &Path,
    schema: Schema,
    batches: impl Iterator<Item = Vec<ArrayRef>>,
) -> Result<()> {
    let partial = path.with_extension("partial");
    let schema = Arc::new(schema);
    let fault = |e: &dyn std::fmt::Display| {
        Error::io("write", &partial, std::io::Error::other(e.to_string()))
    };
    let file = std::fs::File::create(&partial).map_err(|e| Error::io("write", &partial, e))?;
    let mut writer =
        ArrowWriter::try_new(file, Arc::clone(&schema), None).map_err(|e| fault(&e))?;
    for columns in batches {
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|e| fault(&e))?;
        writer.write(&batch).map_err(|e| fault(&e))?;
    }
    writer.close().map_err(|e| fault(&e))?;
    std::fs::rename(&partial, path).map_err(|e| Error::io("write", path, e))
}
