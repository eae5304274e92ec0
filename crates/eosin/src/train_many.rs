// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::PathBuf;

use eosin_augment::Pipeline;
use eosin_core::{LabelledSet, NoProgress, Result};
use eosin_eval::Interval;
use eosin_report::TestOpened;

use crate::config::{ComponentConfig, TaskConfig, part};
use crate::dataset::TaskRows;
use crate::embed::Skipped;
use crate::evaluate::Metric;
use crate::exports::{Exports, Whose, row_names};
use crate::leakage::check_leakage;
use crate::opened;
use crate::session::{Embedded, Session};
use crate::train::{FittedArm, embed_views, fit_arm, labelled, save};
use crate::train_slides::{Fitted, fit_slides};

/// What to train: every task with every head on every backbone.
#[derive(Clone, Debug, Default)]
pub struct TrainPlan {
    /// Files of `configs/task/`; empty takes the run's target task.
    pub tasks: Vec<String>,
    /// Files of `configs/head/`; empty takes the run's head.
    pub heads: Vec<String>,
    /// Cards of the program or of `configs/backbone/`; empty takes the run's default backbone.
    pub backbones: Vec<String>,
    /// Whether the run's augmentation is used.
    pub augment: bool,
}

/// One head of a plan.
pub struct TrainedHead {
    /// The task.
    pub task: String,
    /// Name of the head's configuration.
    pub head: String,
    /// The backbone.
    pub backbone: String,
    /// Where it was saved, or why it could not be fitted.
    pub result: std::result::Result<TrainedFile, String>,
}

/// A head that was tuned, fitted, scored and saved.
pub struct TrainedFile {
    /// The file.
    pub path: PathBuf,
    /// The penalty that the inner folds took.
    pub penalty: f64,
    /// The threshold, for two classes.
    pub threshold: Option<f64>,
    /// The leading metric on out-of-fold predictions of the training part, by which heads are
    /// sorted: AUROC for two classes, macro F1 for more.
    pub out_of_fold: Metric,
    /// Every metric on the test part, where the task has one.
    pub test: Vec<Metric>,
    /// With how many heads or configurations that part was opened.
    pub opened: Option<TestOpened>,
}

/// Trains a plan. A head that cannot be fitted is told in its place and does not end the others.
///
/// Heads of a task come one after another, the best out-of-fold score first.
pub fn train_many(session: &Session, plan: &TrainPlan) -> Result<(Vec<TrainedHead>, Vec<Skipped>)> {
    let or = |given: &[String], default: &str| {
        if given.is_empty() { vec![default.to_string()] } else { given.to_vec() }
    };
    let run = &session.config.run;
    let tasks: Vec<(String, TaskConfig)> = named(session, "task", &or(&plan.tasks, &run.task))?;
    let heads = heads(session, &or(&plan.heads, &run.head))?;
    for (_, task) in &tasks {
        check_leakage(session, &session.dataset.rows(task, &[])?)?;
    }
    let pipeline = session.registry.pipeline(&session.config.augment.transforms)?;
    let backbones = or(&plan.backbones, &run.default_backbone);
    let embedded: Vec<Embedded> =
        backbones.iter().map(|name| session.embed(name, None, None)).collect::<Result<_>>()?;
    let skipped = Session::skipped(&embedded);

    let augment = plan.augment.then_some(&pipeline);
    let mut trained = Vec::new();
    let mut exports = Exports::default();
    for (task_name, task) in &tasks {
        let from = trained.len();
        for embedded in &embedded {
            let job = Job { session, task_name, task, embedded, skipped: &skipped, augment };
            trained.extend(job.run(&heads, &mut exports)?);
        }
        trained[from..].sort_by(|a, b| score(b).total_cmp(&score(a)));
    }
    exports.write(&session.out.join("heads"))?;
    Ok((trained, skipped))
}

fn named<T: serde::de::DeserializeOwned>(
    session: &Session,
    group: &str,
    names: &[String],
) -> Result<Vec<(String, T)>> {
    names.iter().map(|n| Ok((n.clone(), part(&session.config.configs, group, n)?))).collect()
}

/// The heads of these names: files of `configs/head/`, or kinds with their usual options.
fn heads(session: &Session, names: &[String]) -> Result<Vec<(String, ComponentConfig)>> {
    let (configs, registry) = (&session.config.configs, &session.registry);
    let head = |name: &String| -> Result<(String, ComponentConfig)> {
        let has_file = configs.join("head").join(format!("{name}.toml")).is_file();
        let is_kind = registry.heads().contains(&name.as_str()) || registry.is_slide_head(name);
        let head = if is_kind && !has_file {
            ComponentConfig { kind: name.clone(), options: toml::Table::new() }
        } else {
            part(configs, "head", name)?
        };
        if registry.is_slide_head(&head.kind) {
            registry.slide_head(&head.kind, &head.options)?;
        } else {
            registry.head(&head.kind, &head.options)?;
        }
        Ok((name.clone(), head))
    };
    names.iter().map(head).collect()
}

