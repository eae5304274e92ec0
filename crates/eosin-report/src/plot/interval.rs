// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::{Axis, px};

/// A named estimate with its interval.
pub(crate) struct IntervalRow {
    pub name: String,
    pub estimate: f64,
    pub lower: f64,
    pub upper: f64,
    /// Class of the style sheet.
    pub class: &'static str,
    /// Printed at the right.
    pub remark: String,
    /// Whether it is the best candidate or not told apart from it; such rows share a bar at the
    /// edge.
    pub with_best: bool,
}

/// At least; a picture with longer remarks is wider.
const WIDTH: f64 = 920.0;
/// Of a letter of a remark, on the wide side, since fonts differ.
const LETTER: f64 = 6.6;
const LEFT: f64 = 300.0;
const RIGHT: f64 = 600.0;
const STEP: f64 = 26.0;

/// Room for the upright bar.
const BAR: f64 = 6.0;

/// A row per estimate, the interval as a bar through it; `reference` is a dashed upright, and a bar
/// at the edge joins the rows that are not told apart from the best.
pub(crate) fn intervals(
    title: &str,
    label: &str,
    rows: &[IntervalRow],
    reference: Option<f64>,
) -> Markup {
    let bar = alike(rows);
    let remarks = RIGHT + 12.0 + BAR;
    let longest = rows.iter().map(|row| row.remark.chars().count()).max().unwrap_or(0);
    let width = WIDTH.max(remarks + LETTER * longest as f64);
    let bottom = 8.0 + STEP * rows.len() as f64;
    let (low, high) = range(rows, reference);
    let x = Axis { from: (low, LEFT), to: (high, RIGHT) };
    html! {
        figure class="wide chart" {
            svg viewBox={ "0 0 " (px(width)) " " (px(bottom + 40.0)) } role="img" aria-label=(title) {
                (x.draw_x(6, (4.0, bottom)))
                text class="axis" x=(px(f64::midpoint(LEFT, RIGHT))) y=(px(bottom + 34.0)) text-anchor="middle" { (label) }
                @if let Some(value) = reference {
                    line class="reference" x1=(px(x.at(value))) x2=(px(x.at(value))) y1="4" y2=(px(bottom)) {}
                }
                @if let Some((first, last)) = bar {
                    @let x = RIGHT + BAR;
                    line class="bar" x1=(px(x)) x2=(px(x)) y1=(px(14.0 + STEP * first as f64)) y2=(px(2.0 + STEP * (last + 1) as f64)) {}
                }
                @for (i, row) in rows.iter().enumerate() {
                    @let y = 8.0 + STEP * (i as f64 + 0.5);
                    text class={ "name " (row.class) } x=(px(LEFT - 10.0)) y=(px(y + 4.0)) text-anchor="end" { (shortened(&row.name)) }
                    @if row.estimate.is_finite() {
                        @if row.lower.is_finite() && row.upper.is_finite() {
                            line class={ "whisker " (row.class) } x1=(px(x.at(row.lower))) x2=(px(x.at(row.upper))) y1=(px(y)) y2=(px(y)) {}
                        }
                        circle class={ "dot " (row.class) } cx=(px(x.at(row.estimate))) cy=(px(y)) r="4.5" { title { (row.name) } }
                    }
                    text class="remark" x=(px(remarks)) y=(px(y + 4.0)) { (row.remark) }
                }
            }
        }
    }
}

/// First and last of the rows that are not told apart from the best, where there are at least two.
fn alike(rows: &[IntervalRow]) -> Option<(usize, usize)> {
    let first = rows.iter().position(|row| row.with_best)?;
    let last = rows.iter().rposition(|row| row.with_best)?;
    (last > first).then_some((first, last))
}

fn range(rows: &[IntervalRow], reference: Option<f64>) -> (f64, f64) {
    let values = rows.iter().flat_map(|r| [r.estimate, r.lower, r.upper]).chain(reference);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|v| v.is_finite()) {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high {
        return (0.0, 1.0);
    }
    let margin = ((high - low) * 0.06).max(0.005);
    (low - margin, high + margin)
}

/// Names that would leave the picture lose their middle.
fn shortened(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= 42 {
        return name.to_string();
    }
    let (head, tail) = (&letters[..24], &letters[letters.len() - 17..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width_of(remark: &str) -> f64 {
        let row = IntervalRow {
            name: "a".into(),
            estimate: 0.5,
            lower: 0.4,
            upper: 0.6,
            class: "",
            remark: remark.into(),
            with_best: false,
        };
        let drawn = intervals("title", "F1", &[row], None).into_string();
        let numbers = drawn.split("viewBox=\"0 0 ").nth(1).unwrap();
        numbers.split(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    fn a_picture_is_wide_enough_for_its_longest_remark() {
        let remark = "0.612 [0.568, 0.656] · P(best) 0.20 · not told apart from the best";
        assert!((width_of("0.612") - 920.0).abs() < 1e-9);
        assert!(width_of(remark) > 1030.0, "{}", width_of(remark));
    }
}
