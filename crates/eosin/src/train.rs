// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use eosin_augment::Pipeline;
use eosin_core::{FeatureTransform, LabelledSet, Progress, Result, TrainView, ViewBank};
use eosin_head::{
    Decision, Final, HeadFile, TrainedOn, Tuned, fit_final, save_head, training_digest, tune,
};

use eosin_session::RegistryExt;
use eosin_session::config::ComponentConfig;
use eosin_session::dataset::TaskRows;
use eosin_session::evaluate::Scored;
use eosin_session::session::{Embedded, Session, view_parameters};

/// A head that was tuned and fitted on the training part, and scored on the test part.
pub struct FittedArm {
    /// The backbone it works on.
    pub backbone: String,
    /// Whether augmentation was on.
    pub augmented: bool,
    /// What the augmentation does, or `none`.
    pub augmentation: String,
    /// What its transforms tell of their fits on the whole training part.
    pub notes: Vec<String>,
    /// What tuning found.
    pub tuned: Tuned,
    /// The head, as it is saved.
    pub file: HeadFile,
    /// Its out-of-fold predictions of the training part, called at what other folds gave.
    pub out_of_fold: Scored,
    /// Its predictions on the test part, where the task has one.
    pub test: Option<Scored>,
}

/// The rows of a task with one backbone's embeddings, and with its view bank where `bank` names it.
pub fn labelled(
    session: &Session,
    rows: &TaskRows,
    embedded: &Embedded,
    bank: Option<(&Embedded, usize)>,
) -> Result<LabelledSet> {
    let matrix = session.matrix(&embedded.outcome, &rows.tile_ids, 1)?;
    let bank = match bank {
        None => None,
        Some((bank, n_views)) => {
            let ids = rows.train_ids();
            let seen = session.matrix(&bank.outcome, &ids, n_views)?;
            let bank = ViewBank::partial(n_views, seen, &rows.split.train, rows.tile_ids.len())?;
            match session.views()? {
                Some(views) => Some(bank.with_parameters(view_parameters(&views, &ids)?)?),
                None => Some(bank),
            }
        }
    };
    rows.labelled(matrix, bank)
}

/// Tunes, fits and scores one arm.
pub fn fit_arm(
    session: &Session,
    rows: &TaskRows,
    set: &LabelledSet,
    embedded: &Embedded,
    pipeline: Option<&Pipeline>,
    head: &ComponentConfig,
    progress: &dyn Progress,
) -> Result<FittedArm> {
    let run = &session.config.run;
    let trainer = session.registry.head(&head.kind, &head.options)?;
    let transforms: Vec<&dyn FeatureTransform> =
        pipeline.iter().map(|p| *p as &dyn FeatureTransform).collect();
    let (train, held_out) = TrainView::whole(set).split(&rows.split)?;
    let options = run.tune_options();
    let tuned = tune(&train, trainer.as_ref(), &transforms, options, progress)?;
    let (labels, groups) = (train.labels(), train.groups());
    let decided = &run.training.decision;
    let (decision, threshold) = Decision::fit(&tuned.oof, &labels, &groups, decided, run.seed)?;
    let out_of_fold = Scored::cross_fitted(
        tuned.oof.clone(),
        labels,
        groups,
        decided,
        tuned.first_round(),
        run.seed,
    )?;
    let Final { head: fitted, notes } =
        fit_final(&train, trainer.as_ref(), &transforms, tuned.penalty, run.seed)?;
    let test = if held_out.n_rows() == 0 {
        None
    } else {
        let raw = fitted.predict(&held_out.features())?;
        let (labels, groups) = (held_out.labels(), held_out.groups());
        Some(Scored::decided((&decision, threshold), raw, labels, groups)?)
    };
    let augmentation =
        pipeline.map_or_else(|| "none".to_string(), eosin_augment::Pipeline::description);
    let file = HeadFile {
        record: fitted.record(),
        contract: embedded.contract.clone(),
        threshold,
        decision,
        penalty: Some(tuned.penalty),
        metrics: BTreeMap::new(),
        training_digest: training_digest(&train),
        trained_on: trained_on(session, rows, embedded, &train.labels()),
        licence: embedded.info.licence.clone(),
        eosin_version: env!("CARGO_PKG_VERSION").to_string(),
    };
    Ok(FittedArm {
        backbone: embedded.info.name.clone(),
        augmented: pipeline.is_some(),
        augmentation,
        notes,
        tuned,
        file,
        out_of_fold,
        test,
    })
}

/// What a head remembers of its rows, whose classes are `labels`.
pub fn trained_on(
    session: &Session,
    rows: &TaskRows,
    embedded: &Embedded,
    labels: &[u32],
) -> TrainedOn {
    let keys = session.keys(&embedded.outcome.kept_as, &rows.train_ids());
    let files = keys.iter().map(|key| key.source_digest.as_str());
    let groups = rows.split.train.iter().map(|&i| rows.groups[i].as_str());
    TrainedOn::new(rows.classes.len(), labels, files, groups)
}

/// The view bank that the run's augmentation needs, embedded for the training tiles, and its rows
/// for each of them.
pub fn embed_views(
    session: &Session,
    rows: &TaskRows,
    backbone: &str,
) -> Result<Option<(Embedded, usize)>> {
    let Some(views) = session.views()? else { return Ok(None) };
    let train: BTreeSet<String> = rows.train_ids().into_iter().collect();
    let embedded = session.embed(backbone, Some(&views), Some(&train))?;
    Ok(Some((embedded, views.n_stored())))
}

/// Saves a head, making the folder.
pub fn save(file: &HeadFile, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| eosin_core::Error::io("make the folder", folder, e))?;
    }
    save_head(path, file)
}
