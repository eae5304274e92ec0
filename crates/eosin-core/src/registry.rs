// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    AnnotationFormat, BackboneOpener, Error, FeatureTransform, Head, HeadRecord, HeadTrainer,
    Kinds, Options, PredictionWriter, ProxyKind, ProxyTask, Result, SlideHead, SlideHeadTrainer,
    SlideReader, TileSourceOpener,
};

/// What the names of a configuration stand for, one list of kinds per seam.
///
/// It is a value: every crate and every plugin adds to it in a function `register`, and it is
/// handed to all that opens a path, loads a head or names a kind. Nothing is global.
///
/// ```
/// use std::sync::Arc;
/// use eosin_core::{HeadKind, Options, Registry};
/// # use eosin_core::{Head, HeadRecord, HeadTrainer, Result, TrainBatch};
/// # #[derive(serde::Deserialize)]
/// # struct Prior {}
/// # impl HeadTrainer for Prior {
/// #     fn kind(&self) -> &'static str { "prior" }
/// #     fn penalties(&self) -> Vec<f64> { vec![0.0] }
/// #     fn fit(&self, _: &TrainBatch, _: f64) -> Result<Box<dyn Head>> { unimplemented!() }
/// # }
/// # fn restore(_: &HeadRecord) -> Result<Box<dyn Head>> { unimplemented!() }
/// pub fn register(registry: &mut Registry) {
///     registry.heads.register("prior", HeadKind::of::<Prior>("prior", restore));
/// }
///
/// let mut registry = Registry::default();
/// register(&mut registry);
/// assert_eq!(registry.heads.get("prior")?.make(&Options::default())?.penalties(), [0.0]);
/// # Ok::<(), eosin_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Registry {
    /// Readers of slides that the built-in one leaves out, asked in this order.
    pub slide_readers: Kinds<Arc<dyn SlideReader>>,
    /// Openers of tiles, asked in this order before what is built in.
    pub tile_sources: Kinds<Arc<dyn TileSourceOpener>>,
    /// Formats of annotations, asked in this order for the first that recognises a file.
    pub annotations: Kinds<Arc<dyn AnnotationFormat>>,
    /// Engines, asked in this order for the first that serves a card.
    pub backbones: Kinds<Arc<dyn BackboneOpener>>,
    /// Heads that call tiles.
    pub heads: Kinds<HeadKind>,
    /// Heads that call slides.
    pub slide_heads: Kinds<SlideHeadKind>,
    /// Transforms of embeddings.
    pub transforms: Kinds<TransformKind>,
    /// Probes, which score backbones.
    pub probes: Kinds<ProbeKind>,
    /// Proxy tasks, which say what is asked of rows.
    pub proxies: Kinds<ProxyMaker>,
    /// Writers of what heads say of slides.
    pub writers: Kinds<PredictionWriterKind>,
}

type Make<T> = dyn Fn(&Options) -> Result<T> + Send + Sync;
type Restore = dyn Fn(&HeadRecord) -> Result<Box<dyn Head>> + Send + Sync;
type MakeSlideHead = dyn Fn(&Options, &Registry) -> Result<Box<dyn SlideHeadTrainer>> + Send + Sync;
type RestoreSlideHead = dyn Fn(&HeadRecord, &Registry) -> Result<Box<dyn SlideHead>> + Send + Sync;
type MakeProbe = dyn Fn(&Options, &ProbeSetup) -> Result<Box<dyn ProxyTask>> + Send + Sync;

/// How heads of a kind are trained, and made again from what was saved of them.
#[derive(Clone)]
pub struct HeadKind {
    make: Arc<Make<Arc<dyn HeadTrainer>>>,
    restore: Arc<Restore>,
}

/// How heads of slides of a kind are trained, and made again from what was saved of them. Both are
/// given the registry, since a head of slides may be made of one of tiles.
#[derive(Clone)]
pub struct SlideHeadKind {
    make: Arc<MakeSlideHead>,
    restore: Arc<RestoreSlideHead>,
}

/// How transforms of a kind are made.
#[derive(Clone)]
pub struct TransformKind {
    make: Arc<Make<DescribedTransform>>,
}

/// A transform with the description that goes into a pipeline's digest.
pub struct DescribedTransform {
    /// The transform.
    pub transform: Box<dyn FeatureTransform>,
    /// Its options with their defaults, as JSON.
    pub description: String,
}

/// How probes of a kind are made.
#[derive(Clone)]
pub struct ProbeKind {
    make: Arc<MakeProbe>,
}

/// What a selection gives to all its probes.
#[derive(Clone)]
pub struct ProbeSetup {
    /// Fits the heads of probes that fit any.
    pub trainer: Arc<dyn HeadTrainer>,
    /// Seed of what a probe draws.
    pub seed: u64,
}

/// How proxy tasks of a kind are made.
#[derive(Clone)]
pub struct ProxyMaker {
    make: Arc<Make<Arc<dyn ProxyKind>>>,
}

/// How writers of predictions of a kind are made.
#[derive(Clone)]
pub struct PredictionWriterKind {
    make: Arc<Make<Arc<dyn PredictionWriter>>>,
}

