// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::sync::Arc;

use eosin_augment::{
    BorderlineSmote, CentreSwap, ClassWeights, ClusterNoise, CovarianceTransfer, Delta, Duplicate,
    Extrapolate, FeatureDropout, GaussianNoise, Interpolate, IsdaTrainer, Mixup, Pipeline, Smote,
    ViewBankTransform, ViewOperator,
};
use eosin_core::{Error, FeatureTransform, HeadTrainer, ProxyTask, Result, SlideReader};
use eosin_head::{
    KnnTrainer, LdaTrainer, LinearSvmTrainer, LogisticTrainer, NearestMeanTrainer, RidgeTrainer,
};
use eosin_network::{AbmilTrainer, LearnedOperator, MeanPoolTrainer, MlpTrainer, SlideHeadTrainer};
use eosin_proxy::{FewShot, KnnProbe, LinearProbe, SimpleShot};

use crate::config::ComponentConfig;
use crate::select::{
    Density, FewShotKind, InvarianceKind, Labelled, Magnification, Nuisance, ProxyKind, Spatial,
};
use crate::toml_file::{self, nearest};

type Make<T> = fn(&toml::Table) -> Result<T>;
type MakeSlideHead = fn(&toml::Table, &Registry) -> Result<Box<dyn SlideHeadTrainer>>;
type MakeProbe = fn(&toml::Table, &Arc<dyn HeadTrainer>, u64) -> Result<Box<dyn ProxyTask>>;

/// A transform with the description that goes into a pipeline's digest.
pub type DescribedTransform = (Box<dyn FeatureTransform>, String);

/// What each `kind` of a configuration stands for. A value: plugins add to it, nothing is global.
#[derive(Clone, Default)]
pub struct Registry {
    heads: BTreeMap<&'static str, Make<Arc<dyn HeadTrainer>>>,
    slide_heads: BTreeMap<&'static str, MakeSlideHead>,
    transforms: BTreeMap<&'static str, Make<DescribedTransform>>,
    probes: BTreeMap<&'static str, MakeProbe>,
    proxies: BTreeMap<&'static str, Make<Arc<dyn ProxyKind>>>,
    slide_readers: Vec<Arc<dyn SlideReader>>,
}

/// Registers transforms whose options are the type itself.
macro_rules! register_transforms {
    ($registry:ident, $($kind:literal => $transform:ty,)+) => {
        $($registry.register_transform($kind, |options| {
            let place = concat!("augment ", $kind);
            described(toml_file::options::<$transform>(place, options)?)
        });)+
    };
}

/// Registers kinds of proxy tasks, which are their own options.
macro_rules! register_proxies {
    ($registry:ident, $($kind:literal => $proxy:ty,)+) => {
        $($registry.register_proxy($kind, |options| {
            Ok(Arc::new(toml_file::options::<$proxy>(concat!("task ", $kind), options)?))
        });)+
    };
}