fn score(head: &TrainedHead) -> f64 {
    head.result.as_ref().map_or(f64::NEG_INFINITY, |saved| saved.out_of_fold.interval.estimate)
}

/// All heads of one task on one backbone.
struct Job<'a> {
    session: &'a Session<'a>,
    task_name: &'a str,
    task: &'a TaskConfig,
    embedded: &'a Embedded,
    skipped: &'a [Skipped],
    augment: Option<&'a Pipeline>,
}

impl Job<'_> {
    fn run(
        &self,
        heads: &[(String, ComponentConfig)],
        exports: &mut Exports,
    ) -> Result<Vec<TrainedHead>> {
        let session = self.session;
        let rows = session.rows(self.task, self.skipped)?;
        let name = &self.embedded.info.name;
        // Tiles and their views are read once for all heads of tiles, and not for slides alone.
        let is_slide_head = |head: &ComponentConfig| session.registry.is_slide_head(&head.kind);
        let set = if heads.iter().all(|(_, head)| is_slide_head(head)) {
            None
        } else {
            Some(self.tiles(&rows)?)
        };
        let bootstrap = session.config.run.evaluation.bootstrap(session.config.run.seed);
        let stage = format!("train {} on {name}", self.task_name);
        session.progress.start(&stage, heads.len() as u64);
        let mut trained = Vec::new();
        for (head_name, head) in heads {
            let fit = |exports: &mut Exports| -> Result<TrainedFile> {
                let Fitted { penalty, out_of_fold, mut file, test, rows: of } = match &set {
                    Some(set) if !is_slide_head(head) => self.tile_head(&rows, set, head)?,
                    _ => self.slide_head(&rows, head)?,
                };
                let threshold = out_of_fold.threshold;
                let whose = Whose {
                    task: self.task_name,
                    backbone: name,
                    arm: head_name,
                    names: &of.0,
                    split: &of.1,
                    classes: &rows.classes,
                };
                let run = &session.config.run;
                exports.add(&whose, (&run.training, run.seed), &out_of_fold, test.as_ref())?;
                let mut all = out_of_fold.metrics(&bootstrap)?;
                let test = match &test {
                    Some(test) => test.metrics(&bootstrap)?,
                    None => Vec::new(),
                };
                let told =
                    |part: &str, m: &Metric| (format!("{part} {}", m.name), m.interval.estimate);
                file.metrics = test.iter().map(|m| told("test", m)).collect::<BTreeMap<_, _>>();
                file.metrics.extend(all.iter().map(|m| told("out of fold", m)));
                // AUROC for two classes: what has no threshold ranks heads.
                let out_of_fold = all.remove(0);
                let path = session
                    .out
                    .join("heads")
                    .join(format!("{}-{head_name}-{name}.safetensors", self.task_name));
                save(&file, &path)?;
                let opened = opened::test_part(session, &rows, &opened::identity(&file), &[])?;
                Ok(TrainedFile { path, penalty, threshold, out_of_fold, test, opened })
            };
            let result = fit(exports);
            session.progress.advance(1);
            trained.push(TrainedHead {
                task: self.task_name.to_string(),
                head: head_name.clone(),
                backbone: name.clone(),
                result: result.map_err(|e| format!("{e} ({})", e.hint())),
            });
        }
        session.progress.finish();
        Ok(trained)
    }

    /// The rows with their embeddings, and with the view bank where there is augmentation.
    fn tiles(&self, rows: &TaskRows) -> Result<LabelledSet> {
        let bank = match self.augment {
            Some(_) => embed_views(self.session, rows, &self.embedded.info.name)?,
            None => None,
        };
        let bank = bank.as_ref().map(|(embedded, n_views)| (embedded, *n_views));
        labelled(self.session, rows, self.embedded, bank)
    }

    fn tile_head(
        &self,
        rows: &TaskRows,
        set: &LabelledSet,
        head: &ComponentConfig,
    ) -> Result<Fitted> {
        let arm = fit_arm(self.session, rows, set, self.embedded, self.augment, head, &NoProgress)?;
        let FittedArm { tuned, file, out_of_fold, test, .. } = arm;
        let names = row_names(self.session, rows, self.embedded);
        let rows = (names, rows.split.clone());
        Ok(Fitted { penalty: tuned.penalty, out_of_fold, file, test, rows })
    }

    fn slide_head(&self, rows: &TaskRows, head: &ComponentConfig) -> Result<Fitted> {
        let trainer = self.session.registry.slide_head(&head.kind, &head.options)?;
        fit_slides(self.session, self.task, rows, self.embedded, trainer.as_ref())
    }
}

impl TrainedFile {
    /// The main metric on the test part.
    pub fn test_interval(&self) -> Option<&Interval> {
        self.test.first().map(|m| &m.interval)
    }
}
