// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use eosin_core::{
    Bag, Bags, EmbeddingBatch, Error, Head, Prediction, Probabilities, Progress, Result, SlideHead,
    TileMeta,
};
use eosin_head::{Decided, HeadFile};
use eosin_prediction::{prediction_cells, prediction_header, write_csv};

use crate::apply::{AnyHead, Applicable, ApplyOptions, OfSlides, Opened, predict_slides};
use crate::predict_folder::{Folder, Formats};
use eosin_session::embed::Skipped;
use eosin_session::prevalence::{Shares, decide_for, required_shares, stated_shares};
use eosin_session::writable::{require_writable, require_writable_file};

/// Where predictions come from and go to.
#[derive(Clone, Debug)]
pub struct PredictOptions<'a> {
    /// A manifest, a folder of images or a slide.
    pub input: &'a Path,
    /// The head, and how it is applied.
    pub apply: ApplyOptions<'a>,
    /// The CSV to write where it ends in `.csv`, or else a folder for the files of each slide.
    pub out: &'a Path,
    /// What is written for each slide into a folder.
    pub formats: Formats,
    /// A second CSV with the attention of every tile, for heads of slides.
    pub attention: Option<&'a Path>,
    /// The shares that classes have among these rows.
    pub shares: Shares<'a>,
}

/// What predicting did.
#[derive(Clone, Debug)]
pub struct PredictOutcome {
    /// Tiles that were embedded.
    pub n_tiles: usize,
    /// Slides that were called, by a head of slides.
    pub n_slides: Option<usize>,
    /// Rows called by each class: tiles, or slides.
    pub called: Vec<(String, usize)>,
    /// Tiles whose files cannot be read now, and that were embedded before.
    pub n_unreadable: usize,
    /// Tiles that could not be read.
    pub skipped: Vec<Skipped>,
    /// What was done about shares that differ from those of the training.
    pub recalibration: Vec<String>,
    /// Sentences on guarantees that were asked for and cannot be given.
    pub lacking_guarantees: Vec<String>,
    /// Files that were written, by format and slide.
    pub written: Vec<PathBuf>,
}

/// Opens what predicting needs, and says how many tiles there are; refuses what [`predict`] would
/// refuse before it embeds.
pub fn check_predict(options: &PredictOptions) -> Result<usize> {
    let (_, opened) = ready(options)?;
    let folder = Folder::open(options, opened.source.tiles())?;
    let table = folder.is_none().then_some(options.out);
    for path in [table, options.attention].into_iter().flatten() {
        require_writable_file(path)?;
    }
    require_writable(options.apply.store)?;
    Ok(opened.source.tiles().len())
}

/// All that predicting needs, opened and found to fit together.
fn ready(options: &PredictOptions) -> Result<(Applicable, Opened)> {
    let applicable = Applicable::open(&options.apply)?;
    if options.attention.is_some() && matches!(applicable.head, AnyHead::Tiles(_)) {
        return Err(Error::input(
            "--attention",
            "a head that calls slides",
            format!("kind {}", applicable.file.record.kind),
            "heads of tiles have no attention; train one of kind abmil",
        ));
    }
    match options.shares {
        Shares::AsTrained => {}
        Shares::Stated(stated) => {
            stated_shares(&applicable.file, stated)?;
            required_shares(&applicable.file)?;
        }
        Shares::Estimated => {
            required_shares(&applicable.file)?;
        }
    }
    let opened = applicable.input(options.input, &options.apply)?;
    Ok((applicable, opened))
}

/// Embeds what is not embedded yet, applies the head, and writes one CSV, or files for each slide
/// into a folder.
pub fn predict(options: &PredictOptions, progress: &dyn Progress) -> Result<PredictOutcome> {
    let (applicable, opened) = ready(options)?;
    let folder = Folder::open(options, opened.source.tiles())?;
    let (outcome, rows) =
        applicable.embed(options.input, &opened, None, &options.apply, progress)?;
    let file = &applicable.file;
    let calls = match &applicable.head {
        AnyHead::Tiles(head) => of_tiles(options, file, head.as_ref(), &rows)?,
        AnyHead::Slides(head) => {
            // A folder shows the attention of every tile.
            let attends = options.attention.is_some() || folder.is_some();
            of_slides(options, file, head.as_ref(), &rows, attends)?
        }
    };
    if let Some(path) = options.attention {
        write_attention(path, &rows, &calls)?;
    }
    let written = if let Some(folder) = folder {
        folder.write(options, &rows, &calls, progress)?
    } else {
        write_table(options.out, &rows, &calls)?;
        vec![options.out.to_owned()]
    };
    Ok(PredictOutcome {
        n_tiles: rows.metas.len(),
        n_slides: calls.of_slides.as_ref().map(|of| of.bags.bags().len()),
        called: calls.counts(),
        n_unreadable: outcome.n_unreadable,
        skipped: outcome.skipped,
        recalibration: calls.recalibration,
        lacking_guarantees: file.lacking_guarantees(),
        written,
    })
}

