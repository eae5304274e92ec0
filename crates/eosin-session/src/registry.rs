// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a configuration names, made by the kinds of a registry.

use std::sync::Arc;

use eosin_augment::Pipeline;
use eosin_core::{
    HeadTrainer, Options, PredictionWriter, ProbeSetup, ProxyKind, ProxyTask, Result,
    SlideHeadTrainer, SlideReader,
};

pub use eosin_core::Registry;

use crate::config::ComponentConfig;
use crate::limits::check_numbers;

/// Makes what configurations name; a number beyond its limit is refused before a kind sees it.
pub trait RegistryExt {
    /// Makes a head's trainer.
    fn head(&self, kind: &str, options: &toml::Table) -> Result<Arc<dyn HeadTrainer>>;
    /// Makes a trainer of heads that call slides.
    fn slide_head(&self, kind: &str, options: &toml::Table) -> Result<Box<dyn SlideHeadTrainer>>;
    /// Makes a pipeline of transforms.
    fn pipeline(&self, transforms: &[ComponentConfig]) -> Result<Pipeline>;
    /// Makes a probe that fits heads with `trainer`.
    fn probe(
        &self,
        config: &ComponentConfig,
        trainer: &Arc<dyn HeadTrainer>,
        seed: u64,
    ) -> Result<Box<dyn ProxyTask>>;
    /// Makes a kind of proxy task.
    fn proxy(&self, kind: &str, options: &toml::Table) -> Result<Arc<dyn ProxyKind>>;
    /// Makes a writer of predictions.
    fn writer(&self, kind: &str, options: &toml::Table) -> Result<Arc<dyn PredictionWriter>>;
    /// Readers for slides that the built-in one leaves out, in the order in which they are asked.
    fn readers(&self) -> Vec<Arc<dyn SlideReader>>;
}

impl RegistryExt for Registry {
    fn head(&self, kind: &str, table: &toml::Table) -> Result<Arc<dyn HeadTrainer>> {
        self.heads.get(kind)?.make(&options(&format!("head {kind}"), table)?)
    }

    fn slide_head(&self, kind: &str, table: &toml::Table) -> Result<Box<dyn SlideHeadTrainer>> {
        self.slide_heads.get(kind)?.make(&options(&format!("head {kind}"), table)?, self)
    }

    fn pipeline(&self, transforms: &[ComponentConfig]) -> Result<Pipeline> {
        transforms.iter().try_fold(Pipeline::default(), |pipeline, config| {
            let kind = self.transforms.get(&config.kind)?;
            let options = options(&format!("augment {}", config.kind), &config.options)?;
            let made = kind.make(&options)?;
            Ok(pipeline.then_boxed(made.transform, made.description))
        })
    }

    fn probe(
        &self,
        config: &ComponentConfig,
        trainer: &Arc<dyn HeadTrainer>,
        seed: u64,
    ) -> Result<Box<dyn ProxyTask>> {
        let options = options(&format!("probe {}", config.kind), &config.options)?;
        let setup = ProbeSetup { trainer: Arc::clone(trainer), seed };
        self.probes.get(&config.kind)?.make(&options, &setup)
    }

    fn proxy(&self, kind: &str, table: &toml::Table) -> Result<Arc<dyn ProxyKind>> {
        self.proxies.get(kind)?.make(&options(&format!("task {kind}"), table)?)
    }

    fn writer(&self, kind: &str, table: &toml::Table) -> Result<Arc<dyn PredictionWriter>> {
        self.writers.get(kind)?.make(&options(&format!("format {kind}"), table)?)
    }

    fn readers(&self) -> Vec<Arc<dyn SlideReader>> {
        self.slide_readers.values().cloned().collect()
    }
}

/// A table of a configuration as kinds read it.
fn options(component: &str, table: &toml::Table) -> Result<Options> {
    check_numbers(&format!("options of {component}"), table)?;
    Options::of(component, table)
}
