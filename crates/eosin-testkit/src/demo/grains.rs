// SPDX-License-Identifier: MIT OR Apache-2.0

use std::f64::consts::TAU;

use eosin_core::RgbImage;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::ClusterConfig;

/// Optical density of a basophilic body in red, green and blue: haematoxylin (Ruifrok and Johnston
/// 2001: 0.65, 0.70, 0.29) over pink tissue, in which blue is taken up as well.
const BASOPHILIC: [f64; 3] = [0.62, 0.76, 0.44];

/// Width of the soft edge of a grain in pixels.
const EDGE_PX: f64 = 1.1;

/// A grain: where it lies, how its outline runs and what it does to light.
struct Grain {
    at: [f64; 2],
    radius: f64,
    /// Amplitude and phase of the outline's waves, from two a turn on.
    waves: [(f64, f64); 4],
    density: f64,
    opacity: f64,
    glassy: bool,
}

/// Draws a microcalcification on a tile of `px_per_um` pixels per µm.
///
/// Grains are mixed into the tissue's optical density, so that they look stained rather than
/// painted over. Light comes from one side: the rim there is brighter, the opposite one darker, as
/// at the edge of a body that refracts.
pub fn draw_cluster(
    image: &mut RgbImage,
    cluster: &ClusterConfig,
    px_per_um: f64,
    rng: &mut ChaCha8Rng,
) {
    let centre = centre(image, rng);
    let light = rng.random_range(0.0..TAU);
    let n = rng.random_range(cluster.n_grains[0]..=cluster.n_grains[1]);
    for _ in 0..n {
        let grain = grain(centre, cluster, px_per_um, rng);
        draw_grain(image, &grain, cluster.rim, light, rng);
    }
}

/// The darkest of a few places away from the border: calcifications lie in tissue, not on glass.
fn centre(image: &RgbImage, rng: &mut ChaCha8Rng) -> [f64; 2] {
    let (w, h) = (f64::from(image.width()), f64::from(image.height()));
    let mut best = ([w / 2.0, h / 2.0], f64::INFINITY);
    for _ in 0..4 {
        let at = [rng.random_range(0.2..0.8) * w, rng.random_range(0.2..0.8) * h];
        let brightness = mean_green(image, at, 6);
        if brightness < best.1 {
            best = (at, brightness);
        }
    }
    best.0
}

fn mean_green(image: &RgbImage, at: [f64; 2], reach: i64) -> f64 {
    let mut total = 0.0;
    let mut n = 0.0;
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let (x, y) = (at[0] as i64 + dx, at[1] as i64 + dy);
            let inside = (0..i64::from(image.width())).contains(&x)
                && (0..i64::from(image.height())).contains(&y);
            if inside {
                total += f64::from(image.pixel(x as u32, y as u32)[1]);
                n += 1.0;
            }
        }
    }
    total / n
}

fn grain(centre: [f64; 2], cluster: &ClusterConfig, px_per_um: f64, rng: &mut ChaCha8Rng) -> Grain {
    let spread = cluster.spread_um * px_per_um;
    let at = centre.map(|c| {
        let z: f64 = StandardNormal.sample(rng);
        c + z * spread
    });
    let radius = rng.random_range(cluster.radius_um[0]..=cluster.radius_um[1]) * px_per_um;
    let mut waves = [(0.0, 0.0); 4];
    for (k, wave) in waves.iter_mut().enumerate() {
        // Higher waves are lower, so that outlines are lumpy and not frayed.
        let most = cluster.irregularity / (k + 1) as f64;
        *wave = (rng.random_range(0.0..=most), rng.random_range(0.0..TAU));
    }
    Grain {
        at,
        radius,
        waves,
        density: rng.random_range(cluster.density[0]..=cluster.density[1]),
        opacity: rng.random_range(cluster.opacity[0]..=cluster.opacity[1]),
        glassy: rng.random_bool(cluster.glassy_share),
    }
}

fn draw_grain(image: &mut RgbImage, grain: &Grain, rim: f64, light: f64, rng: &mut ChaCha8Rng) {
    let reach = grain.radius * 2.0 + 3.0 * EDGE_PX;
    let (w, h) = (image.width() as usize, image.height() as usize);
    let span = |c: f64, n: usize| {
        let low = (c - reach).floor().clamp(0.0, n as f64) as usize;
        let high = (c + reach).ceil().clamp(0.0, n as f64) as usize;
        low..high
    };
    for y in span(grain.at[1], h) {
        for x in span(grain.at[0], w) {
            let (dx, dy) = (x as f64 + 0.5 - grain.at[0], y as f64 + 0.5 - grain.at[1]);
            let angle = dy.atan2(dx);
            let outline = grain.outline(angle);
            // Pixels outside the outline; negative within.
            let outside = dx.hypot(dy) - outline;
            let cover = (0.5 - outside / EDGE_PX).clamp(0.0, 1.0) * grain.opacity;
            let at_rim = (-(outside / (1.2 * EDGE_PX)).powi(2)).exp();
            // Granular texture, drawn for every pixel so that the draws do not depend on cover.
            let texture: f64 = 1.0 + rng.random_range(-0.15..0.15);
            if cover == 0.0 && at_rim < 0.01 {
                continue;
            }
            let depth = (-outside / outline).clamp(0.0, 1.0);
            let inner = if grain.glassy { 1.0 - 0.75 * depth } else { 0.85 + 0.15 * depth };
            let shade = 1.0 + rim * at_rim * (angle - light).cos();
            let at = (y * w + x) * 3;
            for (value, stain) in image.data_mut()[at..at + 3].iter_mut().zip(BASOPHILIC) {
                let tissue = -(f64::from((*value).max(1)) / 255.0).ln();
                let calcium = grain.density * stain * inner * texture;
                let mixed = tissue * (1.0 - cover) + calcium * cover;
                *value = ((-mixed).exp() * 255.0 * shade).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

impl Grain {
    fn outline(&self, angle: f64) -> f64 {
        let waves = self.waves.iter().enumerate();
        let bumps: f64 = waves.map(|(k, (a, p))| a * ((k + 2) as f64 * angle + p).cos()).sum();
        self.radius * (1.0 + bumps).max(0.2)
    }
}
