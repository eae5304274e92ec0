// SPDX-License-Identifier: MIT OR Apache-2.0

//! Haematoxylin, eosin and DAB apart, by optical density; stain normalisation by slide.
//!
//! Source: Ruifrok and Johnston 2001, with the matrix of scikit-image's `rgb2hed`. Densities here
//! are natural: scikit-image's are these divided by −ln 10⁻⁶.

mod macenko;
mod normalize;
mod reinhard;

use std::sync::LazyLock;

use eosin_core::RgbImage;

pub use macenko::Macenko;
pub use normalize::{StainFit, StainNormalization};
pub use reinhard::Reinhard;

/// Optical densities of haematoxylin, eosin and DAB in red, green and blue.
const RGB_FROM_HED: [[f64; 3]; 3] = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]];

/// Intensities below this are taken for it, so that black has a density.
const DARKEST: f64 = 1e-6;

/// −ln(i / 255) for every byte.
static DENSITY: LazyLock<[f64; 256]> =
    LazyLock::new(|| std::array::from_fn(|i| -(i as f64 / 255.0).max(DARKEST).ln()));

static HED_FROM_RGB: LazyLock<[[f64; 3]; 3]> = LazyLock::new(|| inverse(&RGB_FROM_HED));

/// Densities of haematoxylin, eosin and DAB of one pixel; below zero where the colour holds less
/// than none of a stain.
pub fn hed_of_pixel(rgb: [u8; 3]) -> [f64; 3] {
    let density = rgb.map(|value| DENSITY[usize::from(value)]);
    times(density, &HED_FROM_RGB)
}

/// Mean density of haematoxylin over an image: about 0 on glass, above 0.3 where nuclei are dense.
/// Pixels with less than none count as none.
pub fn haematoxylin_density(image: &RgbImage) -> f64 {
    let n = image.pixels().len().max(1) as f64;
    image.pixels().map(|rgb| hed_of_pixel(rgb)[0].max(0.0)).sum::<f64>() / n
}

/// Changes each stain s to `alpha`·s + `beta` (Tellez et al. 2018, eq. 1); alpha 1 and beta 0
/// change nothing.
pub fn hed_jitter(image: &mut RgbImage, alpha: [f64; 3], beta: [f64; 3]) {
    // In density the whole change is affine, so it is one 3 × 3 matrix and an offset.
    let mut matrix = [[0.0; 3]; 3];
    for (row, from_rgb) in matrix.iter_mut().zip(HED_FROM_RGB.iter()) {
        let scaled = std::array::from_fn(|stain| from_rgb[stain] * alpha[stain]);
        *row = times(scaled, &RGB_FROM_HED);
    }
    let offset = times(beta, &RGB_FROM_HED);
    for pixel in image.data_mut().chunks_exact_mut(3) {
        let density = [0, 1, 2].map(|i| DENSITY[usize::from(pixel[i])]);
        let changed = times(density, &matrix);
        for (value, (density, offset)) in pixel.iter_mut().zip(changed.into_iter().zip(offset)) {
            *value = ((-(density + offset)).exp() * 255.0).round().clamp(0.0, 255.0) as u8;
        }
    }
}

/// A row vector times a matrix.
fn times(row: [f64; 3], matrix: &[[f64; 3]; 3]) -> [f64; 3] {
    std::array::from_fn(|j| row[0] * matrix[0][j] + row[1] * matrix[1][j] + row[2] * matrix[2][j])
}

/// By cofactors; the matrix here is constant and regular.
fn inverse(m: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let cofactor = |i: usize, j: usize| {
        let (a, b, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * cofactor(0, j)).sum();
    std::array::from_fn(|i| std::array::from_fn(|j| cofactor(j, i) / determinant))
}

#[cfg(test)]
mod tests;
