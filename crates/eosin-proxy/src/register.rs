// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_core::{ProbeKind, Registry};
use serde::Deserialize;

use crate::{FewShot, KnnProbe, LinearProbe, SimpleShot};

/// Adds every probe of this crate.
pub fn register(registry: &mut Registry) {
    let linear = ProbeKind::new(|options, setup| {
        let LinearOptions { inner_folds } = options.read("probe linear")?;
        let probe = LinearProbe::new(Arc::clone(&setup.trainer));
        Ok(Box::new(LinearProbe { inner_folds, seed: setup.seed, ..probe }))
    });
    registry.probes.register("linear", linear);
    let few_shot = ProbeKind::new(|options, setup| {
        let FewShotOptions { shots, episodes } = options.read("probe few-shot")?;
        Ok(Box::new(FewShot { shots, episodes, seed: setup.seed }))
    });
    registry.probes.register("few-shot", few_shot);
    let simple_shot = ProbeKind::new(|options, _| {
        let NoOptions {} = options.read("probe simple-shot")?;
        Ok(Box::new(SimpleShot))
    });
    registry.probes.register("simple-shot", simple_shot);
    registry.probes.register("knn", ProbeKind::of::<KnnProbe>("knn"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LinearOptions {
    inner_folds: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FewShotOptions {
    /// Training rows of each class.
    shots: usize,
    /// Draws for each fold.
    episodes: usize,
}

impl Default for LinearOptions {
    fn default() -> Self {
        Self { inner_folds: 3 }
    }
}

impl Default for FewShotOptions {
    fn default() -> Self {
        Self { shots: 5, episodes: 20 }
    }
}
