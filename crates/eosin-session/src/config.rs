// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a run asks for: its configuration and the files that it names.

use std::path::{Path, PathBuf};

use eosin_core::{Device, Error, Result, nearest};
use eosin_eval::GroupBootstrap;
use eosin_head::{DecisionOptions, TuneOptions};
use eosin_tile::TilingOptions;
use serde::{Deserialize, Serialize};

use crate::toml_file;

/// A run: which tiles, backbones, tasks, augmentation and head (`configs/run/*.toml`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Heading of the report.
    pub title: String,
    /// What a reader must know of the data, printed in the report as it is.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Seed of every fold, draw and resampling.
    pub seed: u64,
    /// Where tiles come from.
    pub tiles: ComponentConfig,
    /// Cards of the program or of `configs/backbone/`, by name.
    pub backbones: Vec<String>,
    /// The backbone one would take without selection.
    pub default_backbone: String,
    /// The target task, a file of `configs/task/`.
    pub task: String,
    /// Proxy tasks by which backbones are shortlisted, files of `configs/task/`.
    pub proxies: Vec<String>,
    /// Augmentation of the `on` arms, a file of `configs/augment/`.
    pub augment: String,
    /// The head, a file of `configs/head/`.
    pub head: String,
    /// Which engine computes embeddings.
    #[serde(default)]
    pub engine: EngineConfig,
    /// How backbones are ranked.
    #[serde(default)]
    pub selection: SelectionConfig,
    /// How heads are tuned.
    #[serde(default)]
    pub training: TrainingConfig,
    /// How intervals are made.
    #[serde(default)]
    pub evaluation: EvaluationConfig,
}

/// A kind with the options that it reads itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentConfig {
    /// The kind, a key of the registry.
    pub kind: String,
    /// What the kind reads.
    #[serde(default)]
    pub options: toml::Table,
}

/// An ordered list of transforms (`configs/augment/*.toml`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentConfig {
    /// Image views that are embedded for training tiles; absent where no transform needs them.
    #[serde(default)]
    pub views: Option<toml::Table>,
    /// Applied one after the other.
    pub transforms: Vec<ComponentConfig>,
}

/// A task: which manifest column holds the label, and which rows are for what
/// (`configs/task/*.toml`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// What is asked, in words.
    pub description: String,
    /// Kind of the task, a key of the registry.
    #[serde(default = "labelled_kind")]
    pub kind: String,
    /// What the kind reads.
    #[serde(default)]
    pub options: toml::Table,
    /// Column of the manifest with the class, or with the number that the kind reads.
    #[serde(default = "label_column")]
    pub column: String,
    /// A manifest of this task's own, relative to the folder of the data, where its tiles are not
    /// the run's; for proxies.
    #[serde(default)]
    pub manifest: Option<PathBuf>,
    /// Where the slides come from, as backbones' cards name it: a backbone that was trained on
    /// them is flagged.
    #[serde(default)]
    pub source: Option<String>,
    /// The class of interest, for binary tasks.
    #[serde(default)]
    pub positive: Option<String>,
    /// Classes in use; rows of others are left out. Empty takes all.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Rows in use: what stands after `WHERE` in SQL, over the manifest's columns. Without it all
    /// rows are.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Column with the unit that splits must not tear.
    #[serde(default = "group_column")]
    pub group: String,
    /// Column with the slide of a tile, for heads that call slides.
    #[serde(default = "slide_column")]
    pub slide: String,
    /// Values of the `split` column to fit on; all rows where the list is empty.
    #[serde(default)]
    pub train: Vec<String>,
    /// Values of the `split` column to test on, once.
    #[serde(default)]
    pub test: Vec<String>,
}

/// Which engine computes embeddings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// `auto`, which takes the first engine that serves a card, or an engine of the registry.
    pub kind: String,
    /// Where it computes; the engine's usual device where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Tiles per forward pass.
    pub batch_size: usize,
}