impl Registry {
    /// Everything that this build has.
    pub fn with_defaults() -> Self {
        let mut registry = Self::default();
        registry.register_head("logistic", |o| {
            Ok(Arc::new(toml_file::options::<LogisticTrainer>("head logistic", o)?))
        });
        #[cfg(feature = "linfa-logistic")]
        registry.register_head("linfa-logistic", |o| {
            let place = "head linfa-logistic";
            Ok(Arc::new(toml_file::options::<eosin_head::LinfaLogisticTrainer>(place, o)?))
        });
        registry.register_head("ridge", |o| {
            Ok(Arc::new(toml_file::options::<RidgeTrainer>("head ridge", o)?))
        });
        registry.register_head("lda", |o| {
            Ok(Arc::new(toml_file::options::<LdaTrainer>("head lda", o)?))
        });
        registry.register_head("linear-svm", |o| {
            Ok(Arc::new(toml_file::options::<LinearSvmTrainer>("head linear-svm", o)?))
        });
        registry.register_head("knn", |o| {
            Ok(Arc::new(toml_file::options::<KnnTrainer>("head knn", o)?))
        });
        registry.register_head("nearest-mean", |o| {
            Ok(Arc::new(toml_file::options::<NearestMeanTrainer>("head nearest-mean", o)?))
        });
        registry.register_head("mlp", |o| {
            Ok(Arc::new(toml_file::options::<MlpTrainer>("head mlp", o)?))
        });
        registry.register_head("isda", |o| {
            Ok(Arc::new(toml_file::options::<IsdaTrainer>("head isda", o)?))
        });
        registry.register_slide_head("abmil", |o, _| {
            Ok(Box::new(toml_file::options::<AbmilTrainer>("head abmil", o)?))
        });
        registry.register_slide_head("mean-pool", |o, registry| {
            let options: MeanPoolOptions = toml_file::options("head mean-pool", o)?;
            let head = registry.head(&options.head.kind, &options.head.options)?;
            Ok(Box::new(MeanPoolTrainer::new(head)))
        });
        register_transforms! { registry,
            "gaussian-noise" => GaussianNoise,
            "view-bank" => ViewBankTransform,
            "class-weights" => ClassWeights,
            "duplicate" => Duplicate,
            "interpolate" => Interpolate,
            "extrapolate" => Extrapolate,
            "smote" => Smote,
            "borderline-smote" => BorderlineSmote,
            "mixup" => Mixup,
            "feature-dropout" => FeatureDropout,
            "cluster-noise" => ClusterNoise,
            "covariance-transfer" => CovarianceTransfer,
            "centre-swap" => CentreSwap,
            "delta" => Delta,
            "view-operator" => ViewOperator,
            "learned-operator" => LearnedOperator,
        }
        registry.register_probe("linear", |o, trainer, seed| {
            let options: LinearProbeOptions = toml_file::options("probe linear", o)?;
            let inner_folds = options.inner_folds;
            Ok(Box::new(LinearProbe { inner_folds, seed, ..LinearProbe::new(Arc::clone(trainer)) }))
        });
        registry.register_probe("few-shot", |o, _, seed| {
            let options: FewShotKind = toml_file::options("probe few-shot", o)?;
            Ok(Box::new(FewShot { shots: options.shots, episodes: options.episodes, seed }))
        });
        registry.register_probe("simple-shot", |o, _, _| {
            toml_file::options::<NoOptions>("probe simple-shot", o)?;
            Ok(Box::new(SimpleShot))
        });
        registry.register_probe("knn", |o, _, _| {
            Ok(Box::new(toml_file::options::<KnnProbe>("probe knn", o)?))
        });
        register_proxies! { registry,
            "labelled" => Labelled,
            "density" => Density,
            "few-shot" => FewShotKind,
            "invariance" => InvarianceKind,
            "nuisance" => Nuisance,
            "magnification" => Magnification,
            "spatial-neighbourhood" => Spatial,
        }
        #[cfg(feature = "openslide")]
        registry
            .register_slide_reader(Arc::new(eosin_tile_openslide::OpenSlideReader::installed()));
        registry
    }

    /// Adds a reader for slides that the built-in one leaves out; readers are asked in this order.
    pub fn register_slide_reader(&mut self, reader: Arc<dyn SlideReader>) {
        self.slide_readers.push(reader);
    }

    /// Readers for slides that the built-in one leaves out.
    pub fn slide_readers(&self) -> &[Arc<dyn SlideReader>] {
        &self.slide_readers
    }

    /// Adds a kind of proxy task.
    pub fn register_proxy(&mut self, kind: &'static str, make: Make<Arc<dyn ProxyKind>>) {
        self.proxies.insert(kind, make);
    }

