// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::{Axis, N_COLOURS, px};

/// Points of one colour and mark.
pub(crate) struct Cloud {
    pub name: String,
    pub colour: usize,
    /// Rings instead of discs.
    pub hollow: bool,
    pub points: Vec<[f64; 2]>,
}

const SIDE: f64 = 320.0;
const MARGIN: f64 = 10.0;

/// A square map; axes have the same scale and no numbers, since only distances mean something.
pub(crate) fn scatter(title: &str, caption: &str, clouds: &[Cloud]) -> Markup {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for p in clouds.iter().flat_map(|c| &c.points) {
        for k in 0..2 {
            low[k] = low[k].min(p[k]);
            high[k] = high[k].max(p[k]);
        }
    }
    let half = (0..2).map(|k| (high[k] - low[k]) / 2.0).fold(1e-12, f64::max);
    let axis = |k: usize, flip: bool| {
        let centre = f64::midpoint(low[k], high[k]);
        let (a, b) = if flip { (SIDE - MARGIN, MARGIN) } else { (MARGIN, SIDE - MARGIN) };
        Axis { from: (centre - half, a), to: (centre + half, b) }
    };
    let (x, y) = (axis(0, false), axis(1, true));
    html! {
        figure class="chart" {
            figcaption { (title) }
            svg viewBox={ "0 0 " (SIDE) " " (SIDE) } role="img" aria-label=(title) {
                rect class="frame" x="0.5" y="0.5" width=(px(SIDE - 1.0)) height=(px(SIDE - 1.0)) {}
                @for cloud in clouds {
                    g class={ @if cloud.hollow { "ring" } @else { "disc" } " c" (cloud.colour % N_COLOURS) } {
                        title { (cloud.name) }
                        @for p in &cloud.points {
                            circle cx=(px(x.at(p[0]))) cy=(px(y.at(p[1]))) r="2.6" {}
                        }
                    }
                }
            }
            p class="small" { (caption) }
        }
    }
}