/// How backbones are ranked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelectionConfig {
    /// Probes, kinds of the registry; the first decides.
    pub probes: Vec<ComponentConfig>,
    /// Folds of every repeat, grouped and stratified.
    pub folds: usize,
    /// Repeats with other folds, fewer where there are no more different ones.
    pub repeats: usize,
    /// Folds within each fold's training part in which the choice is made again, so that its gain
    /// is measured on folds that had no say; 0 measures none, and takes about a quarter of the time.
    pub nested: usize,
    /// What a fold of the target task holds out.
    pub hold_out: HoldOut,
    /// Differences below this are taken for none.
    pub rope: f64,
    /// The head that linear probes fit; every backbone gets its whole grid of penalties.
    pub head: ComponentConfig,
    /// Backbones that the proxies leave for the target task.
    pub shortlist: usize,
    /// Whether colour statistics and an untrained default backbone are always among the arms.
    pub controls: bool,
    /// Principal components of the control that tells better from larger; 0 leaves it out.
    pub pca: usize,
    /// Whether scores without training are shown.
    pub training_free: bool,
    /// Who must be allowed to use the backbone.
    pub licence: LicenceFilter,
    /// Embeddings that other tools made.
    pub imported: Vec<ImportedConfig>,
}

/// What a fold of the target task holds out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldOut {
    /// Groups, spread so that folds are alike: how well new patients of these centres are called.
    #[default]
    Group,
    /// The tiles of one centre, so that there are as many folds as centres and no repeats: how well
    /// a new centre is called.
    Centre,
}

/// Who must be allowed to use a backbone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LicenceFilter {
    /// Nobody in particular.
    #[default]
    Any,
    /// Everybody, for any purpose.
    Commercial,
}

/// Embeddings of the run's tiles that another tool made.
///
/// `<folder>/<name>.npy` has a row per line of the manifest; `name` is that of the manifest's
/// folder, such as `mitosis` for `mitosis/manifest.csv`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedConfig {
    /// Name of the backbone.
    pub name: String,
    /// Folder of the arrays, relative to the folder for weights.
    pub folder: PathBuf,
    /// Number of the backbone's parameters.
    pub parameters: u64,
    /// Licence of its weights.
    pub licence: eosin_core::Licence,
    /// Data sets that it was trained on.
    #[serde(default)]
    pub training_sources: Vec<String>,
}

/// How heads are tuned.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Inner folds, grouped and stratified.
    pub folds: usize,
    /// Repeats with other folds.
    pub repeats: usize,
    /// Calibration, logit adjustment, sets of classes and abstention, fitted on out-of-fold
    /// predictions.
    pub decision: DecisionOptions,
}

/// How intervals are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Bootstrap replicates over groups.
    pub replicates: usize,
    /// Coverage of the intervals.
    pub level: f64,
    /// Shares of positives at which the calls of two classes are judged too; empty takes a usual
    /// few, from a screening to a referral.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prevalence: Vec<f64>,
}

impl RunConfig {
    /// How penalties are searched.
    pub fn tune_options(&self) -> TuneOptions {
        TuneOptions {
            folds: self.training.folds,
            repeats: self.training.repeats,
            seed: self.seed,
            ..TuneOptions::default()
        }
    }
}

impl EvaluationConfig {
    /// The bootstrap that it describes.
    pub fn bootstrap(&self, seed: u64) -> GroupBootstrap {
        GroupBootstrap { replicates: self.replicates, seed, level: self.level }
    }
}

/// A run with every file that it names.
#[derive(Clone, Debug, Serialize)]
pub struct LoadedRun {
    /// The run itself.
    pub run: RunConfig,
    /// The target task.
    pub task: TaskConfig,
    /// Proxy tasks in the run's order.
    pub proxies: Vec<(String, TaskConfig)>,
    /// The augmentation.
    pub augment: AugmentConfig,
    /// The head.
    pub head: ComponentConfig,
    /// The folder that holds `backbone/`, `task/`, `augment/`, `head/` and `run/`.
    #[serde(skip)]
    pub configs: PathBuf,
}

impl LoadedRun {
    /// Reads a file of `run/` and what it names in the folders beside.
    pub fn read(path: &Path) -> Result<Self> {
        let run: RunConfig = toml_file::read(path)?;
        let path = std::path::absolute(path).map_err(|e| Error::io("read", path, e))?;
        let configs = path.parent().and_then(Path::parent).unwrap_or(&path).to_owned();
        let task = part(&configs, "task", &run.task)?;
        let proxies = run
            .proxies
            .iter()
            .map(|name| Ok((name.clone(), part(&configs, "task", name)?)))
            .collect::<Result<_>>()?;
        let augment = part(&configs, "augment", &run.augment)?;
        let head = part(&configs, "head", &run.head)?;
        let loaded = Self { run, task, proxies, augment, head, configs };
        loaded.check(&path)?;
        Ok(loaded)
    }

