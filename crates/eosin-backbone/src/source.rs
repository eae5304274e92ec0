// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{Card, Error, Result, WeightsSource};

use crate::arch::TensorSpec;
use crate::embedded::embedded;
use crate::names::to_timm_names;
use crate::{WeightMap, random_weights, sha256_hex};

/// Weights under timm's names, with what identifies them in the contract.
pub(crate) struct Loaded {
    pub(crate) weights: WeightMap,
    pub(crate) identity: String,
}

/// Finds a card's weights, checks their digest and gives them timm's names.
pub(crate) fn find_weights(
    card: &Card,
    given: Option<&Path>,
    specs: &[TensorSpec],
) -> Result<Loaded> {
    let Loaded { weights, identity } = match (given, &card.weights) {
        (Some(path), source) => read(path, source.pinned_sha256())?,
        (None, WeightsSource::None {}) => {
            return Err(Error::input(
                format!("card {}, weights", card.name),
                "weights for its family",
                "kind = \"none\"",
                "use kind = \"file\" or \"random\"",
            ));
        }
        (None, WeightsSource::Embedded { file, sha256, .. }) => {
            let bytes = embedded(file)?;
            let found = sha256_hex(bytes);
            expect_digest(Path::new(file), sha256, &found)?;
            Loaded { weights: WeightMap::from_safetensors(bytes, file)?, identity: found }
        }
        (None, WeightsSource::File { file: Some(file), sha256, .. }) => {
            let path = card.folder.as_deref().unwrap_or(Path::new("")).join(file);
            read(&path, sha256.as_deref())?
        }
        (None, WeightsSource::File { file: None, source, .. }) => {
            return Err(Error::input(
                format!("card {}, weights", card.name),
                "a weights file",
                "none",
                format!("get it from {source} and name it by --weights, or by `file` in the card"),
            ));
        }
        (None, WeightsSource::Hub { repo, source, .. }) => {
            return Err(Error::input(
                format!("card {}, weights", card.name),
                "a weights file",
                format!("none of {repo} in the hub's cache"),
                format!(
                    "run `eosin backbone fetch {}` ({source}), or name a file by --weights",
                    card.name
                ),
            ));
        }
        (None, WeightsSource::Random { seed }) => {
            let weights = random_weights(specs, *seed);
            return Ok(Loaded { weights, identity: format!("random-v1-seed-{seed}") });
        }
    };
    Ok(Loaded { weights: to_timm_names(weights, specs), identity })
}

fn read(path: &Path, sha256: Option<&str>) -> Result<Loaded> {
    let (weights, identity) = WeightMap::read(path)?;
    if let Some(expected) = sha256 {
        expect_digest(path, expected, &identity)?;
    }
    Ok(Loaded { weights, identity })
}

fn expect_digest(path: &Path, expected: &str, found: &str) -> Result<()> {
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Error::data(
        path,
        format!("SHA-256 {expected}"),
        found,
        "the file is not the one that the card describes: fetch it again, or mend the card",
    ))
}
