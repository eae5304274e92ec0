// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::px;

/// Maps values to a span of pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    /// Value and pixel at the start.
    pub from: (f64, f64),
    /// Value and pixel at the end.
    pub to: (f64, f64),
}

impl Axis {
    /// The pixel of a value.
    pub fn at(&self, value: f64) -> f64 {
        let span = self.to.0 - self.from.0;
        let share = if span == 0.0 { 0.5 } else { (value - self.from.0) / span };
        self.from.1 + share * (self.to.1 - self.from.1)
    }

    /// Round values along the axis, about `wanted` of them.
    pub fn ticks(&self, wanted: usize) -> Vec<f64> {
        let (low, high) = (self.from.0.min(self.to.0), self.from.0.max(self.to.0));
        if !(high - low).is_finite() || high <= low {
            return Vec::new();
        }
        let raw = (high - low) / wanted.max(1) as f64;
        let power = 10.0_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|s| s * power).into_iter().find(|s| *s >= raw * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let (first, last) =
            ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        (first..=last).map(|i| i as f64 * step).collect()
    }

    /// Ticks with grid lines across `span` (top, bottom), the labels below.
    pub fn draw_x(&self, wanted: usize, span: (f64, f64)) -> Markup {
        let marks: Vec<(f64, String)> =
            self.ticks(wanted).into_iter().map(|t| (t, label(t))).collect();
        self.draw_x_marks(&marks, span)
    }

    /// As [`Axis::draw_x`], with ticks and labels of the caller's.
    pub fn draw_x_marks(&self, marks: &[(f64, String)], span: (f64, f64)) -> Markup {
        html! {
            @for (tick, label) in marks {
                line class="grid" x1=(px(self.at(*tick))) x2=(px(self.at(*tick))) y1=(px(span.0)) y2=(px(span.1)) {}
                text class="tick" x=(px(self.at(*tick))) y=(px(span.1 + 14.0)) text-anchor="middle" { (label) }
            }
        }
    }

    /// Ticks with grid lines across `span` (left, right), the labels at the left.
    pub fn draw_y(&self, wanted: usize, span: (f64, f64)) -> Markup {
        html! {
            @for tick in self.ticks(wanted) {
                line class="grid" x1=(px(span.0)) x2=(px(span.1)) y1=(px(self.at(tick))) y2=(px(self.at(tick))) {}
                text class="tick" x=(px(span.0 - 6.0)) y=(px(self.at(tick) + 3.5)) text-anchor="end" { (label(tick)) }
            }
        }
    }
}

/// A tick in the fewest decimals that tell it.
fn label(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}
