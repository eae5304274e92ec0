// SPDX-License-Identifier: MIT OR Apache-2.0

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use eosin_core::{Error, Result};

use crate::canvas::Canvas;

/// DejaVu Sans with Latin, Greek and Cyrillic letters.
const FONT: &[u8] = include_bytes!("../font/DejaVuSans-subset.ttf");

/// Letters of one height.
pub struct Letters {
    font: FontRef<'static>,
    px: f32,
}

impl Letters {
    /// Letters whose lines are `px` high.
    pub fn new(px: f32) -> Result<Self> {
        let font = FontRef::try_from_slice(FONT)
            .map_err(|e| Error::unsupported(format!("the font: {e}"), &[], "build eosin anew"))?;
        Ok(Self { font, px })
    }

    /// Width of a line in pixels.
    pub fn width(&self, text: &str) -> f32 {
        let font = self.font.as_scaled(PxScale::from(self.px));
        text.chars().map(|c| font.h_advance(font.glyph_id(printed(c)))).sum()
    }

    /// As much of a line as fits, with … for what does not.
    pub fn fit(&self, text: &str, width: f32) -> String {
        // No more letters than pixels, however long the text is.
        let mut kept: String = text.chars().take(width.max(0.0) as usize).collect();
        if kept.len() == text.len() && self.width(text) <= width {
            return kept;
        }
        while !kept.is_empty() && self.width(&format!("{kept}…")) > width {
            kept.pop();
        }
        kept + "…"
    }

    /// Draws a line whose upper left corner is at `x`, `y`.
    pub fn draw(&self, canvas: &mut Canvas, (x, y): (i64, i64), colour: [u8; 3], text: &str) {
        let scale = PxScale::from(self.px);
        let font = self.font.as_scaled(scale);
        let mut pen = 0.0;
        for c in text.chars().map(printed) {
            let id = font.glyph_id(c);
            let glyph = id.with_scale_and_position(scale, point(pen, font.ascent()));
            pen += font.h_advance(id);
            let Some(outline) = self.font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            let (left, top) = (x + corner.x as i64, y + corner.y as i64);
            outline.draw(|dx, dy, share| {
                let at = (left + i64::from(dx), top + i64::from(dy));
                canvas.blend(at, colour.map(f64::from), f64::from(share));
            });
        }
    }
}

/// What ends a line or hides stands as a mark.
fn printed(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}
