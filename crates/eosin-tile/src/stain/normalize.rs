// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result, RgbImage};
use serde::{Deserialize, Serialize};

use super::{Macenko, Reinhard};

/// How a slide's stain is brought to a reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StainNormalization {
    /// Not at all.
    #[default]
    None,
    /// Two stains by their densities (Macenko et al. 2009).
    Macenko,
    /// Mean and deviation of the colours (Reinhard et al. 2001).
    Reinhard,
}

/// What was fitted to a slide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StainFit {
    /// Nothing: images stay as they are.
    None,
    /// Its two stains.
    Macenko(Macenko),
    /// Its colours.
    Reinhard(Reinhard),
}

impl StainNormalization {
    /// The name used in configurations and contracts.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Macenko => "macenko",
            Self::Reinhard => "reinhard",
        }
    }

    /// The method of a name.
    pub fn named(name: &str) -> Result<Self> {
        let all = [Self::None, Self::Macenko, Self::Reinhard];
        all.into_iter().find(|method| method.name() == name).ok_or_else(|| {
            Error::unsupported(
                format!("stain normalisation {name}"),
                &all.map(Self::name),
                "name one of these",
            )
        })
    }

    /// Fits the method to images of one slide.
    pub fn fit(self, images: &[RgbImage]) -> Result<StainFit> {
        Ok(match self {
            Self::None => StainFit::None,
            Self::Macenko => StainFit::Macenko(Macenko::fit(images)?),
            Self::Reinhard => StainFit::Reinhard(Reinhard::fit(images)?),
        })
    }
}

impl StainFit {
    /// Brings an image of the slide to the method's reference.
    pub fn normalise(&self, image: &mut RgbImage) {
        match self {
            Self::None => {}
            Self::Macenko(fit) => fit.normalise(image, &Macenko::REFERENCE),
            Self::Reinhard(fit) => fit.normalise(image, &Reinhard::REFERENCE),
        }
    }
}
