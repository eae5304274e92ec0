// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::Deserialize;

/// Colours that are told apart with any colour vision (Okabe and Ito 2008), for classes.
pub const CLASSES: [[u8; 3]; 7] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [240, 228, 66],
];

/// What is left uncalled.
pub const UNCALLED: [u8; 3] = [128, 128, 128];

/// What has a set of several classes, or of none: the purple of Okabe and Ito, which neither map
/// below comes near.
pub const UNCERTAIN: [u8; 3] = [204, 121, 167];

/// A map from 0 to 1 to colours that rises evenly in lightness, with any colour vision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colours {
    /// matplotlib's viridis: dark blue over green to yellow.
    #[default]
    Viridis,
    /// matplotlib's cividis (Nuñez et al. 2018): dark blue over grey to yellow.
    Cividis,
}

/// Evenly spaced colours of matplotlib's maps.
const VIRIDIS: [[f64; 3]; 6] = [
    [68.0, 1.0, 84.0],
    [65.0, 68.0, 135.0],
    [42.0, 120.0, 142.0],
    [34.0, 168.0, 132.0],
    [122.0, 209.0, 81.0],
    [253.0, 231.0, 37.0],
];
const CIVIDIS: [[f64; 3]; 6] = [
    [0.0, 34.0, 78.0],
    [53.0, 69.0, 108.0],
    [102.0, 105.0, 112.0],
    [148.0, 142.0, 119.0],
    [200.0, 184.0, 102.0],
    [254.0, 232.0, 56.0],
];

impl Colours {
    /// The colour at a share of the range, between the two nearest of the six.
    pub fn at(self, share: f64) -> [f64; 3] {
        let map = match self {
            Self::Viridis => &VIRIDIS,
            Self::Cividis => &CIVIDIS,
        };
        let at = share.clamp(0.0, 1.0) * (map.len() - 1) as f64;
        let below = (at as usize).min(map.len() - 2);
        let t = at - below as f64;
        std::array::from_fn(|k| map[below][k] * (1.0 - t) + map[below + 1][k] * t)
    }
}
