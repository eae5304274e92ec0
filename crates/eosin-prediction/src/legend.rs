// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Result, RgbImage};

use crate::canvas::{Area, Canvas};
use crate::colour::Colours;
use crate::layer::{Shown, colour_of};
use crate::scale_bar::ScaleBar;
use crate::text::Letters;

/// What stands around a map.
pub struct Legend {
    pub title: String,
    pub scale: ColourScale,
    pub colours: Colours,
    pub opacity: f64,
    pub threshold: f64,
    pub n_uncalled: usize,
    pub n_uncertain: usize,
    pub remarks: Vec<String>,
    /// Micrometres of a pixel of the map, where they are known.
    pub um_per_px: Option<f64>,
}

/// What colours mean.
pub struct ColourScale {
    pub heading: String,
    pub name: String,
    /// Shares of the range with their numbers.
    pub ticks: Vec<(f64, String)>,
}

const MARGIN: i64 = 24;
const PANEL: i64 = 270;
const TITLE: i64 = 44;
const FOOTER: i64 = 44;
/// The panel needs this height, however flat the slide is.
const MIN_HEIGHT: i64 = 560;
const MIN_WIDTH: i64 = 300;
const BAR: (i64, i64) = (30, 220);
const SWATCH: i64 = 26;
const LINE: i64 = 26;

const INK: [u8; 3] = [25, 25, 25];
const GREY: [u8; 3] = [90, 90, 90];
/// Lightness of the tissue of which colours of the legend are mixed, as those of the map are.
const TISSUE: f64 = 190.0;

/// The map with title, legend and scale bar on white.
pub fn compose(map: &RgbImage, legend: &Legend) -> Result<RgbImage> {
    let (map_width, map_height) = (i64::from(map.width()), i64::from(map.height()));
    let left = map_width.max(MIN_WIDTH) + 2 * MARGIN;
    let width = left + PANEL;
    let height = TITLE + map_height.max(MIN_HEIGHT) + FOOTER + MARGIN;
    let mut canvas = Canvas::new(RgbImage::filled(width as u32, height as u32, [255; 3]));

    let title = Letters::new(28.0)?;
    let text = title.fit(&legend.title, (width - 2 * MARGIN) as f32);
    title.draw(&mut canvas, (MARGIN, 8), INK, &text);

    canvas.put((MARGIN, TITLE), map);
    let area = Area { x: MARGIN, y: TITLE, width: map_width, height: map_height };
    canvas.frame(area, [190; 3]);
    footer(&mut canvas, legend, (MARGIN, TITLE + map_height + 12), map_width)?;
    panel(&mut canvas, legend, left)?;
    Ok(canvas.into_image())
}

/// The scale bar, or why there is none.
fn footer(canvas: &mut Canvas, legend: &Legend, at: (i64, i64), width: i64) -> Result<()> {
    let letters = Letters::new(20.0)?;
    let (x, y) = at;
    match legend.um_per_px.and_then(|um| ScaleBar::new(um, width as f64)) {
        Some(bar) => {
            let px = bar.px.round() as i64;
            let ink = INK.map(f64::from);
            canvas.fill(Area { x, y: y + 7, width: px, height: 6 }, |_, _| ink);
            for end in [x, x + px - 2] {
                canvas.fill(Area { x: end, y, width: 2, height: 20 }, |_, _| ink);
            }
            letters.draw(canvas, (x + px + 12, y), INK, &bar.label);
        }
        None => letters.draw(canvas, (x, y), GREY, "no scale: µm per pixel unknown"),
    }
    Ok(())
}

fn panel(canvas: &mut Canvas, legend: &Legend, x: i64) -> Result<()> {
    let (small, large) = (Letters::new(20.0)?, Letters::new(24.0)?);
    let room = (PANEL - MARGIN) as f32;
    let mut y = TITLE;
    small.draw(canvas, (x, y), GREY, &legend.scale.heading);
    y += LINE;
    large.draw(canvas, (x, y), INK, &large.fit(&legend.scale.name, room));
    y += LINE + 18;
    colour_bar(canvas, legend, (x, y), &small);
    y += BAR.1 + 24;

    let mixed =
        |colour: [f64; 3]| colour.map(|v| v * legend.opacity + TISSUE * (1.0 - legend.opacity));
    let mut swatch = |y: &mut i64, shown: Option<Shown>, lines: &[String]| {
        let area = Area { x, y: *y, width: SWATCH, height: SWATCH };
        if let Some(shown) = shown {
            canvas.fill(area, |dx, dy| mixed(colour_of(shown, legend.colours, dx, dy)));
        }
        canvas.frame(area, GREY);
        for line in lines {
            let line = small.fit(line, room - 36.0);
            small.draw(canvas, (x + 36, *y + 2), INK, &line);
            *y += LINE;
        }
        *y += 12;
    };
    if legend.n_uncalled > 0 {
        let lines = ["too unsure to call:".into(), format!("{} tiles", legend.n_uncalled)];
        swatch(&mut y, Some(Shown::Uncalled), &lines);
    }
    if legend.n_uncertain > 0 {
        let lines = ["class not certain:".into(), format!("{} tiles", legend.n_uncertain)];
        swatch(&mut y, Some(Shown::Uncertain), &lines);
    }
    let below = (legend.threshold > 0.0).then(|| format!("or below {:.2}", legend.threshold));
    let lines: Vec<String> = ["not analysed".to_string()].into_iter().chain(below).collect();
    swatch(&mut y, None, &lines);
    for line in &legend.remarks {
        small.draw(canvas, (x, y), INK, &small.fit(line, room));
        y += LINE;
    }
    Ok(())
}

/// The largest value above, numbers at the right; white below the threshold, where nothing is drawn.
fn colour_bar(canvas: &mut Canvas, legend: &Legend, (x, y): (i64, i64), letters: &Letters) {
    let (width, height) = BAR;
    let area = Area { x, y, width, height };
    canvas.fill(area, |_, dy| {
        let share = 1.0 - dy as f64 / (height - 1) as f64;
        if share < legend.threshold {
            return [255.0; 3];
        }
        let colour = legend.colours.at(share);
        colour.map(|v| v * legend.opacity + TISSUE * (1.0 - legend.opacity))
    });
    canvas.frame(area, GREY);
    for (share, number) in &legend.scale.ticks {
        let at = y + ((1.0 - share) * (height - 1) as f64).round() as i64;
        let tick = Area { x: x + width, y: at, width: 7, height: 1 };
        canvas.fill(tick, |_, _| GREY.map(f64::from));
        letters.draw(canvas, (x + width + 13, at - 10), INK, number);
    }
}
