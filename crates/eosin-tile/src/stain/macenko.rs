// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result, RgbImage};

/// The two stains of haematoxylin and eosin on one slide (Macenko et al. 2009).
///
/// Densities are −ln((i + 1) / 240), as in the authors' code and torchstain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Macenko {
    /// Unit densities of haematoxylin and eosin in red, green and blue.
    pub stains: [[f64; 3]; 2],
    /// The 99th percentile of each stain's amount.
    pub largest: [f64; 2],
}

/// Light that passes where there is nothing.
const LIGHT: f64 = 240.0;

/// Pixels with less density in any channel are taken for glass.
const GLASS: f64 = 0.15;

/// Percentile of the angles that the stains are taken at, from both ends.
const ANGLE_PERCENTILE: f64 = 1.0;

/// Pixels of tissue below which two stains cannot be told apart.
const MIN_PIXELS: usize = 100;

impl Macenko {
    /// The reference of the authors' code, to which slides are normalised by default.
    pub const REFERENCE: Self = Self {
        stains: [[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]],
        largest: [1.9705, 1.0308],
    };

    /// Fits the stains to images of one slide; too little tissue is an error.
    pub fn fit<'a>(images: impl IntoIterator<Item = &'a RgbImage> + Clone) -> Result<Self> {
        let pixels = || images.clone().into_iter().flat_map(RgbImage::pixels).map(density);
        let tissue: Vec<[f64; 3]> = pixels().filter(|d| d.iter().all(|&v| v >= GLASS)).collect();
        let too_little = || {
            Error::data(
                "stain normalisation",
                format!("at least {MIN_PIXELS} stained pixels of more than one colour"),
                format!("{}", tissue.len()),
                "leave the slide out of normalisation, or find its tissue more strictly",
            )
        };
        if tissue.len() < MIN_PIXELS {
            return Err(too_little());
        }
        let [second, first] = principal_axes(&covariance(&tissue));
        let mut angles: Vec<f64> =
            tissue.iter().map(|d| dot(*d, first).atan2(dot(*d, second))).collect();
        let at = |angle: f64| -> [f64; 3] {
            std::array::from_fn(|i| second[i] * angle.cos() + first[i] * angle.sin())
        };
        let low = at(percentile(&mut angles, ANGLE_PERCENTILE));
        let high = at(percentile(&mut angles, 100.0 - ANGLE_PERCENTILE));
        // Haematoxylin absorbs more red.
        let stains = if low[0] > high[0] { [low, high] } else { [high, low] };
        let unmix = unmixing(&stains).ok_or_else(too_little)?;
        let largest = [0, 1].map(|stain| {
            let mut amounts: Vec<f64> = pixels().map(|d| dot(d, unmix[stain])).collect();
            percentile(&mut amounts, 99.0)
        });
        if largest.iter().all(|&v| v > 0.0) {
            Ok(Self { stains, largest })
        } else {
            Err(too_little())
        }
    }

    /// Gives an image that was stained like `self` the stains of `target`.
    pub fn normalise(&self, image: &mut RgbImage, target: &Self) {
        let Some(unmix) = unmixing(&self.stains) else { return };
        // Unmixing, scaling and mixing are linear, so they are one matrix on densities.
        let scale = [0, 1].map(|i| target.largest[i] / self.largest[i]);
        let matrix: [[f64; 3]; 3] = std::array::from_fn(|out| {
            std::array::from_fn(|input| {
                (0..2).map(|s| target.stains[s][out] * scale[s] * unmix[s][input]).sum()
            })
        });
        let table: [f64; 256] = std::array::from_fn(|v| channel_density(v as u8));
        for pixel in image.data_mut().chunks_exact_mut(3) {
            let density = [0, 1, 2].map(|i| table[usize::from(pixel[i])]);
            for (value, row) in pixel.iter_mut().zip(&matrix) {
                // Cut, not rounded, as the reference does.
                *value = (LIGHT * (-dot(density, *row)).exp()).clamp(0.0, 255.0) as u8;
            }
        }
    }
}

fn channel_density(value: u8) -> f64 {
    -((f64::from(value) + 1.0) / LIGHT).ln()
}

fn density(rgb: [u8; 3]) -> [f64; 3] {
    rgb.map(channel_density)
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The rows of the pseudo-inverse: amounts of both stains by least squares.
fn unmixing(stains: &[[f64; 3]; 2]) -> Option<[[f64; 3]; 2]> {
    let [h, e] = *stains;
    let (hh, he, ee) = (dot(h, h), dot(h, e), dot(e, e));
    let determinant = hh * ee - he * he;
    (determinant > 1e-9).then(|| {
        [
            std::array::from_fn(|i| (ee * h[i] - he * e[i]) / determinant),
            std::array::from_fn(|i| (hh * e[i] - he * h[i]) / determinant),
        ]
    })
}

fn covariance(points: &[[f64; 3]]) -> [[f64; 3]; 3] {
    let n = points.len() as f64;
    let mean: [f64; 3] = std::array::from_fn(|i| points.iter().map(|p| p[i]).sum::<f64>() / n);
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            points.iter().map(|p| (p[i] - mean[i]) * (p[j] - mean[j])).sum::<f64>() / (n - 1.0)
        })
    })
}

/// The second and the first principal axis, by Jacobi rotations.
fn principal_axes(matrix: &[[f64; 3]; 3]) -> [[f64; 3]; 2] {
    let mut a = *matrix;
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    // Convergence is quadratic: far fewer sweeps reach the last bit.
    for _ in 0..30 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q].abs() < 1e-300 {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let c = 1.0 / t.hypot(1.0);
            let s = t * c;
            for row in &mut a {
                (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
            }
            let (above, below) = (a[p], a[q]);
            a[p] = std::array::from_fn(|k| c * above[k] - s * below[k]);
            a[q] = std::array::from_fn(|k| s * above[k] + c * below[k]);
            for row in &mut vectors {
                (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
            }
        }
    }
    let mut order = [0, 1, 2];
    order.sort_by(|&i, &j| a[i][i].total_cmp(&a[j][j]));
    let column = |k: usize| {
        let axis: [f64; 3] = std::array::from_fn(|i| vectors[i][k]);
        // Densities are positive: the sign keeps the angles away from where they wrap.
        if axis.iter().sum::<f64>() < 0.0 { axis.map(|v| -v) } else { axis }
    };
    [column(order[1]), column(order[2])]
}

/// numpy's percentile: linear between the two nearest values.
fn percentile(values: &mut [f64], percent: f64) -> f64 {
    let place = percent / 100.0 * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    low + (high - low) * (place - below as f64)
}