    /// Kinds of proxy tasks.
    pub fn proxies(&self) -> Vec<&'static str> {
        self.proxies.keys().copied().collect()
    }

    /// Makes a kind of proxy task.
    pub fn proxy(&self, kind: &str, options: &toml::Table) -> Result<Arc<dyn ProxyKind>> {
        find(&self.proxies, "task", kind)?(options)
    }

    /// Adds a head's kind.
    pub fn register_head(&mut self, kind: &'static str, make: Make<Arc<dyn HeadTrainer>>) {
        self.heads.insert(kind, make);
    }

    /// Adds a kind of head that calls slides.
    pub fn register_slide_head(&mut self, kind: &'static str, make: MakeSlideHead) {
        self.slide_heads.insert(kind, make);
    }

    /// Whether heads of this kind call slides, not tiles.
    pub fn is_slide_head(&self, kind: &str) -> bool {
        self.slide_heads.contains_key(kind)
    }

    /// Kinds of heads that call slides.
    pub fn slide_heads(&self) -> Vec<&'static str> {
        self.slide_heads.keys().copied().collect()
    }

    /// Makes a trainer of heads that call slides.
    pub fn slide_head(
        &self,
        kind: &str,
        options: &toml::Table,
    ) -> Result<Box<dyn SlideHeadTrainer>> {
        find(&self.slide_heads, "slide head", kind)?(options, self)
    }

    /// Adds a transform's kind.
    pub fn register_transform(&mut self, kind: &'static str, make: Make<DescribedTransform>) {
        self.transforms.insert(kind, make);
    }

    /// Adds a probe's kind.
    pub fn register_probe(&mut self, kind: &'static str, make: MakeProbe) {
        self.probes.insert(kind, make);
    }

    /// Kinds of heads.
    pub fn heads(&self) -> Vec<&'static str> {
        self.heads.keys().copied().collect()
    }

    /// Kinds of transforms.
    pub fn transforms(&self) -> Vec<&'static str> {
        self.transforms.keys().copied().collect()
    }

    /// Kinds of probes.
    pub fn probes(&self) -> Vec<&'static str> {
        self.probes.keys().copied().collect()
    }

    /// Makes a head's trainer.
    pub fn head(&self, kind: &str, options: &toml::Table) -> Result<Arc<dyn HeadTrainer>> {
        find(&self.heads, "head", kind)?(options)
    }

    /// Makes a pipeline of transforms.
    pub fn pipeline(&self, transforms: &[ComponentConfig]) -> Result<Pipeline> {
        transforms.iter().try_fold(Pipeline::default(), |pipeline, config| {
            let make = find(&self.transforms, "augment", &config.kind)?;
            let (transform, description) = make(&config.options)?;
            Ok(pipeline.then_boxed(transform, description))
        })
    }

    /// Makes a probe that fits heads with `trainer`.
    pub fn probe(
        &self,
        config: &ComponentConfig,
        trainer: &Arc<dyn HeadTrainer>,
        seed: u64,
    ) -> Result<Box<dyn ProxyTask>> {
        find(&self.probes, "probe", &config.kind)?(&config.options, trainer, seed)
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MeanPoolOptions {
    /// The head on the slides' means.
    head: ComponentConfig,
}

impl Default for MeanPoolOptions {
    fn default() -> Self {
        Self { head: ComponentConfig { kind: "logistic".into(), options: toml::Table::new() } }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LinearProbeOptions {
    inner_folds: usize,
}

impl Default for LinearProbeOptions {
    fn default() -> Self {
        Self { inner_folds: 3 }
    }
}

fn described<T>(transform: T) -> Result<DescribedTransform>
where
    T: FeatureTransform + serde::Serialize + 'static,
{
    let description = serde_json::to_string(&transform).map_err(|e| {
        Error::input(
            format!("augment {}", transform.kind()),
            "options that can be written as JSON",
            e.to_string(),
            "use finite numbers",
        )
    })?;
    Ok((Box::new(transform), description))
}

/// Kinds that some builds leave out, which the Cargo features of the same names bring.
const FEATURES: [&str; 1] = ["linfa-logistic"];

fn find<'a, T>(map: &'a BTreeMap<&'static str, T>, what: &str, kind: &str) -> Result<&'a T> {
    map.get(kind).ok_or_else(|| {
        let known: Vec<&str> = map.keys().copied().collect();
        let hint = if let Some(feature) = FEATURES.iter().find(|feature| **feature == kind) {
            format!("build with the Cargo feature `{feature}`")
        } else if let Some(near) = nearest(kind, known.iter().copied()) {
            format!("did you mean `{near}`?")
        } else {
            format!("set `kind` of the {what} to a known one")
        };
        Error::unsupported(format!("{what} kind `{kind}`"), &known, hint)
    })
}

#[cfg(all(test, not(feature = "linfa-logistic")))]
mod tests {
    #[test]
    fn a_kind_that_is_left_out_names_its_feature() {
        let registry = super::Registry::with_defaults();
        let made = registry.head("linfa-logistic", &toml::Table::new());
        let hint = made.err().map(|error| error.hint());
        assert_eq!(hint.as_deref(), Some("build with the Cargo feature `linfa-logistic`"));
    }
}
