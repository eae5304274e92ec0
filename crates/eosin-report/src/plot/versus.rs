// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::{Axis, Place, px};

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 325.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 206.0;

/// Named points of one score (`cost`) against another (`score`), both on plain axes.
pub(crate) fn versus(across: &str, up: &str, places: &[Place]) -> Markup {
    let span = |value: fn(&Place) -> f64| {
        let ends = places
            .iter()
            .map(value)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let margin = ((ends.1 - ends.0) * 0.12).max(0.005);
        if ends.0 > ends.1 { (0.0, 1.0) } else { (ends.0 - margin, ends.1 + margin) }
    };
    let ((low, high), (worst, best)) = (span(|p| p.cost), span(|p| p.score));
    let x = Axis { from: (low, LEFT), to: (high, RIGHT) };
    let y = Axis { from: (worst, BOTTOM), to: (best, TOP) };
    html! {
        figure class="chart" {
            figcaption { (across) }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ (up) " against " (across) } {
                (x.draw_x(4, (TOP, BOTTOM)))
                (y.draw_y(5, (LEFT, RIGHT)))
                text class="axis" x=(px(f64::midpoint(LEFT, RIGHT))) y=(px(HEIGHT - 8.0)) text-anchor="middle" { "score on " (across) }
                text class="axis" x="12" y=(px(f64::midpoint(TOP, BOTTOM))) text-anchor="middle"
                    transform={ "rotate(-90 12 " (px(f64::midpoint(TOP, BOTTOM))) ")" } { (up) }
                @for place in places {
                    @let at = [x.at(place.cost), y.at(place.score)];
                    @let right = at[0] > f64::midpoint(LEFT, RIGHT);
                    circle class="dot" cx=(px(at[0])) cy=(px(at[1])) r="4.5" {}
                    text class="label" x=(px(at[0] + if right { -8.0 } else { 8.0 })) y=(px(at[1] + 3.5))
                        text-anchor=(if right { "end" } else { "start" }) { (place.name) }
                }
            }
        }
    }
}
