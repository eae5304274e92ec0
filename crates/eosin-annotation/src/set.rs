// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use eosin_core::{Annotation, Error, LeftOutShapes, ObjectKind, Rectangle, Result, Shape};

use crate::geometry;

/// The name of the class of annotations that have none.
pub const UNCLASSIFIED: &str = "(unclassified)";

/// What a file of annotations holds.
#[derive(Clone, Debug)]
pub struct AnnotationSet {
    path: PathBuf,
    format: &'static str,
    annotations: Vec<Annotation>,
    left_out: LeftOutShapes,
}

/// How many annotations there are of a class and kind, and what they cover.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupCount {
    /// The class, or [`UNCLASSIFIED`].
    pub class: String,
    /// The kind of object.
    pub kind: ObjectKind,
    /// Annotations that cover an area.
    pub n_areas: usize,
    /// Points.
    pub n_points: usize,
    /// The sum of the areas, in square pixels of level 0; what overlaps counts as often.
    pub area: f64,
}

/// Images that an error names.
const SHOWN_IMAGES: usize = 5;

impl AnnotationSet {
    pub(crate) fn new(path: &Path, format: &'static str) -> Self {
        let (annotations, left_out) = (Vec::new(), LeftOutShapes::new());
        Self { path: path.into(), format, annotations, left_out }
    }

    pub(crate) fn push(&mut self, annotation: Annotation) {
        self.annotations.push(annotation);
    }

    pub(crate) fn close(&mut self, left_out: LeftOutShapes) {
        self.left_out = left_out;
        self.annotations.shrink_to_fit();
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kind of its format.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// The annotations, in the order of the file.
    pub fn annotations(&self) -> &[Annotation] {
        &self.annotations
    }

    /// What of the file is no annotation, with its number.
    pub fn left_out(&self) -> &LeftOutShapes {
        &self.left_out
    }

    /// Numbers and areas by class and kind, in order of these.
    pub fn counts(&self) -> Result<Vec<GroupCount>> {
        let mut groups: BTreeMap<(&str, ObjectKind), GroupCount> = BTreeMap::new();
        for annotation in &self.annotations {
            let (class, kind) = (class_of(annotation), annotation.kind);
            let group = groups.entry((class, kind)).or_insert_with(|| GroupCount {
                class: class.into(),
                kind,
                n_areas: 0,
                n_points: 0,
                area: 0.0,
            });
            match &annotation.shape {
                Shape::Points(points) => group.n_points += points.len(),
                area => {
                    group.n_areas += 1;
                    let own = geometry::area(area);
                    group.area += own.map_err(|error| self.intricate(annotation, error))?;
                }
            }
        }
        Ok(groups.into_values().collect())
    }

    /// The smallest rectangle around all annotations.
    pub fn bounds(&self) -> Option<Rectangle> {
        self.annotations.iter().filter_map(|a| a.shape.bounds()).reduce(Rectangle::union)
    }

    /// The images that annotations are on, by the names in the file.
    pub fn images(&self) -> BTreeSet<&str> {
        self.annotations.iter().filter_map(|annotation| annotation.image.as_deref()).collect()
    }

    /// The annotations of one slide, where the file has those of several: of the image that has the
    /// slide's name, folders and endings aside. What names no image is on every slide.
    pub fn of_slide(mut self, slide: &str) -> Result<Self> {
        let images = self.images();
        if !images.is_empty() && !images.iter().any(|image| stem(image) == stem(slide)) {
            let shown: Vec<&str> = images.iter().take(SHOWN_IMAGES).copied().collect();
            let more = if images.len() > SHOWN_IMAGES { ", …" } else { "" };
            return Err(Error::data(
                &self.path,
                format!("annotations of an image called {}", stem(slide)),
                format!("those of {}{more}", shown.join(", ")),
                "name the slide as the file does",
            ));
        }
        let is_of = |image: &String| stem(image) == stem(slide);
        self.annotations.retain(|annotation| annotation.image.as_ref().is_none_or(is_of));
        Ok(self)
    }

    /// Refuses annotations that lie mostly outside of the slide, which then are another slide's, or
    /// in other units than pixels of level 0: more than half of their area, or of their points.
    pub fn require_inside(&self, width: u32, height: u32) -> Result<()> {
        let slide = Rectangle::new(0.0, 0.0, f64::from(width), f64::from(height));
        let (mut area, mut area_inside) = (0.0, 0.0);
        let (mut n_points, mut n_outside) = (0_usize, 0_usize);
        for annotation in &self.annotations {
            let shape = &annotation.shape;
            if let Shape::Points(points) = shape {
                n_points += points.len();
                let is_outside = |p: &&[f64; 2]| !slide.meets(Rectangle::new(p[0], p[1], 0.0, 0.0));
                n_outside += points.iter().filter(is_outside).count();
                continue;
            }
            let intricate = |error| self.intricate(annotation, error);
            let own = geometry::area(shape).map_err(intricate)?;
            area += own;
            let bounds = shape.bounds();
            let is_whole = bounds.is_some_and(|bounds| slide.union(bounds) == slide);
            area_inside += if is_whole {
                own
            } else {
                geometry::area_within(shape, slide).map_err(intricate)?
            };
        }
        let share = |outside: f64, all: f64| if all > 0.0 { outside / all } else { 0.0 };
        let outside = share(area - area_inside, area);
        let points_outside = share(n_outside as f64, n_points as f64);
        if outside <= 0.5 && points_outside <= 0.5 {
            return Ok(());
        }
        let mut found = Vec::new();
        if outside > 0.5 {
            found.push(format!("{:.1} % of their area outside", outside * 100.0));
        }
        if points_outside > 0.5 {
            found.push(format!("{n_outside} of {n_points} points outside"));
        }
        if let Some(b) = self.bounds() {
            found.push(format!(
                "their bounding box from {:.1}, {:.1} to {:.1}, {:.1}",
                b.left, b.top, b.right, b.bottom
            ));
        }
        Err(Error::data(
            &self.path,
            format!("annotations on the slide of {width} × {height} px"),
            found.join(", "),
            "they are another slide's, or not in pixels of level 0: export them again from this \
             slide",
        ))
    }
}

impl AnnotationSet {
    /// Names the annotation whose area cannot be had.
    pub(crate) fn intricate(&self, annotation: &Annotation, error: Error) -> Error {
        let n = annotation.shape.n_corners();
        Error::data(
            &self.path,
            "outlines that cross themselves less often",
            format!("annotation {} of {n} corners: {error}", annotation.id),
            error.hint(),
        )
    }
}

/// The class by which an annotation is counted.
pub(crate) fn class_of(annotation: &Annotation) -> &str {
    annotation.class.as_deref().unwrap_or(UNCLASSIFIED)
}

/// A file's name without folders and its last ending.
fn stem(name: &str) -> &str {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}
