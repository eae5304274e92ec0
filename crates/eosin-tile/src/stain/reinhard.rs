// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result, RgbImage};

/// Mean and deviation of a slide's colours in CIE L\*a\*b\* (Reinhard et al. 2001).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reinhard {
    /// Means of L\*, a\* and b\*.
    pub means: [f64; 3],
    /// Standard deviations of L\*, a\* and b\*.
    pub deviations: [f64; 3],
}

const XYZ_FROM_RGB: [[f64; 3]; 3] = [
    [0.412_453, 0.357_580, 0.180_423],
    [0.212_671, 0.715_160, 0.072_169],
    [0.019_334, 0.119_193, 0.950_227],
];

/// The D65 white point.
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];

impl Reinhard {
    /// The colours of a part of the public slide CMU-1-Small-Region, to which slides are normalised
    /// by default.
    pub const REFERENCE: Self =
        Self { means: [85.33, 4.09, -3.43], deviations: [21.88, 8.77, 7.63] };

    /// Measures the colours of images of one slide; images of one colour are an error.
    pub fn fit<'a>(images: impl IntoIterator<Item = &'a RgbImage>) -> Result<Self> {
        let (mut n, mut sums, mut squares) = (0.0, [0.0; 3], [0.0; 3]);
        for pixel in images.into_iter().flat_map(RgbImage::pixels) {
            let lab = lab_of_pixel(pixel);
            n += 1.0;
            for (i, value) in lab.into_iter().enumerate() {
                sums[i] += value;
                squares[i] += value * value;
            }
        }
        let means = sums.map(|sum| sum / n);
        let deviations =
            std::array::from_fn(|i| (squares[i] / n - means[i] * means[i]).max(0.0).sqrt());
        if n > 0.0 && deviations.iter().all(|&d| d > 1e-6) {
            Ok(Self { means, deviations })
        } else {
            Err(Error::data(
                "stain normalisation",
                "pixels of more than one colour",
                format!("{n} pixels with deviations {deviations:?}"),
                "leave the slide out of normalisation",
            ))
        }
    }

    /// Gives an image with the colours of `self` those of `target`.
    pub fn normalise(&self, image: &mut RgbImage, target: &Self) {
        let rgb_from_xyz = super::inverse(&XYZ_FROM_RGB);
        for pixel in image.data_mut().chunks_exact_mut(3) {
            let lab = lab_of_pixel([pixel[0], pixel[1], pixel[2]]);
            let moved = std::array::from_fn(|i| {
                (lab[i] - self.means[i]) / self.deviations[i] * target.deviations[i]
                    + target.means[i]
            });
            pixel.copy_from_slice(&pixel_of_lab(moved, &rgb_from_xyz));
        }
    }
}

fn lab_of_pixel(rgb: [u8; 3]) -> [f64; 3] {
    let linear = rgb.map(|value| LINEAR[usize::from(value)]);
    let f: [f64; 3] = std::array::from_fn(|i| {
        let row = XYZ_FROM_RGB[i];
        let t = (row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2]) / WHITE[i];
        if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 }
    });
    [116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])]
}

fn pixel_of_lab([l, a, b]: [f64; 3], rgb_from_xyz: &[[f64; 3]; 3]) -> [u8; 3] {
    let y = (l + 16.0) / 116.0;
    let f = [y + a / 500.0, y, y - b / 200.0];
    let xyz: [f64; 3] = std::array::from_fn(|i| {
        let t = if f[i] > 0.206_896_6 { f[i].powi(3) } else { (f[i] - 16.0 / 116.0) / 7.787 };
        t * WHITE[i]
    });
    rgb_from_xyz.map(|row| {
        let linear = row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2];
        let value = if linear > 0.003_130_8 {
            1.055 * linear.powf(1.0 / 2.4) - 0.055
        } else {
            12.92 * linear
        };
        // Cut, not rounded, as torchstain does.
        (value.clamp(0.0, 1.0) * 255.0) as u8
    })
}

/// sRGB's curve undone, for every byte.
static LINEAR: std::sync::LazyLock<[f64; 256]> = std::sync::LazyLock::new(|| {
    std::array::from_fn(|i| {
        let value = i as f64 / 255.0;
        if value > 0.04045 { ((value + 0.055) / 1.055).powf(2.4) } else { value / 12.92 }
    })
});
