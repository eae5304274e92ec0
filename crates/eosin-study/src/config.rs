// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;
use std::path::Path;

use eosin_core::{Error, Result};
use eosin_head::TuneMetric;
use serde::{Deserialize, Serialize};

use eosin_session::config::{AugmentConfig, ComponentConfig, EvaluationConfig, part};
use eosin_session::session::{view_bank, views};
use eosin_session::toml_file;

/// A study: arms that differ in augmentation alone, under the same folds and the same penalties (`configs/study/*.toml`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyConfig {
    /// Heading of the report.
    pub title: String,
    /// What a reader must know, printed in the report as it is.
    #[serde(default)]
    pub notes: Vec<String>,
    /// A file of `configs/run/`: data, target task, backbones, head and engine.
    pub run: String,
    /// Backbones to study, the default one first. Empty: the run's default backbone and the one
    /// that its proxy tasks select.
    #[serde(default)]
    pub backbones: Vec<String>,
    /// How arms are fitted and scored.
    #[serde(default)]
    pub design: StudyDesign,
    /// Image views that are embedded for the arms that need them; without it those of the
    /// augmentation that an arm names.
    #[serde(default)]
    pub views: Option<toml::Table>,
    /// What is compared.
    pub arms: Vec<ArmConfig>,
    /// How arms grow with the number of positives.
    #[serde(default)]
    pub curve: Option<CurveConfig>,
    /// Arms that are fitted on permuted labels, where none may show a gain.
    #[serde(default)]
    pub permuted: Option<PermutedConfig>,
}

/// How arms are fitted and scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StudyDesign {
    /// Outer folds, grouped and stratified.
    pub folds: usize,
    /// Rounds of outer folds.
    pub repeats: usize,
    /// Inner folds, in which penalty and strength are chosen.
    pub inner_folds: usize,
    /// Penalties that every arm searches in its inner folds, at the same places; an arm with a
    /// strength searches them at each of its values.
    pub budget: usize,
    /// What settings are chosen by.
    pub metric: TuneMetric,
    /// Name of the arm that gains are counted from.
    pub reference: String,
    /// Name of the arm that stands for "augmentation on" in the 2×2.
    pub on: String,
    /// Adds an arm that takes, in every outer fold, the arm of the best inner score.
    pub choose: bool,
    /// How intervals are made.
    pub evaluation: EvaluationConfig,
}

/// One arm of a study.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmConfig {
    /// Its name in tables.
    pub name: String,
    /// A file of `configs/augment/` whose transforms and views are the arm's, as they are those of a
    /// run that names it.
    #[serde(default)]
    pub augment: Option<String>,
    /// Applied one after the other to the rows that a head is fitted on; those of `augment` once the
    /// study is read.
    #[serde(default)]
    pub transforms: Vec<ComponentConfig>,
    /// An option that is searched together with the penalty.
    #[serde(default)]
    pub strength: Option<StrengthConfig>,
    /// Whether the threshold is tuned; otherwise the most probable class is taken.
    #[serde(default = "yes")]
    pub threshold: bool,
    /// Whether predictions are averaged over the views of a held-out tile.
    #[serde(default)]
    pub test_time: bool,
    /// Another head than the run's.
    #[serde(default)]
    pub head: Option<ComponentConfig>,
}

/// An option of one transform, or of the arm's own head, that is searched.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrengthConfig {
    /// Number of the transform, from 0; without it the option is the head's.
    #[serde(default)]
    pub transform: Option<usize>,
    /// Name of the option.
    pub option: String,
    /// Values to try.
    pub values: Vec<toml::Value>,
}

/// Learning curves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveConfig {
    /// Arms that are drawn.
    pub arms: Vec<String>,
    /// Numbers of positives; other classes are thinned out alike, and all rows come last.
    pub positives: Vec<usize>,
    /// Rounds of outer folds that are used; no more than the study's.
    pub repeats: usize,
}

/// The control with permuted labels.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermutedConfig {
    /// Arms that are fitted; the reference is always among them.
    pub arms: Vec<String>,
    /// Permutations, each with labels of its own and scored on one outer fold; 100 or more.
    #[serde(default = "least_draws")]
    pub draws: usize,
}

/// Fewer permutations could not show an artefact of a size that matters.
const LEAST_DRAWS: usize = 100;

impl StudyConfig {
    /// Reads a file of `configs/study/` and the augmentations that its arms name in the folder
    /// beside.
    pub fn read(path: &Path) -> Result<Self> {
        let mut config: Self = toml_file::read(path)?;
        let absolute = std::path::absolute(path).map_err(|e| Error::io("read", path, e))?;
        let configs = absolute.parent().and_then(Path::parent).unwrap_or(&absolute);
        let checked = config.read_augments(configs).and_then(|()| config.check());
        checked.map_err(|error| match error {
            Error::Input { expected, found, hint, .. } => Error::data(path, expected, found, hint),
            other => other,
        })?;
        Ok(config)
    }

