// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use eosin_augment::Pipeline;
use eosin_core::{LabelledSet, NoProgress, Result};
use eosin_head::HeadFile;
use eosin_report::{LeakageFinding, TestOpened};

use crate::run::unused_prevalence;
use crate::train::{FittedArm, embed_views, fit_arm, labelled, save};
use crate::train_slides::{Fitted, fit_slides};
use eosin_session::RegistryExt;
use eosin_session::config::{ComponentConfig, TaskConfig, part};
use eosin_session::dataset::TaskRows;
use eosin_session::embed::Skipped;
use eosin_session::evaluate::{Metric, Scored};
use eosin_session::exports::{Exports, Whose, row_names};
use eosin_session::figures::Figures;
use eosin_session::leakage::{check_leakage, check_task};
use eosin_session::opened;
use eosin_session::session::is_control;
use eosin_session::session::{Embedded, Session};

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
    /// On the training part, where folds held rows out and called them by what the other folds gave.
    pub out_of_fold: Measured,
    /// On the test part, where the task has one.
    pub test: Option<Measured>,
    /// With how many heads or configurations that part was opened.
    pub opened: Option<TestOpened>,
}

/// What a head scores on some rows.
pub struct Measured {
    /// Every metric. The first, AUROC or its mean over classes, needs no call: heads are sorted by it.
    pub metrics: Vec<Metric>,
    /// The metric of the calls, F1 or its mean over classes.
    pub calls: Metric,
    /// What stands beside them.
    pub figures: Figures,
}

/// What training left behind.
pub struct TrainOutcome {
    /// Heads of a task come one after another, the best out-of-fold score first.
    pub heads: Vec<TrainedHead>,
    /// Tiles that were left out.
    pub skipped: Vec<Skipped>,
    /// What a reader should be warned of.
    pub warnings: Vec<String>,
}

/// Trains a plan. A head that cannot be fitted is told in its place and does not end the others.
pub fn train_many(session: &Session, plan: &TrainPlan) -> Result<TrainOutcome> {
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
    let mut warnings = Vec::new();
    for (name, task) in &tasks {
        let mut found = leakage(session, task, &skipped, &embedded)?;
        found.extend(unused_prevalence(session, session.rows(task, &skipped)?.classes.len()));
        warnings.extend(found.iter().map(|warning| format!("{name}: {warning}")));
    }

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
    Ok(TrainOutcome { heads: trained, skipped, warnings })
}

/// Refuses a task whose split leaks, by nearly equal embeddings of any backbone too, and tells what
/// a reader must know.
fn leakage(
    session: &Session,
    task: &TaskConfig,
    skipped: &[Skipped],
    embedded: &[Embedded],
) -> Result<Vec<String>> {
    // A control can tell nothing, which is worth a word only where there is no other.
    let mut judges: Vec<&Embedded> = embedded.iter().filter(|e| !is_control(e)).collect();
    if judges.is_empty() {
        judges.extend(embedded.first());
    }
    let mut found = Vec::new();
    for embedded in judges {
        found.extend(check_task(session, task, skipped, Some(embedded))?);
    }
    let mut sentences: Vec<String> = Vec::new();
    for sentence in found.iter().map(LeakageFinding::sentence) {
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    Ok(sentences)
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
        let is_kind = registry.heads.contains(name) || registry.is_slide_head(name);
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

/// By what heads are sorted: what needs no call. A score that is not defined comes last.
fn score(head: &TrainedHead) -> f64 {
    let first = |saved: &TrainedFile| Some(saved.out_of_fold.metrics.first()?.interval.estimate);
    let score = head.result.as_ref().ok().and_then(first);
    score.filter(|score| score.is_finite()).unwrap_or(f64::NEG_INFINITY)
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
        let stage = format!("train {} on {name}", self.task_name);
        session.progress.start(&stage, heads.len() as u64);
        let mut trained = Vec::new();
        for (head_name, head) in heads {
            let fit = |exports: &mut Exports| -> Result<TrainedFile> {
                let Fitted { tuned, out_of_fold, mut file, test, rows: of } = match &set {
                    Some(set) if !is_slide_head(head) => self.tile_head(&rows, set, head)?,
                    _ => self.slide_head(&rows, head)?,
                };
                let whose = Whose {
                    task: self.task_name,
                    backbone: name,
                    arm: head_name,
                    names: &of.0,
                    split: &of.1,
                    classes: &rows.classes,
                    tuned: &tuned,
                };
                exports.add(&whose, &out_of_fold, test.as_ref())?;
                let out_of_fold = Measured::of(session, &out_of_fold, &file)?;
                let test = test.map(|test| Measured::of(session, &test, &file)).transpose()?;
                let parts = [("test", test.as_ref()), ("out of fold", Some(&out_of_fold))];
                for (part, measured) in parts {
                    let named = measured.into_iter().flat_map(Measured::named);
                    file.metrics
                        .extend(named.map(|(name, value)| (format!("{part} {name}"), value)));
                }
                let (penalty, threshold) = (tuned.penalty, file.threshold);
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
        Ok(Fitted { tuned, out_of_fold, file, test, rows })
    }

    fn slide_head(&self, rows: &TaskRows, head: &ComponentConfig) -> Result<Fitted> {
        let trainer = self.session.registry.slide_head(&head.kind, &head.options)?;
        fit_slides(self.session, self.task, rows, self.embedded, trainer.as_ref())
    }
}

impl Measured {
    fn of(session: &Session, scored: &Scored, file: &HeadFile) -> Result<Self> {
        let run = &session.config.run;
        let bootstrap = run.evaluation.bootstrap(run.seed);
        let metrics = scored.metrics(&bootstrap)?;
        Ok(Self {
            calls: metrics[scored.main_at()].clone(),
            metrics,
            figures: Figures::of(scored, file, &run.evaluation.prevalence, &bootstrap)?,
        })
    }

    /// Every figure by the name that a head's card gives it.
    fn named(&self) -> Vec<(String, f64)> {
        let metrics = self.metrics.iter().map(|m| (m.name.to_string(), m.interval.estimate));
        metrics.chain(self.figures.named()).collect()
    }
}