fn of_tiles(
    options: &PredictOptions,
    file: &HeadFile,
    head: &dyn Head,
    rows: &EmbeddingBatch,
) -> Result<Calls> {
    let groups: Vec<&str> = rows.metas.iter().map(|meta| meta.group.as_str()).collect();
    Calls::new(file, &head.predict(&rows.embeddings)?, options.shares, &groups)
}

fn of_slides(
    options: &PredictOptions,
    file: &HeadFile,
    head: &dyn SlideHead,
    rows: &EmbeddingBatch,
    attends: bool,
) -> Result<Calls> {
    let OfSlides { order, bags, raw } = predict_slides(head, rows)?;
    let first = |bag: &Bag| rows.metas[order[bag.rows.start]].group.as_str();
    let groups: Vec<&str> = bags.bags().iter().map(first).collect();
    let mut calls = Calls::new(file, &raw, options.shares, &groups)?;
    let attention = if attends { head.attention(&bags)? } else { Vec::new() };
    calls.of_slides = Some(SlideCalls { order, bags, attention });
    Ok(calls)
}

/// One row per tile, or per slide for heads of slides.
fn write_table(path: &Path, rows: &EmbeddingBatch, calls: &Calls) -> Result<()> {
    let Some(SlideCalls { bags, .. }) = &calls.of_slides else {
        let fixed = ["tile", "slide", "x", "y", "size_level0_px"];
        let cells =
            |(i, meta)| tile_cells(meta).into_iter().chain(calls.cells(i)).collect::<Vec<String>>();
        return write_rows(path, &calls.header(&fixed), rows.metas.iter().enumerate().map(cells));
    };
    let header = calls.header(&["slide", "tiles"]);
    let cells = |(i, bag): (usize, &Bag)| {
        let fixed = [bag.id.clone(), bag.rows.len().to_string()];
        fixed.into_iter().chain(calls.cells(i)).collect()
    };
    write_rows(path, &header, bags.bags().iter().enumerate().map(cells))
}

/// One row per tile, with what a head of slides attends to.
fn write_attention(path: &Path, rows: &EmbeddingBatch, calls: &Calls) -> Result<()> {
    let Some(SlideCalls { order, attention, .. }) = &calls.of_slides else { return Ok(()) };
    let header = ["tile", "slide", "x", "y", "size_level0_px", "attention"];
    let tiles = order.iter().zip(attention.iter().flatten());
    let cells = tiles.map(|(&i, attention)| {
        let cells = tile_cells(&rows.metas[i]).into_iter();
        cells.chain([format!("{attention:.8}")]).collect()
    });
    write_rows(path, &header.map(str::to_string), cells)
}

fn tile_cells(meta: &TileMeta) -> [String; 5] {
    [
        meta.tile_id.clone(),
        meta.slide.clone(),
        meta.x.to_string(),
        meta.y.to_string(),
        meta.size_level0_px.to_string(),
    ]
}

/// What a head says of each row, as it is written.
pub(crate) struct Calls {
    pub classes: Vec<String>,
    pub decided: Decided,
    pub recalibration: Vec<String>,
    /// Which tiles each row is of, where rows are slides.
    pub of_slides: Option<SlideCalls>,
}

/// The tiles of slides that a head called.
pub(crate) struct SlideCalls {
    /// Positions of the tiles, those of a slide together.
    pub order: Vec<usize>,
    pub bags: Bags,
    /// How much each tile of each slide counts, where that was asked for.
    pub attention: Vec<Vec<f32>>,
}

impl Calls {
    fn new(file: &HeadFile, raw: &Probabilities, shares: Shares, groups: &[&str]) -> Result<Self> {
        let (decided, recalibration) = decide_for(shares, file, file.decide(raw)?, groups)?;
        let classes = file.record.classes.clone();
        Ok(Self { classes, decided, recalibration, of_slides: None })
    }

    fn header(&self, fixed: &[&str]) -> Vec<String> {
        let fixed = fixed.iter().map(ToString::to_string);
        fixed.chain(prediction_header(&self.classes, self.decided.sets.is_some())).collect()
    }

    fn cells(&self, i: usize) -> Vec<String> {
        prediction_cells(&self.prediction(i), &self.classes)
    }

    /// What is said of a row.
    pub(crate) fn prediction(&self, i: usize) -> Prediction<'_> {
        Prediction {
            probabilities: self.decided.probabilities.row(i),
            called: self.decided.called[i],
            set: self.decided.sets.as_ref().map(|sets| &sets[i][..]),
        }
    }

    /// Rows called by each class, and those left uncalled.
    fn counts(&self) -> Vec<(String, usize)> {
        let of = |class: Option<u32>| self.decided.called.iter().filter(|&&c| c == class).count();
        let named = self.classes.iter().enumerate();
        let mut told: Vec<(String, usize)> =
            named.map(|(i, name)| (name.clone(), of(Some(i as u32)))).collect();
        if of(None) > 0 {
            told.push(("left uncalled".into(), of(None)));
        }
        told
    }
}

/// Writes rows as CSV to a path; see [`write_csv`].
fn write_rows(
    path: &Path,
    header: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    write_csv(folder, path.file_name().unwrap_or_default(), header, rows).map(|_| ())
}
