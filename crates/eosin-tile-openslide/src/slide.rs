// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::{Path, PathBuf};

use eosin_core::{AssociatedImage, Error, Mpp, Result, RgbImage, SlideImage};

use crate::ffi::Handle;

/// An open slide with everything that was asked of it once.
#[derive(Debug)]
pub(crate) struct OpenSlideImage {
    path: PathBuf,
    handle: Handle,
    version: String,
    levels: Vec<(u32, u32)>,
    downsamples: Vec<f64>,
    /// µm per pixel across and down.
    sides: Option<[f64; 2]>,
    properties: BTreeMap<String, String>,
    associated: Vec<AssociatedImage>,
    icc_profile: Option<Vec<u8>>,
    background: [u8; 3],
}

/// Pixels of a region or an associated image at most.
const MAX_PIXELS: usize = 56 << 20;

/// Bytes of an ICC profile at most.
const MAX_PROFILE_BYTES: usize = 16 << 20;

impl OpenSlideImage {
    pub(crate) fn new(path: &Path, handle: Handle, version: String) -> Result<Self> {
        let fault =
            |expected: &str, found: String| Error::data(path, expected, found, "copy it again");
        let side = |v: i64| u32::try_from(v).ok().filter(|v| (1..=u32::MAX >> 1).contains(v));
        let levels = handle
            .levels()
            .into_iter()
            .map(|(width, height)| {
                side(width)
                    .zip(side(height))
                    .ok_or_else(|| fault("levels with pixels", format!("{width} × {height}")))
            })
            .collect::<Result<Vec<_>>>()?;
        if levels.is_empty() {
            return Err(fault("at least one level", "none".into()));
        }
        let downsamples = (0..levels.len()).map(|i| handle.downsample(i as i32)).collect();
        let properties: BTreeMap<String, String> = handle.properties().into_iter().collect();
        let associated = handle
            .associated()
            .into_iter()
            .filter_map(|name| {
                let (width, height) = handle.associated_size(&CString::new(name.as_str()).ok()?);
                Some(AssociatedImage { name, width: side(width)?, height: side(height)? })
            })
            .collect();
        let icc_profile = handle.icc_profile(MAX_PROFILE_BYTES);
        let background = properties
            .get("openslide.background-color")
            .and_then(|text| u32::from_str_radix(text, 16).ok())
            .map_or([255; 3], |v| [(v >> 16) as u8, (v >> 8) as u8, v as u8]);
        let sides = sides(&properties);
        Ok(Self {
            path: path.to_path_buf(),
            handle,
            version,
            levels,
            downsamples,
            sides,
            properties,
            associated,
            icc_profile,
            background,
        })
    }

    fn fault(&self, what: &str, found: String) -> Error {
        Error::data(
            &self.path,
            what,
            found,
            "after an error OpenSlide refuses the slide; copy it again",
        )
    }

    fn over_background(&self, pixels: &[u32]) -> Vec<u8> {
        pixels.iter().flat_map(|&pixel| over(pixel, self.background)).collect()
    }
}

impl SlideImage for OpenSlideImage {
    fn version(&self) -> &str {
        &self.version
    }

    fn levels(&self) -> &[(u32, u32)] {
        &self.levels
    }

    fn mpp(&self) -> Option<Mpp> {
        let [x, y] = self.sides.filter(|&sides| is_square(sides))?;
        Mpp::new(f64::midpoint(x, y)).ok()
    }

    fn unequal_spacing(&self) -> Option<[f64; 2]> {
        self.sides.filter(|&sides| !is_square(sides))
    }

    fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }

    fn associated(&self) -> &[AssociatedImage] {
        &self.associated
    }

    fn read_associated(&self, name: &str) -> Result<RgbImage> {
        let what = format!("associated image {name}");
        let image = self.associated.iter().find(|image| image.name == name);
        let (Some(image), Ok(key)) = (image, CString::new(name)) else {
            return Err(self.fault(&what, "none of this name".into()));
        };
        let pixels =
            self.handle.read_associated(&key, MAX_PIXELS).map_err(|e| self.fault(&what, e))?;
        RgbImage::new(image.width, image.height, self.over_background(&pixels))
    }

    fn icc_profile(&self) -> Option<&[u8]> {
        self.icc_profile.as_deref()
    }

    /// OpenSlide wants level-0 corners; where a level's downsample is no whole number, a corner is
    /// rounded to the nearest, which moves the region by at most half a level-0 pixel.
    fn read_region(&self, level: usize, corner: (u32, u32), size: (u32, u32)) -> Result<RgbImage> {
        let what = format!("{} × {} px of level {level}", size.0, size.1);
        let Some(&downsample) = self.downsamples.get(level) else {
            return Err(self.fault(&what, format!("{} levels", self.levels.len())));
        };
        if size.0 as usize * size.1 as usize > MAX_PIXELS {
            return Err(self.fault(&what, "more pixels than are read at once".into()));
        }
        let at = |v: u32| (f64::from(v) * downsample).round() as i64;
        let pixels = self
            .handle
            .read_region((at(corner.0), at(corner.1)), level as i32, size)
            .map_err(|e| self.fault(&what, e))?;
        RgbImage::new(size.0, size.1, self.over_background(&pixels))
    }
}

/// µm per pixel by OpenSlide's properties.
fn sides(properties: &BTreeMap<String, String>) -> Option<[f64; 2]> {
    let read = |axis: &str| -> Option<f64> {
        properties.get(&format!("openslide.mpp-{axis}"))?.parse().ok().filter(|&v: &f64| v > 0.0)
    };
    Some([read("x")?, read("y")?])
}

/// Whether both axes have one resolution, as the built-in reader tells it.
fn is_square([x, y]: [f64; 2]) -> bool {
    (x / y - 1.0).abs() <= 0.01
}

/// A premultiplied ARGB pixel over an opaque colour.
fn over(pixel: u32, background: [u8; 3]) -> [u8; 3] {
    let [alpha, r, g, b] = pixel.to_be_bytes();
    let rest = 255 - u16::from(alpha);
    let blend = |value: u8, behind: u8| {
        let behind = (u16::from(behind) * rest + 127) / 255;
        (u16::from(value) + behind).min(255) as u8
    };
    [blend(r, background[0]), blend(g, background[1]), blend(b, background[2])]
}

#[cfg(test)]
mod tests {
    use super::over;

    #[test]
    fn transparency_shows_the_background() {
        assert_eq!(over(0xFF10_2030, [255; 3]), [0x10, 0x20, 0x30]);
        assert_eq!(over(0, [255, 250, 7]), [255, 250, 7]);
        assert_eq!(over(0x8040_2000, [255, 0, 255]), [0x40 + 127, 0x20, 127]);
    }
}
