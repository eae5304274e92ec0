// SPDX-License-Identifier: MIT OR Apache-2.0

//! From a slide's ICC profile to sRGB.

use std::fmt;
use std::sync::Arc;

use eosin_core::{Error, Result, RgbImage};
use moxcms::{
    BarycentricWeightScale, ColorProfile, DataColorSpace, InterpolationMethod, Layout,
    TransformExecutor, TransformOptions,
};

use crate::codec::Fault;

/// Bytes of a profile at most; scanners' own have some hundred kilobytes.
const MAX_BYTES: usize = 8 << 20;

/// A conversion that was made ready for one profile.
#[derive(Clone)]
pub(crate) struct ToSrgb(Arc<dyn TransformExecutor<u8> + Send + Sync>);

impl ToSrgb {
    /// Reads a profile of RGB colours; its own rendering intent is taken.
    pub(crate) fn new(profile: &[u8]) -> Result<Self, Fault> {
        if profile.len() > MAX_BYTES {
            return Err(format!("a profile of {} bytes", profile.len()));
        }
        let profile = ColorProfile::new_from_slice(profile)
            .map_err(|e| format!("a damaged ICC profile ({e})"))?;
        if profile.color_space != DataColorSpace::Rgb {
            return Err(format!("a profile of {:?} colours", profile.color_space));
        }
        let options = TransformOptions {
            rendering_intent: profile.rendering_intent,
            allow_use_cicp_transfer: false,
            prefer_fixed_point: false,
            interpolation_method: InterpolationMethod::Tetrahedral,
            barycentric_weight_scale: BarycentricWeightScale::High,
        };
        let srgb = ColorProfile::new_srgb();
        profile
            .create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, options)
            .map(Self)
            .map_err(|e| format!("an ICC profile that cannot be applied ({e})"))
    }

    /// Converts an image in place.
    pub(crate) fn apply(&self, image: &mut RgbImage) -> Result<()> {
        let source = image.data().to_vec();
        self.0.transform(&source, image.data_mut()).map_err(|e| {
            Error::unsupported(
                format!("applying the ICC profile ({e})"),
                &[],
                "leave --icc out, and the colours as they are",
            )
        })
    }
}

impl fmt::Debug for ToSrgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToSrgb")
    }
}

#[cfg(test)]
mod tests;
