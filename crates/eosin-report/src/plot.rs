// SPDX-License-Identifier: MIT OR Apache-2.0

//! Small charts as inline SVG, coloured by the page's style sheet so that they follow its theme.
//!
//! They are written as markup rather than by a plotting library, because only markup takes the
//! page's colours and can be printed, scaled and read aloud.

mod axis;
mod cost;
mod curve;
mod interval;
mod scatter;
mod versus;

pub(crate) use axis::Axis;
pub(crate) use cost::{Place, costs};
pub(crate) use curve::{Chart, Curve, curves};
pub(crate) use interval::{IntervalRow, intervals};
pub(crate) use scatter::{Cloud, scatter};
pub(crate) use versus::versus;

/// Number of series colours that the style sheet knows; more series take them again.
pub(crate) const N_COLOURS: usize = 6;

/// A coordinate in the fewest digits that a screen can show.
pub(crate) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(ToString::to_string).unwrap_or(text)
}

/// Points as the attribute of a polyline.
pub(crate) fn points(points: &[[f64; 2]]) -> String {
    let pairs: Vec<String> = points.iter().map(|p| format!("{},{}", px(p[0]), px(p[1]))).collect();
    pairs.join(" ")
}
