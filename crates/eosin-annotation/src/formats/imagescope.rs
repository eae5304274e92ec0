// SPDX-License-Identifier: MIT OR Apache-2.0

//! XML of Aperio ImageScope: layers of regions.

use std::io::Read;

use eosin_core::{
    Annotation, AnnotationFormat, AnnotationRequest, LeftOutShapes, ObjectKind, Outline, Rectangle,
    Result, Shape,
};

use super::xml::{Begin, Tag, Tags};
use super::{begins_with, has};
use crate::read::{Found, ellipse};

/// Aperio ImageScope: a region's class is its layer's name, else the layer's attribute
/// `Description`, else the region's own text.
///
/// Regions of Type 0 (freehand), 1 (rectangle) and 2 (ellipse, by the corners of its box) are read;
/// a `GeoShape`, which some programs add, goes before the Type. Arrows, rulers and others are left
/// out and counted. A region with `NegativeROA` is cut out of the other regions of its layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageScopeFormat;

/// A layer that is being read: regions wait for those that are cut out of them.
#[derive(Default)]
struct Layer {
    name: Option<String>,
    description: Option<String>,
    is_locked: bool,
    regions: Vec<Region>,
    holes: Vec<Vec<[f64; 2]>>,
}

struct Region {
    id: Option<String>,
    text: Option<String>,
    shape: Shape,
}

/// A region that is being read.
struct Open {
    begin: Begin,
    corners: Vec<[f64; 2]>,
}

impl AnnotationFormat for ImageScopeFormat {
    fn kind(&self) -> &'static str {
        "imagescope"
    }

    fn recognises(&self, _file_name: &str, start: &[u8]) -> bool {
        let words = ["MicronsPerPixel", "<Regions", "<Region ", "<Attributes", "LineColor"];
        begins_with(start, b"<")
            && has(start, "<Annotations")
            && !has(start, "<ASAP_Annotations")
            && words.iter().any(|word| has(start, word))
    }

    fn read(
        &self,
        request: &AnnotationRequest,
        file: &mut dyn Read,
        visit: &mut dyn FnMut(Annotation) -> Result<()>,
    ) -> Result<LeftOutShapes> {
        let mut found = Found::new(request, visit);
        let mut tags = Tags::new(file, &found);
        let (mut layer, mut open, mut is_own) = (Layer::default(), None::<Open>, false);
        let (mut n_kept, mut n_corners) = (0, 0);
        while let Some(tag) = tags.next(&found)? {
            match tag {
                Tag::Begin(begin) => match begin.name.as_str() {
                    "Annotations" => is_own = true,
                    other if !is_own => {
                        let text = format!("the tag {other}");
                        return Err(found.fault("the tag Annotations", text));
                    }
                    "Annotation" => layer = Layer::new(&begin),
                    "Attribute" if open.is_none() => layer.attribute(&begin),
                    "Region" => open = Some(Open { begin, corners: Vec::new() }),
                    "Vertex" | "V" => {
                        let Some(open) = &mut open else { continue };
                        open.corners.push(begin.point(&found)?);
                        n_corners += 1;
                        if open.corners.len() > found.limits().corners_of_one {
                            return Err(found.too_many_corners());
                        }
                    }
                    _ => {}
                },
                Tag::End(name) => match name.as_str() {
                    "Region" => {
                        if let Some(open) = open.take() {
                            layer.add(open, &mut found)?;
                            n_kept += 1;
                        }
                    }
                    "Annotation" => std::mem::take(&mut layer).close(&mut found)?,
                    _ => {}
                },
            }
            // Regions wait for the end of their layer, so that they are counted here.
            for (n, most, what) in [
                (n_kept, found.limits().annotations, "annotations"),
                (n_corners, found.limits().corners, "corners in all annotations"),
            ] {
                if n > most {
                    return Err(found.fault(format!("at most {most} {what}"), "more"));
                }
            }
        }
        if !is_own {
            return Err(found.fault("the tag Annotations", "none"));
        }
        Ok(found.finish())
    }
}

impl Layer {
    fn new(begin: &Begin) -> Self {
        Self {
            name: begin.text("Name").map(str::to_string),
            is_locked: begin.text("ReadOnly") == Some("1"),
            ..Self::default()
        }
    }

    fn attribute(&mut self, begin: &Begin) {
        if begin.text("Name") == Some("Description") {
            self.description = begin.text("Value").map(str::to_string);
        }
    }

    fn add(&mut self, open: Open, found: &mut Found) -> Result<()> {
        let Open { begin, corners } = open;
        let what = match begin.text("GeoShape") {
            Some("Points") => "points",
            Some("Rectangle") => "1",
            Some("Ellipse") => "2",
            Some(_) => "0",
            None => begin.text("Type").unwrap_or("0"),
        };
        let shape = match (what, corners.as_slice()) {
            ("points", _) => Shape::Points(corners),
            ("1", [a, b]) => match Rectangle::around([*a, *b]) {
                Some(rectangle) => found.outline(rectangle.corners().to_vec())?,
                None => Shape::Outlines(Vec::new()),
            },
            ("2", [a, b]) => found.outline(ellipse(*a, *b))?,
            ("0" | "1" | "2", _) => found.outline(corners)?,
            (other, _) => {
                found.leave_out(&format!(
                    "region of Type {}",
                    other.chars().take(20).collect::<String>()
                ));
                return Ok(());
            }
        };
        if begin.text("NegativeROA") == Some("1") {
            if let Shape::Outlines(outlines) = shape {
                self.holes.extend(outlines.into_iter().map(|outline| outline.outer));
            }
            return Ok(());
        }
        let text = |name: &str| begin.text(name).map(str::to_string);
        self.regions.push(Region { id: text("Id"), text: text("Text"), shape });
        Ok(())
    }

    /// Hands the layer's regions on, with what is cut out of them.
    fn close(self, found: &mut Found) -> Result<()> {
        let holes: Vec<(Rectangle, &Vec<[f64; 2]>)> = self
            .holes
            .iter()
            .filter_map(|hole| Some((Rectangle::around(hole.iter().copied())?, hole)))
            .collect();
        for mut region in self.regions {
            if let Shape::Outlines(outlines) = &mut region.shape {
                cut_out(&holes, outlines);
            }
            let class = self.name.clone().or(self.description.clone()).or(region.text);
            found.visit(Annotation {
                shape: region.shape,
                class,
                id: region.id.unwrap_or_else(|| found.next_id()),
                kind: ObjectKind::Annotation,
                is_locked: self.is_locked,
                image: None,
            })?;
        }
        Ok(())
    }
}

/// Gives each outline the holes that may meet it.
fn cut_out(holes: &[(Rectangle, &Vec<[f64; 2]>)], outlines: &mut [Outline]) {
    for outline in outlines {
        let Some(around) = Rectangle::around(outline.outer.iter().copied()) else { continue };
        let meeting = holes.iter().filter(|(hole, _)| hole.meets(around));
        outline.holes.extend(meeting.map(|(_, hole)| (*hole).clone()));
    }
}
