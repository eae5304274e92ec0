// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::{Axis, px};

/// A named point of score against cost.
pub(crate) struct Place {
    pub name: String,
    pub cost: f64,
    pub score: f64,
    pub on_front: bool,
}

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 325.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 206.0;

/// Score against cost, cheaper at the left; each tenfold of the cost takes the same room.
pub(crate) fn costs(cost: &str, score: &str, places: &[Place]) -> Markup {
    // A cost of nothing stands at the left edge, a tenth below the smallest that is known.
    let least = places.iter().map(|p| p.cost).filter(|c| *c > 0.0).fold(f64::INFINITY, f64::min);
    let least = if least.is_finite() { least } else { 1.0 };
    let power = |c: f64| if c > 0.0 { c.log10() } else { least.log10() - 1.0 };
    let span = |values: &mut dyn Iterator<Item = f64>, margin: f64| {
        let ends =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if ends.0 > ends.1 { (0.0, 1.0) } else { (ends.0 - margin, ends.1 + margin) }
    };
    let (low, high) = span(&mut places.iter().map(|p| power(p.cost)), 0.3);
    let (worst, best) = span(&mut places.iter().map(|p| p.score), 0.03);
    let x = Axis { from: (low, LEFT), to: (high, RIGHT) };
    let y = Axis { from: (worst, BOTTOM), to: (best, TOP) };
    let marks: Vec<(f64, String)> =
        (low.ceil() as i64..=high.floor() as i64).map(|k| (k as f64, format!("1e{k}"))).collect();
    html! {
        figure class="chart" {
            figcaption { "Score against " (cost) }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ "Score against " (cost) } {
                (x.draw_x_marks(&marks, (TOP, BOTTOM)))
                (y.draw_y(5, (LEFT, RIGHT)))
                text class="axis" x=(px(f64::midpoint(LEFT, RIGHT))) y=(px(HEIGHT - 8.0)) text-anchor="middle" { (cost) }
                text class="axis" x="12" y=(px(f64::midpoint(TOP, BOTTOM))) text-anchor="middle"
                    transform={ "rotate(-90 12 " (px(f64::midpoint(TOP, BOTTOM))) ")" } { (score) }
                @for place in places {
                    @let at = [x.at(power(place.cost)), y.at(place.score)];
                    @let right = at[0] > f64::midpoint(LEFT, RIGHT);
                    circle class={ "dot" @if place.on_front { " chosen" } @else { " control" } } cx=(px(at[0])) cy=(px(at[1])) r="4.5" {}
                    text class="label" x=(px(at[0] + if right { -8.0 } else { 8.0 })) y=(px(at[1] + 3.5))
                        text-anchor=(if right { "end" } else { "start" }) { (place.name) }
                }
            }
        }
    }
}