    /// BLAKE3 of all settings on which results depend, in a canonical form.
    pub fn digest(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        blake3::hash(value.to_string().as_bytes()).to_hex()[..32].to_string()
    }

    fn check(&self, path: &Path) -> Result<()> {
        let run = &self.run;
        if run.backbones.is_empty() || !run.backbones.contains(&run.default_backbone) {
            return Err(Error::data(
                path,
                format!("`backbones` with `{}` among them", run.default_backbone),
                format!("[{}]", run.backbones.join(", ")),
                "add the default backbone to the list",
            ));
        }
        for (key, names) in
            [("selection.probes", run.selection.probes.len()), ("proxies", run.proxies.len())]
        {
            if names == 0 {
                return Err(Error::data(
                    path,
                    format!("`{key}` with at least one"),
                    "none",
                    "name one, or leave the key out for the default",
                ));
            }
        }
        Ok(())
    }
}

/// Reads `configs/<group>/<name>.toml`; a missing one names those that are there.
pub fn part<T: serde::de::DeserializeOwned>(configs: &Path, group: &str, name: &str) -> Result<T> {
    let path = configs.join(group).join(format!("{name}.toml"));
    if path.is_file() {
        return toml_file::read(&path);
    }
    Err(unknown_part(configs, group, name, names(configs, group)))
}

/// Names of the files in `configs/<group>/`.
pub fn names(configs: &Path, group: &str) -> Vec<String> {
    let files = std::fs::read_dir(configs.join(group)).into_iter().flatten().flatten();
    let tables = files.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml"));
    tables.filter_map(|p| Some(p.file_stem()?.to_string_lossy().into_owned())).collect()
}

/// The error that names the nearest of what is known, and lists all.
pub fn unknown_part(configs: &Path, group: &str, name: &str, mut known: Vec<String>) -> Error {
    known.sort();
    known.dedup();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("files of {group} lie in {}", configs.join(group).display()),
    };
    Error::unsupported(format!("{group} `{name}`"), &known, hint)
}

/// Reads how slides are cut (`configs/tiling/*.toml`); paths in it are relative to its folder.
pub fn read_tiling(path: &Path) -> Result<TilingOptions> {
    let mut tiling: TilingOptions = toml_file::read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for named in [&mut tiling.roi, &mut tiling.mpp_csv] {
        *named = named.take().map(|file| folder.join(file));
    }
    Ok(tiling)
}

fn labelled_kind() -> String {
    "labelled".into()
}

fn label_column() -> String {
    "label".into()
}

fn slide_column() -> String {
    "slide".into()
}

fn group_column() -> String {
    "group".into()
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { kind: "auto".into(), device: None, batch_size: 32 }
    }
}

impl Default for SelectionConfig {
    fn default() -> Self {
        let probe = |kind: &str| ComponentConfig { kind: kind.into(), options: toml::Table::new() };
        // A probe's score does not change below this tolerance, nor between half decades.
        let penalties = (0..7).map(|i| toml::Value::Float(10_f64.powi(5 - i))).collect();
        let options = toml::Table::from_iter([
            ("tolerance".to_string(), toml::Value::Float(1e-6)),
            ("penalties".to_string(), toml::Value::Array(penalties)),
        ]);
        Self {
            probes: vec![probe("linear"), probe("knn")],
            folds: 5,
            repeats: 5,
            nested: 3,
            hold_out: HoldOut::Group,
            rope: 0.01,
            head: ComponentConfig { kind: "logistic".into(), options },
            shortlist: 3,
            controls: true,
            pca: 256,
            training_free: true,
            licence: LicenceFilter::Any,
            imported: Vec::new(),
        }
    }
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self { folds: 5, repeats: 1, decision: DecisionOptions::default() }
    }
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { replicates: 2000, level: 0.95, prevalence: Vec::new() }
    }
}
