// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::{Axis, N_COLOURS, points, px};

/// A line of a chart.
pub(crate) struct Curve {
    pub name: String,
    pub points: Vec<[f64; 2]>,
    /// Lower and upper ends of an interval at each point; empty where there is none.
    pub band: Vec<[f64; 2]>,
    /// Whether each point gets a mark.
    pub marks: bool,
}

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 330.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 226.0;

/// What is drawn around the curves.
pub(crate) struct Chart<'a> {
    pub title: &'a str,
    /// Names of the axes.
    pub labels: [&'a str; 2],
    /// Ends of the axes.
    pub ranges: [(f64, f64); 2],
    /// Places and labels on the first axis; round numbers where there are none.
    pub x_marks: Option<Vec<(f64, String)>>,
    /// A dashed line.
    pub reference: Option<[[f64; 2]; 2]>,
}

/// A chart of curves; what is not finite is left out.
pub(crate) fn curves(chart: &Chart, curves: &[Curve]) -> Markup {
    let Chart { title, labels, ranges, x_marks, reference } = chart;
    let x = Axis { from: (ranges[0].0, LEFT), to: (ranges[0].1, RIGHT) };
    let y = Axis { from: (ranges[1].0, BOTTOM), to: (ranges[1].1, TOP) };
    let place = |p: &[f64; 2]| [x.at(p[0]), y.at(p[1])];
    html! {
        figure class="chart" {
            figcaption { (title) }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(title) {
                @match x_marks {
                    Some(marks) => (x.draw_x_marks(marks, (TOP, BOTTOM))),
                    None => (x.draw_x(5, (TOP, BOTTOM))),
                }
                (y.draw_y(5, (LEFT, RIGHT)))
                text class="axis" x=(px(f64::midpoint(LEFT, RIGHT))) y=(px(HEIGHT - 10.0)) text-anchor="middle" { (labels[0]) }
                text class="axis" x="12" y=(px(f64::midpoint(TOP, BOTTOM))) text-anchor="middle"
                    transform={ "rotate(-90 12 " (px(f64::midpoint(TOP, BOTTOM))) ")" } { (labels[1]) }
                @if let Some([a, b]) = reference {
                    polyline class="reference" points=(points(&[place(a), place(b)])) {}
                }
                @for (i, curve) in curves.iter().enumerate() {
                    @if curve.band.len() == curve.points.len() && !curve.band.is_empty() {
                        polygon class={ "band c" (i % N_COLOURS) } points=(points(&band(curve, &x, &y))) {}
                    }
                    polyline class={ "line c" (i % N_COLOURS) } points=(points(&curve.points.iter().filter(|p| finite(**p)).map(place).collect::<Vec<_>>())) {
                        title { (curve.name) }
                    }
                    @if curve.marks {
                        @for p in curve.points.iter().filter(|p| finite(**p)) {
                            circle class={ "mark c" (i % N_COLOURS) } cx=(px(x.at(p[0]))) cy=(px(y.at(p[1]))) r="3" {}
                        }
                    }
                }
            }
        }
    }
}

fn finite(point: [f64; 2]) -> bool {
    point.iter().all(|v| v.is_finite())
}

fn band(curve: &Curve, x: &Axis, y: &Axis) -> Vec<[f64; 2]> {
    let side = |end: usize| {
        let known = curve.points.iter().zip(&curve.band).filter(|(_, b)| finite(**b));
        known.map(move |(p, b)| [x.at(p[0]), y.at(b[end])])
    };
    let mut outline: Vec<[f64; 2]> = side(1).collect();
    let mut below: Vec<[f64; 2]> = side(0).collect();
    below.reverse();
    outline.append(&mut below);
    outline
}
