// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result, RgbImage};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use super::{Filter, PixelBox, checked, resample};

/// Whose arithmetic resamples from level to tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Arithmetic {
    /// Pillow's, bit for bit: what networks were trained behind.
    #[default]
    Pillow,
    /// That of the crate `fast_image_resize`: the same filters with coefficients of fewer bits. On
    /// noise it differs by up to 1 level (bilinear), 5 (bicubic) or 9 (lanczos).
    Fast,
}

impl Arithmetic {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Pillow, Self::Fast];

    /// The name used in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pillow => "pillow",
            Self::Fast => "fast",
        }
    }

    /// By name.
    pub fn named(name: &str) -> Result<Self> {
        let known: Vec<&str> = Self::ALL.iter().map(|arithmetic| arithmetic.name()).collect();
        Self::ALL.into_iter().find(|arithmetic| arithmetic.name() == name).ok_or_else(|| {
            Error::unsupported(
                format!("resampling `{name}`"),
                &known,
                "pillow is exact; fast differs from it by a few levels and is told in the contract",
            )
        })
    }

    /// Whether it computes a filter.
    ///
    /// `fast_image_resize`'s box differs from Pillow's by up to 61 levels on noise, which is more
    /// than a rounding.
    pub fn check(self, filter: Filter) -> Result<()> {
        if (self, filter) == (Self::Fast, Filter::Box) {
            return Err(Error::unsupported(
                "fast resampling with the filter box",
                &["bilinear", "bicubic", "lanczos"],
                "take --resampling pillow, or another filter",
            ));
        }
        Ok(())
    }

    /// As [`resize_box`](super::resize_box), in this arithmetic.
    pub fn resize_box(
        self,
        image: &RgbImage,
        part: PixelBox,
        width: u32,
        height: u32,
        filter: Filter,
    ) -> Result<RgbImage> {
        self.check(filter)?;
        checked(image, part, width, height)?;
        match self {
            Self::Pillow => Ok(resample(image, part, width, height, filter)),
            Self::Fast => fast(image, part, width, height, filter),
        }
    }
}

fn fast(
    image: &RgbImage,
    part: PixelBox,
    width: u32,
    height: u32,
    filter: Filter,
) -> Result<RgbImage> {
    let fault = |found: String| {
        Error::unsupported(
            format!("fast resampling to {width} × {height} px ({found})"),
            &["pillow"],
            "take --resampling pillow",
        )
    };
    let source = TypedImageRef::<U8x3>::from_buffer(image.width(), image.height(), image.data())
        .map_err(|e| fault(e.to_string()))?;
    let filter = match filter {
        Filter::Box => FilterType::Box,
        Filter::Bilinear => FilterType::Bilinear,
        // Catmull and Rom's cubic is Keys' with a = −0.5.
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos => FilterType::Lanczos3,
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).crop(
        part.x0,
        part.y0,
        part.x1 - part.x0,
        part.y1 - part.y0,
    );
    let mut data = vec![0; width as usize * height as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(width, height, &mut data)
        .map_err(|e| fault(e.to_string()))?;
    // Typed, so that other kinds of pixels are not compiled.
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .map_err(|e| fault(e.to_string()))?;
    RgbImage::new(width, height, data).map_err(|e| fault(e.to_string()))
}