impl Default for Registry {
    /// A registry without any kind.
    fn default() -> Self {
        Self {
            slide_readers: Kinds::new("slide reader"),
            tile_sources: Kinds::new("tile source"),
            annotations: Kinds::new("annotation format"),
            backbones: Kinds::new("engine"),
            heads: Kinds::new("head"),
            slide_heads: Kinds::new("slide head"),
            transforms: Kinds::new("augment"),
            probes: Kinds::new("probe"),
            proxies: Kinds::new("task"),
            writers: Kinds::new("format"),
        }
    }
}

impl Registry {
    /// Makes a saved head again, by the kind that saved it.
    pub fn restore_head(&self, record: &HeadRecord) -> Result<Box<dyn Head>> {
        match self.heads.get(&record.kind) {
            Ok(kind) => kind.restore(record),
            Err(error) => Err(unknown_head(record, &self.heads, error)),
        }
    }

    /// Makes a saved head of slides again, by the kind that saved it.
    pub fn restore_slide_head(&self, record: &HeadRecord) -> Result<Box<dyn SlideHead>> {
        match self.slide_heads.get(outer_kind(&record.kind)) {
            Ok(kind) => kind.restore(record, self),
            Err(error) => Err(unknown_head(record, &self.slide_heads, error)),
        }
    }

    /// Whether heads of this kind call slides, not tiles; `mean-pool/logistic` is a mean-pool head
    /// made of a logistic one.
    pub fn is_slide_head(&self, kind: &str) -> bool {
        self.slide_heads.contains(outer_kind(kind))
    }
}

/// Shows what there is, by name.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("slide_readers", &self.slide_readers.names())
            .field("tile_sources", &self.tile_sources.names())
            .field("annotations", &self.annotations.names())
            .field("backbones", &self.backbones.names())
            .field("heads", &self.heads.names())
            .field("slide_heads", &self.slide_heads.names())
            .field("transforms", &self.transforms.names())
            .field("probes", &self.probes.names())
            .field("proxies", &self.proxies.names())
            .field("writers", &self.writers.names())
            .finish()
    }
}

fn outer_kind(kind: &str) -> &str {
    kind.split('/').next().unwrap_or_default()
}

/// A kind that was compiled out names its feature, as `error` does.
fn unknown_head<T>(record: &HeadRecord, kinds: &Kinds<T>, error: Error) -> Error {
    if kinds.names_compiled_out().contains(&outer_kind(&record.kind)) {
        return error;
    }
    Error::unsupported(
        format!("a head of kind {}", record.kind),
        &kinds.names(),
        "use the release that trained it, or a command that has its plugin",
    )
}

impl HeadKind {
    /// A kind from how its trainers are made and its heads made again.
    pub fn new(
        make: impl Fn(&Options) -> Result<Arc<dyn HeadTrainer>> + Send + Sync + 'static,
        restore: impl Fn(&HeadRecord) -> Result<Box<dyn Head>> + Send + Sync + 'static,
    ) -> Self {
        Self { make: Arc::new(make), restore: Arc::new(restore) }
    }

    /// A kind whose trainer is its own options.
    pub fn of<T: HeadTrainer + DeserializeOwned + 'static>(
        kind: &'static str,
        restore: impl Fn(&HeadRecord) -> Result<Box<dyn Head>> + Send + Sync + 'static,
    ) -> Self {
        let component = format!("head {kind}");
        Self::new(move |options| Ok(Arc::new(options.read::<T>(&component)?)), restore)
    }

    /// A kind whose trainer is its own options, and whose heads are heads of kind `saved`.
    pub fn saved_as<T: HeadTrainer + DeserializeOwned + 'static>(
        kind: &'static str,
        saved: &'static str,
    ) -> Self {
        Self::of::<T>(kind, move |record| {
            Err(Error::input(
                "a saved head",
                format!("kind {saved}, as which heads of kind {kind} are saved"),
                record.kind.clone(),
                "train it again",
            ))
        })
    }

    /// Makes a trainer.
    pub fn make(&self, options: &Options) -> Result<Arc<dyn HeadTrainer>> {
        (self.make)(options)
    }

    /// Makes a head again; it predicts the same bits.
    pub fn restore(&self, record: &HeadRecord) -> Result<Box<dyn Head>> {
        (self.restore)(record)
    }
}

impl SlideHeadKind {
    /// A kind from how its trainers are made and its heads made again.
    pub fn new(
        make: impl Fn(&Options, &Registry) -> Result<Box<dyn SlideHeadTrainer>> + Send + Sync + 'static,
        restore: impl Fn(&HeadRecord, &Registry) -> Result<Box<dyn SlideHead>> + Send + Sync + 'static,
    ) -> Self {
        Self { make: Arc::new(make), restore: Arc::new(restore) }
    }

