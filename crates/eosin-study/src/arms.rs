// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_augment::Pipeline;
use eosin_core::{FeatureTransform, Head, HeadGrid, HeadTrainer, Result, Reweighted, TrainBatch};

use super::config::{ArmConfig, StrengthConfig};
use eosin_session::config::ComponentConfig;
use eosin_session::registry::{Registry, RegistryExt};

/// An arm with everything made that its settings name.
pub struct Arm {
    /// Its name in tables.
    pub name: String,
    /// What it does, in words that a methods section can quote.
    pub description: String,
    /// Whether the threshold is tuned.
    pub threshold: bool,
    /// Whether predictions are averaged over the views of a held-out tile.
    pub test_time: bool,
    /// One per strength.
    pub candidates: Vec<Candidate>,
}

/// An arm at one strength; its penalties are the trainer's grid.
pub struct Candidate {
    /// Such as `gamma = 0.1`; nothing where the arm has no strength.
    pub strength: Option<String>,
    /// Fits heads over the penalties of the study.
    pub trainer: Arc<dyn HeadTrainer>,
    /// Changes the rows that heads are fitted on.
    pub pipeline: Pipeline,
}

impl Arm {
    /// Makes an arm; `budget` is the number of penalties that it searches, at every strength.
    ///
    /// All arms search the same penalties at the same places: an arm that does nothing is then the
    /// reference itself, and one that only regularises gains nothing by a finer grid.
    pub fn make(
        config: &ArmConfig,
        head: &ComponentConfig,
        budget: usize,
        registry: &Registry,
    ) -> Result<Self> {
        let head = config.head.as_ref().unwrap_or(head);
        let candidates: Vec<Candidate> = match &config.strength {
            None => vec![candidate(None, head, &config.transforms, budget, registry)?],
            Some(strength) => {
                let at = |value| {
                    let (head, transforms) = with_strength(config, head, strength, value);
                    let label = format!("{} = {value}", strength.option);
                    candidate(Some(label), &head, &transforms, budget, registry)
                };
                strength.values.iter().map(at).collect::<Result<_>>()?
            }
        };
        Ok(Self {
            name: config.name.clone(),
            description: describe(config, head, &candidates),
            threshold: config.threshold,
            test_time: config.test_time,
            candidates,
        })
    }

    /// Settings that the inner folds try.
    pub fn n_settings(&self) -> usize {
        self.candidates.iter().map(|c| c.trainer.penalties().len()).sum()
    }
}

fn candidate(
    strength: Option<String>,
    head: &ComponentConfig,
    transforms: &[ComponentConfig],
    n_penalties: usize,
    registry: &Registry,
) -> Result<Candidate> {
    let trainer = registry.head(&head.kind, &head.options)?;
    Ok(Candidate {
        strength,
        trainer: Grid::over(trainer, n_penalties),
        pipeline: registry.pipeline(transforms)?,
    })
}

fn with_strength(
    config: &ArmConfig,
    head: &ComponentConfig,
    strength: &StrengthConfig,
    value: &toml::Value,
) -> (ComponentConfig, Vec<ComponentConfig>) {
    let (mut head, mut transforms) = (head.clone(), config.transforms.clone());
    let place = match strength.transform {
        Some(at) => transforms.get_mut(at).map(|t| &mut t.options),
        None => Some(&mut head.options),
    };
    if let Some(options) = place {
        options.insert(strength.option.clone(), value.clone());
    }
    (head, transforms)
}

fn describe(config: &ArmConfig, head: &ComponentConfig, candidates: &[Candidate]) -> String {
    let stage = |c: &ComponentConfig| {
        let options: Vec<String> = c.options.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        if options.is_empty() {
            format!("`{}`", c.kind)
        } else {
            format!("`{}` ({})", c.kind, options.join(", "))
        }
    };
    let mut parts: Vec<String> = match &config.augment {
        // As the reports of runs describe it.
        Some(name) => candidates
            .iter()
            .map(|candidate| format!("`{name}` as it ships: {}", candidate.pipeline.description()))
            .collect(),
        None => config.transforms.iter().map(stage).collect(),
    };
    if config.head.is_some() {
        parts.push(format!("head {}", stage(head)));
    }
    if let Some(strength) = &config.strength {
        let values: Vec<String> = strength.values.iter().map(ToString::to_string).collect();
        parts.push(format!("`{}` searched over {}", strength.option, values.join(", ")));
    }
    if config.test_time {
        parts.push("predictions averaged over the views of a held-out tile".into());
    }
    if !config.threshold {
        parts.push("the most probable class is taken".into());
    }
    if parts.is_empty() {
        return "threshold tuned on out-of-fold predictions, rows as they are".into();
    }
    parts.join("; ")
}

/// A trainer with a grid of another length over the same range, the same for all arms.
struct Grid {
    trainer: Arc<dyn HeadTrainer>,
    penalties: Vec<f64>,
}

impl Grid {
    /// `n` penalties, evenly spaced by their logarithms between the ends of the trainer's own
    /// grid, in its order. A grid of one value, or with a value that has no logarithm, is kept.
    fn over(trainer: Arc<dyn HeadTrainer>, n: usize) -> Arc<dyn HeadTrainer> {
        let own = trainer.penalties();
        let ends = own.first().zip(own.last());
        let Some((first, last)) = ends.filter(|_| own.len() > 1 && own.iter().all(|&p| p > 0.0))
        else {
            return trainer;
        };
        let (a, b) = (first.ln(), last.ln());
        // Few values are better placed inside the range than on its ends, which a longer grid keeps.
        let n = n.max(1);
        let (shift, parts) = if n <= 4 { (0.5, n as f64) } else { (0.0, n as f64 - 1.0) };
        let at = |i: usize| (a + (b - a) * (i as f64 + shift) / parts).exp();
        let penalties = (0..n).map(at).collect();
        Arc::new(Self { trainer, penalties })
    }
}

impl HeadTrainer for Grid {
    fn kind(&self) -> &'static str {
        self.trainer.kind()
    }

    fn penalties(&self) -> Vec<f64> {
        self.penalties.clone()
    }

    fn fit(&self, batch: &TrainBatch, penalty: f64) -> Result<Box<dyn Head>> {
        self.trainer.fit(batch, penalty)
    }

    fn fit_path(&self, batch: &TrainBatch, penalties: &[f64]) -> Result<Vec<Box<dyn Head>>> {
        self.trainer.fit_path(batch, penalties)
    }

    fn fit_reweighted(
        &self,
        batch: &TrainBatch,
        requests: &[Reweighted],
    ) -> Result<Option<HeadGrid>> {
        self.trainer.fit_reweighted(batch, requests)
    }
}

impl Candidate {
    /// The stages as `tune` takes them; an empty pipeline is none.
    pub fn transforms(&self) -> Vec<&dyn FeatureTransform> {
        if self.pipeline.n_stages() == 0 { Vec::new() } else { vec![&self.pipeline] }
    }
}
