// SPDX-License-Identifier: MIT OR Apache-2.0

use rayon::prelude::*;

use crate::options::{Channels, Layout};

/// How 8-bit RGB becomes an input: a table per channel, since 256 values are all there are.
pub struct Normaliser {
    tables: [Vec<f32>; 3],
    layout: Layout,
    /// Which colour each of the input's channels is.
    order: [usize; 3],
}

impl Normaliser {
    pub fn new(mean: [f64; 3], std: [f64; 3], layout: Layout, channels: Channels) -> Self {
        let table = |c: usize| {
            (0..=255).map(|v| ((f64::from(v) / 255.0 - mean[c]) / std[c]) as f32).collect()
        };
        let order = if channels == Channels::Bgr { [2, 1, 0] } else { [0, 1, 2] };
        Self { tables: std::array::from_fn(table), layout, order }
    }

    /// The shape of `n_tiles` tiles.
    pub fn shape(&self, n_tiles: usize, px: usize) -> [usize; 4] {
        match self.layout {
            Layout::Nchw => [n_tiles, 3, px, px],
            Layout::Nhwc => [n_tiles, px, px, 3],
        }
    }

    /// Normalises tiles of `px` × `px` × 3 bytes; what is missing of `n_tiles` stays zero.
    pub fn apply(&self, pixels: &[u8], n_tiles: usize, px: usize) -> Vec<f32> {
        let plane = px * px;
        let mut values = vec![0.0; n_tiles * 3 * plane];
        let tiles = values.par_chunks_mut(3 * plane).zip(pixels.par_chunks(3 * plane));
        tiles.for_each(|(values, tile)| match self.layout {
            Layout::Nchw => {
                for (plane, colour) in values.chunks_mut(plane).zip(self.order) {
                    let table = &self.tables[colour];
                    for (value, byte) in plane.iter_mut().zip(tile.iter().skip(colour).step_by(3)) {
                        *value = table[usize::from(*byte)];
                    }
                }
            }
            Layout::Nhwc => {
                for (values, bytes) in values.chunks_mut(3).zip(tile.chunks(3)) {
                    for (value, colour) in values.iter_mut().zip(self.order) {
                        *value = self.tables[colour][usize::from(bytes[colour])];
                    }
                }
            }
        });
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_and_colours_are_as_named() {
        // Two pixels side by side would be no square: one pixel a tile, two tiles.
        let pixels = [0, 51, 255, 255, 0, 102];
        let apply = |layout, channels| {
            Normaliser::new([0.0; 3], [1.0; 3], layout, channels).apply(&pixels, 2, 1)
        };
        let rgb = [0.0, 0.2, 1.0, 1.0, 0.0, 0.4];
        assert_eq!(apply(Layout::Nchw, Channels::Rgb), rgb);
        assert_eq!(apply(Layout::Nhwc, Channels::Rgb), rgb);
        assert_eq!(apply(Layout::Nhwc, Channels::Bgr), [1.0, 0.2, 0.0, 0.4, 0.0, 1.0]);
        let four = [0_u8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
        let planes = Normaliser::new([0.0; 3], [1.0 / 255.0; 3], Layout::Nchw, Channels::Bgr);
        let expected = [2, 5, 8, 11, 1, 4, 7, 10, 0, 3, 6, 9].map(|v: i32| v as f32);
        for (found, expected) in planes.apply(&four, 1, 2).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5);
        }
    }
}
