// SPDX-License-Identifier: MIT OR Apache-2.0

//! Heads that call slides from the embeddings of their tiles.

use std::collections::BTreeMap;
use std::sync::Arc;

use eosin_core::{
    Bag, Bags, Error, Fold, LabelledBags, LabelledSet, Result, SlideHeadTrainer, TrainBags,
    TrainView,
};
use eosin_head::{Decision, HeadFile, Searched, Tuned, search, training_digest};

use crate::train::trained_on;
use eosin_session::config::TaskConfig;
use eosin_session::dataset::TaskRows;
use eosin_session::evaluate::Scored;
use eosin_session::exports::RowName;
use eosin_session::session::{Embedded, Session};

/// A head that was tuned and fitted on the training part, and scored on the test part.
pub struct Fitted {
    /// What tuning found.
    pub tuned: Tuned,
    /// Out-of-fold predictions of the training part, called at what other folds gave.
    pub out_of_fold: Scored,
    /// The head, as it is saved.
    pub file: HeadFile,
    /// Its predictions on the test part, where the task has one.
    pub test: Option<Scored>,
    /// The rows of both, and which part each is of.
    pub rows: (Arc<[RowName]>, Fold),
}

/// The slides of a task, with the part that they are in.
#[derive(Debug)]
struct Slides {
    names: Vec<String>,
    /// Positions of the task's rows per slide.
    rows: Vec<Vec<usize>>,
    labels: Vec<u32>,
    groups: Vec<String>,
    split: Fold,
}

impl Slides {
    /// Gathers rows by slide. A slide with two labels or groups, or on both sides of the split, is
    /// an error.
    fn of(names: &[String], rows: &TaskRows) -> Result<Self> {
        let mut side = vec![0; names.len()];
        for &i in &rows.split.held_out {
            side[i] = 1;
        }
        let mut slides: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, name) in names.iter().enumerate() {
            slides.entry(name).or_default().push(i);
        }
        let mut out = Self {
            names: Vec::new(),
            rows: Vec::new(),
            labels: Vec::new(),
            groups: Vec::new(),
            split: Fold { train: Vec::new(), held_out: Vec::new() },
        };
        for (name, tiles) in slides {
            let told = |i: usize| (rows.labels[i], rows.groups[i].as_str(), side[i]);
            let first = tiles[0];
            if let Some(&other) = tiles.iter().find(|&&i| told(i) != told(first)) {
                let words = |i: usize| {
                    let class = &rows.classes[rows.labels[i] as usize];
                    let part = if side[i] == 1 { "test" } else { "train" };
                    format!("{} ({class}, group {}, {part})", rows.tile_ids[i], rows.groups[i])
                };
                return Err(Error::input(
                    format!("slide {name}"),
                    "one label, one group and one part for all its tiles",
                    format!("{} and {}", words(first), words(other)),
                    "give every tile the label of its slide, or train a tile head",
                ));
            }
            let at = out.names.len();
            if side[first] == 1 { &mut out.split.held_out } else { &mut out.split.train }.push(at);
            out.names.push(name.to_string());
            out.labels.push(rows.labels[first]);
            out.groups.push(rows.groups[first].clone());
            out.rows.push(tiles);
        }
        Ok(out)
    }

    /// What stands for the slides in an export.
    fn row_names(&self, rows: &TaskRows) -> Arc<[RowName]> {
        let name = |i: usize| RowName {
            slide: Some(self.names[i].clone()),
            group: self.groups[i].clone(),
            centre: rows.centres.as_ref().map(|c| c[self.rows[i][0]].clone()),
            ..RowName::default()
        };
        (0..self.names.len()).map(name).collect()
    }

    /// The slides with their embeddings.
    fn bags(&self, session: &Session, rows: &TaskRows, on: &Embedded) -> Result<LabelledBags> {
        let ids: Vec<String> =
            self.rows.iter().flatten().map(|&i| rows.tile_ids[i].clone()).collect();
        let features = session.matrix(&on.outcome, &ids, 1)?;
        let mut start = 0;
        let bags = self.names.iter().zip(&self.rows).map(|(name, tiles)| {
            let rows = start..start + tiles.len();
            start = rows.end;
            Bag { id: name.clone(), rows }
        });
        let bags = Bags::new(features, bags.collect())?;
        LabelledBags::new(bags, rows.classes.clone(), self.labels.clone(), &self.groups)
    }
}

/// Tunes, fits and scores a head of slides.
pub fn fit_slides(
    session: &Session,
    task: &TaskConfig,
    rows: &TaskRows,
    embedded: &Embedded,
    trainer: &dyn SlideHeadTrainer,
) -> Result<Fitted> {
    let run = &session.config.run;
    let slides = Slides::of(&session.dataset.cells(&task.slide, &rows.tile_ids)?, rows)?;
    let set = slides.bags(session, rows, embedded)?;
    let (train, held_out) = TrainBags::whole(&set).split(&slides.split)?;
    let (labels, groups) = (train.labels(), train.groups());
    let penalties = trainer.penalties();
    let searched = Searched {
        classes: train.classes(),
        labels: &labels,
        groups: &groups,
        penalties: &penalties,
    };
    let tuned = search(searched, run.tune_options(), session.progress, |folds, _| {
        let fit = |fold: &Fold| {
            let (train, held_out) = train.split(fold)?;
            let predict = |&penalty: &f64| trainer.fit_slides(&train, penalty)?.predict(&held_out);
            let found = penalties.iter().map(predict).collect();
            session.progress.advance(1);
            found
        };
        folds.iter().map(fit).collect()
    })?;
    let decided = &run.training.decision;
    let (decision, threshold) = Decision::fit(&tuned.oof, &labels, &groups, decided, run.seed)?;
    let first_round = tuned.first_round();
    let (oof, labels_of) = (tuned.oof.clone(), labels.clone());
    let out_of_fold = Scored::cross_fitted(oof, labels_of, groups, decided, first_round, run.seed)?;
    let fitted = trainer.fit_slides(&train, tuned.penalty)?;
    let held = &slides.split.held_out;
    let test = if held.is_empty() {
        None
    } else {
        let raw = fitted.predict(&held_out)?;
        let labels = held.iter().map(|&i| set.labels()[i]).collect();
        let groups = held.iter().map(|&i| set.groups()[i]).collect();
        Some(Scored::decided((&decision, threshold), raw, labels, groups)?)
    };
    // The digest of the slides' means: it changes with any tile.
    let means = train.bags()?.mean_pooled()?;
    let names = train.group_names();
    let means = LabelledSet::new(means, train.classes().to_vec(), labels.clone(), &names)?;
    let file = HeadFile {
        record: fitted.record(),
        contract: embedded.contract.clone(),
        threshold,
        decision,
        penalty: Some(tuned.penalty),
        metrics: BTreeMap::new(),
        training_digest: training_digest(&TrainView::whole(&means)),
        trained_on: trained_on(session, rows, embedded, &labels),
        licence: embedded.info.licence.clone(),
        eosin_version: env!("CARGO_PKG_VERSION").to_string(),
    };
    let rows = (slides.row_names(rows), slides.split);
    Ok(Fitted { tuned, out_of_fold, file, test, rows })
}