    /// A kind whose trainer is its own options.
    pub fn of<T: SlideHeadTrainer + DeserializeOwned + 'static>(
        kind: &'static str,
        restore: impl Fn(&HeadRecord) -> Result<Box<dyn SlideHead>> + Send + Sync + 'static,
    ) -> Self {
        let component = format!("head {kind}");
        Self::new(
            move |options, _| Ok(Box::new(options.read::<T>(&component)?)),
            move |record, _| restore(record),
        )
    }

    /// Makes a trainer.
    pub fn make(
        &self,
        options: &Options,
        registry: &Registry,
    ) -> Result<Box<dyn SlideHeadTrainer>> {
        (self.make)(options, registry)
    }

    /// Makes a head again; it predicts the same bits.
    pub fn restore(&self, record: &HeadRecord, registry: &Registry) -> Result<Box<dyn SlideHead>> {
        (self.restore)(record, registry)
    }
}

impl TransformKind {
    /// A kind from how its transforms are made.
    pub fn new(
        make: impl Fn(&Options) -> Result<DescribedTransform> + Send + Sync + 'static,
    ) -> Self {
        Self { make: Arc::new(make) }
    }

    /// A kind whose transform is its own options.
    pub fn of<T>(kind: &'static str) -> Self
    where
        T: FeatureTransform + DeserializeOwned + Serialize + 'static,
    {
        let component = format!("augment {kind}");
        Self::new(move |options| DescribedTransform::new(options.read::<T>(&component)?))
    }

    /// Makes a transform.
    pub fn make(&self, options: &Options) -> Result<DescribedTransform> {
        (self.make)(options)
    }
}

impl DescribedTransform {
    /// A transform that its serialised form describes.
    pub fn new<T: FeatureTransform + Serialize + 'static>(transform: T) -> Result<Self> {
        let description = serde_json::to_string(&transform).map_err(|e| {
            Error::input(
                format!("augment {}", transform.kind()),
                "options that can be written as JSON",
                e.to_string(),
                "use finite numbers and plain text in options",
            )
        })?;
        Ok(Self { transform: Box::new(transform), description })
    }
}

impl ProbeKind {
    /// A kind from how its probes are made.
    pub fn new(
        make: impl Fn(&Options, &ProbeSetup) -> Result<Box<dyn ProxyTask>> + Send + Sync + 'static,
    ) -> Self {
        Self { make: Arc::new(make) }
    }

    /// A kind whose probe is its own options.
    pub fn of<T: ProxyTask + DeserializeOwned + 'static>(kind: &'static str) -> Self {
        let component = format!("probe {kind}");
        Self::new(move |options, _| Ok(Box::new(options.read::<T>(&component)?)))
    }

    /// Makes a probe.
    pub fn make(&self, options: &Options, setup: &ProbeSetup) -> Result<Box<dyn ProxyTask>> {
        (self.make)(options, setup)
    }
}

impl ProxyMaker {
    /// A kind from how its tasks are made.
    pub fn new(
        make: impl Fn(&Options) -> Result<Arc<dyn ProxyKind>> + Send + Sync + 'static,
    ) -> Self {
        Self { make: Arc::new(make) }
    }

    /// A kind whose task is its own options.
    pub fn of<T: ProxyKind + DeserializeOwned + 'static>(kind: &'static str) -> Self {
        let component = format!("task {kind}");
        Self::new(move |options| Ok(Arc::new(options.read::<T>(&component)?)))
    }

    /// Makes a task.
    pub fn make(&self, options: &Options) -> Result<Arc<dyn ProxyKind>> {
        (self.make)(options)
    }
}

impl PredictionWriterKind {
    /// A kind from how its writers are made.
    pub fn new(
        make: impl Fn(&Options) -> Result<Arc<dyn PredictionWriter>> + Send + Sync + 'static,
    ) -> Self {
        Self { make: Arc::new(make) }
    }

    /// A kind whose writer is its own options.
    pub fn of<T: PredictionWriter + DeserializeOwned + 'static>(kind: &'static str) -> Self {
        let component = format!("format {kind}");
        Self::new(move |options| Ok(Arc::new(options.read::<T>(&component)?)))
    }

    /// Makes a writer.
    pub fn make(&self, options: &Options) -> Result<Arc<dyn PredictionWriter>> {
        (self.make)(options)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Registry;
    use crate::HeadRecord;

    #[test]
    fn a_saved_head_of_a_kind_that_was_compiled_out_names_its_feature() {
        let mut registry = Registry::default();
        registry.heads.compiled_out("boosted", "trees");
        registry.slide_heads.compiled_out("pooled", "bags");
        let record = |kind: &str| HeadRecord {
            kind: kind.into(),
            classes: Vec::new(),
            tensors: BTreeMap::new(),
            parameters: BTreeMap::new(),
        };
        let hint = registry.restore_head(&record("boosted")).err().map(|e| e.hint());
        assert_eq!(hint.as_deref(), Some("build with the Cargo feature `trees`"));
        let hint = registry.restore_slide_head(&record("pooled/boosted")).err().map(|e| e.hint());
        assert_eq!(hint.as_deref(), Some("build with the Cargo feature `bags`"));
        let unknown = registry.restore_head(&record("other")).err().map(|e| e.to_string());
        assert!(unknown.is_some_and(|text| text.contains("a head of kind other")));
    }
}