    /// Takes the transforms and the views of the augmentations that arms name.
    fn read_augments(&mut self, configs: &Path) -> Result<()> {
        for arm in &mut self.arms {
            let Some(name) = &arm.augment else { continue };
            if !arm.transforms.is_empty() || arm.strength.is_some() {
                return Err(refused(
                    &format!("an arm `{}` of `augment` alone", arm.name),
                    "`transforms` or `strength` beside it",
                    "the arm is the augmentation as it is; leave either out",
                ));
            }
            let augment: AugmentConfig = part(configs, "augment", name)?;
            arm.transforms.clone_from(&augment.transforms);
            let Some(own) = views(&augment)? else { continue };
            match &self.views {
                None => self.views = augment.views,
                Some(table) => {
                    let (of_study, own) = (view_bank(table)?.describe(), own.describe());
                    if of_study != own {
                        return Err(refused(
                            &format!("the views of augment `{name}` of arm `{}`: {own}", arm.name),
                            &of_study,
                            "a study has one bank of views: leave `[views]` out to take the \
                             augmentation's",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Refuses what cannot be run.
    pub fn check(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        for arm in &self.arms {
            if !names.insert(arm.name.as_str()) {
                return Err(refused("arms of different names", &arm.name, "rename one of the two"));
            }
            Self::check_strength(arm)?;
            if arm.augment.is_some() && arm.transforms.is_empty() {
                return Err(refused(
                    &format!("transforms of the augmentation of arm `{}`", arm.name),
                    "none",
                    "an augmentation without any is what every arm without `augment` is",
                ));
            }
        }
        let curve = self.curve.iter().flat_map(|c| &c.arms);
        let permuted = self.permuted.iter().flat_map(|p| &p.arms);
        let named = [&self.design.reference, &self.design.on];
        for name in named.into_iter().chain(curve).chain(permuted) {
            if !names.contains(name.as_str()) {
                let known: Vec<&str> = names.iter().copied().collect();
                return Err(refused(
                    &format!("one of the arms {}", known.join(", ")),
                    name,
                    "name an arm of the study, or add it",
                ));
            }
        }
        let design = &self.design;
        if let Some(prevalence) = design.evaluation.prevalence.first() {
            return Err(refused(
                "no `design.evaluation.prevalence`, since a study compares arms and judges no head",
                &prevalence.to_string(),
                "state prevalences in the run, or to `eosin evaluate`",
            ));
        }
        for (key, value, least) in [
            ("folds", design.folds, 2),
            ("repeats", design.repeats, 1),
            ("inner_folds", design.inner_folds, 2),
            ("budget", design.budget, 1),
            ("evaluation.replicates", design.evaluation.replicates, 100),
            (
                "permuted.draws",
                self.permuted.as_ref().map_or(LEAST_DRAWS, |p| p.draws),
                LEAST_DRAWS,
            ),
        ] {
            if value < least {
                let key =
                    if key.contains("permuted") { key.into() } else { format!("design.{key}") };
                return Err(refused(
                    &format!("`{key}` of at least {least}"),
                    &value.to_string(),
                    "raise it",
                ));
            }
        }
        Ok(())
    }

    fn check_strength(arm: &ArmConfig) -> Result<()> {
        let Some(strength) = &arm.strength else { return Ok(()) };
        let place = match strength.transform {
            Some(at) => at < arm.transforms.len(),
            None => arm.head.is_some(),
        };
        if !place {
            return Err(refused(
                &format!("a transform or a head of arm `{}` that takes the strength", arm.name),
                &strength.transform.map_or_else(|| "no head".into(), |at| at.to_string()),
                "count transforms from 0, or give the arm a head",
            ));
        }
        if strength.values.is_empty() {
            return Err(refused(
                &format!("one strength or more in arm `{}`", arm.name),
                "none",
                "list values to search, or leave `strength` out",
            ));
        }
        Ok(())
    }
}

impl Default for StudyDesign {
    fn default() -> Self {
        Self {
            folds: 5,
            repeats: 5,
            inner_folds: 3,
            budget: 12,
            metric: TuneMetric::default(),
            reference: "threshold".into(),
            on: "augmented".into(),
            choose: true,
            evaluation: EvaluationConfig::default(),
        }
    }
}

fn refused(expected: &str, found: &str, hint: &str) -> Error {
    Error::input("study", expected, found, hint)
}

fn yes() -> bool {
    true
}

fn least_draws() -> usize {
    LEAST_DRAWS
}
