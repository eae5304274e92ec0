// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_annotation::{AnnotationSet, LabelRules, ReadOptions, label_tiles, read_annotations};
use eosin_core::{Rectangle, Result, TileMeta, TileSource};
use eosin_tile::TilingOptions;

use crate::cut::open_slide;
use crate::inspect::{Inspection, fact};
use eosin_session::Registry;

/// How annotations are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnnotationView<'a> {
    /// The kind of the format, where the file's content is not to tell it.
    pub format: Option<&'a str>,
    /// The slide that they are on, whose tiles are then labelled.
    pub slide: Option<LabelledSlide<'a>>,
}

/// A slide whose tiles get classes from annotations.
#[derive(Clone, Copy, Debug)]
pub struct LabelledSlide<'a> {
    /// Its file.
    pub path: &'a Path,
    /// How tiles are laid over it.
    pub tiling: &'a TilingOptions,
    /// How tiles get their classes.
    pub rules: &'a LabelRules,
}

/// Endings of files that are annotations or nothing.
const ENDINGS: [&str; 5] = ["geojson", "xml", "geojson.gz", "xml.gz", "json.gz"];

/// Whether a file is taken for annotations: a format recognises it, or its name says so.
pub(crate) fn is_annotations(path: &Path, registry: &Registry) -> bool {
    if !path.is_file() {
        return false;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let is_named = ENDINGS
        .iter()
        .any(|ending| name.strip_suffix(ending).is_some_and(|stem| stem.ends_with('.')));
    let recognised = eosin_annotation::recognise(path, &registry.annotations);
    is_named || recognised.is_ok_and(|format| format.is_some())
}

/// Tells what a file of annotations holds, by class and kind of object; with a slide, how many of
/// its tiles each class gets. Annotations that lie mostly outside the slide are refused.
pub fn inspect_annotations(
    path: &Path,
    view: &AnnotationView,
    registry: &Registry,
) -> Result<Inspection> {
    let options = ReadOptions { format: view.format.map(str::to_string), ..ReadOptions::default() };
    let set = read_annotations(path, &registry.annotations, &options)?;
    let Some(slide) = view.slide else {
        return Ok(Inspection { kind: "annotations", facts: facts(&set)? });
    };
    let source = open_slide(slide.path, slide.tiling, registry)?;
    let set = set.of_slide(&slide.path.to_string_lossy())?;
    let (width, height) = source.slide().size();
    set.require_inside(width, height)?;
    let mut facts = facts(&set)?;
    let tiles: Vec<Rectangle> = source.tiles().iter().map(rectangle).collect();
    let labels = label_tiles(&set, &tiles, slide.rules)?;
    facts.push(fact("slide", format!("{}, {width} × {height} px", slide.path.display())));
    facts.push(fact("tiles", tiles.len()));
    let counts = labels.counts();
    for (class, n) in counts.into_iter().map(|(class, n)| (format!("tiles of {class}"), n)) {
        facts.push(fact(class, share(n, tiles.len())));
    }
    facts.push(fact("tiles without a class", share(labels.n_without(), tiles.len())));
    Ok(Inspection { kind: "annotations on a slide", facts })
}

/// Where a tile lies on level 0.
fn rectangle(meta: &TileMeta) -> Rectangle {
    let side = f64::from(meta.size_level0_px);
    Rectangle::new(meta.x as f64, meta.y as f64, side, side)
}

fn plural(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

fn share(n: usize, all: usize) -> String {
    format!("{n} ({:.1} %)", 100.0 * n as f64 / all.max(1) as f64)
}

fn facts(set: &AnnotationSet) -> Result<Vec<(String, String)>> {
    let mut facts =
        vec![fact("format", set.format()), fact("annotations", set.annotations().len())];
    let images = set.images();
    if !images.is_empty() {
        facts.push(fact("images", images.len()));
    }
    let counts = set.counts()?;
    for group in &counts {
        let mut parts = Vec::new();
        if group.n_areas > 0 {
            let n = plural(group.n_areas, "area");
            parts.push(format!("{n} of {:.1} px²", group.area));
        }
        if group.n_points > 0 {
            parts.push(plural(group.n_points, "point"));
        }
        facts.push(fact(format!("{}, {}", group.class, group.kind.name()), parts.join(", ")));
    }
    let locked = set.annotations().iter().filter(|annotation| annotation.is_locked).count();
    if locked > 0 {
        facts.push(fact("locked", locked));
    }
    if let Some(b) = set.bounds() {
        let corners = format!("{:.1}, {:.1} to {:.1}, {:.1}", b.left, b.top, b.right, b.bottom);
        facts.push(fact("bounding box", corners));
    }
    let area: f64 = counts.iter().map(|group| group.area).sum();
    facts.push(fact("area", format!("{area:.1} px²")));
    let n_objects = set.objects()?.len();
    facts.push(fact("objects", n_objects));
    facts.extend(set.left_out().iter().map(|(what, n)| fact(format!("left out: {what}"), n)));
    Ok(facts)
}
