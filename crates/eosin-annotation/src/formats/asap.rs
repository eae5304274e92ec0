// SPDX-License-Identifier: MIT OR Apache-2.0

//! ASAP's XML, in which CAMELYON's annotations are.

use std::io::Read;

use eosin_core::{
    Annotation, AnnotationFormat, AnnotationRequest, LeftOutShapes, ObjectKind, Result, Shape,
};

use super::xml::{Begin, Tag, Tags};
use super::{begins_with, has};
use crate::read::Found;

/// ASAP: an annotation's class is the group that it is part of.
///
/// Polygons, rectangles, dots and sets of points are read, and splines as the polygons of their
/// points; measurements are left out and counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsapFormat;

/// An annotation that is being read: what its tag says, and its points with their places.
struct Open {
    begin: Begin,
    points: Vec<(f64, [f64; 2])>,
}

impl AnnotationFormat for AsapFormat {
    fn kind(&self) -> &'static str {
        "asap"
    }

    fn recognises(&self, _file_name: &str, start: &[u8]) -> bool {
        begins_with(start, b"<") && has(start, "<ASAP_Annotations")
    }

    fn read(
        &self,
        request: &AnnotationRequest,
        file: &mut dyn Read,
        visit: &mut dyn FnMut(Annotation) -> Result<()>,
    ) -> Result<LeftOutShapes> {
        let mut found = Found::new(request, visit);
        let mut tags = Tags::new(file, &found);
        let (mut open, mut is_asap): (Option<Open>, bool) = (None, false);
        while let Some(tag) = tags.next(&found)? {
            match tag {
                Tag::Begin(begin) => match begin.name.as_str() {
                    "ASAP_Annotations" => is_asap = true,
                    other if !is_asap => {
                        let text = format!("the tag {other}");
                        return Err(found.fault("the tag ASAP_Annotations", text));
                    }
                    "Annotation" => open = Some(Open { begin, points: Vec::new() }),
                    "Coordinate" => {
                        let Some(open) = &mut open else { continue };
                        open.points.push((begin.number("Order", &found)?, begin.point(&found)?));
                        if open.points.len() > found.limits().corners_of_one {
                            return Err(found.too_many_corners());
                        }
                    }
                    _ => {}
                },
                Tag::End(name) if name == "Annotation" => {
                    if let Some(open) = open.take() {
                        close(open, &mut found)?;
                    }
                }
                Tag::End(_) => {}
            }
        }
        if !is_asap {
            return Err(found.fault("the tag ASAP_Annotations", "none"));
        }
        Ok(found.finish())
    }
}

fn close(open: Open, found: &mut Found) -> Result<()> {
    let Open { begin, mut points } = open;
    let id = begin.text("Name").map_or_else(|| found.next_id(), str::to_string);
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let Some(pair) = points.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
        let text = format!("Order {} twice in {id:?}", pair[0].0);
        return Err(found.fault("coordinates of different Order", text));
    }
    let corners = points.into_iter().map(|(_, point)| point).collect();
    let shape = match begin.text("Type") {
        Some("Polygon" | "Spline" | "Rectangle") => found.outline(corners)?,
        Some("Dot" | "PointSet") => Shape::Points(corners),
        Some("Measurement") => {
            found.leave_out("Measurement");
            return Ok(());
        }
        other => {
            let expected = "an annotation of Type Polygon, Spline, Rectangle, Dot or PointSet";
            let text = format!("Type {} of {id:?}", other.unwrap_or("none"));
            return Err(found.fault(expected, text));
        }
    };
    found.visit(Annotation {
        shape,
        class: begin.text("PartOfGroup").filter(|group| *group != "None").map(str::to_string),
        id,
        kind: ObjectKind::Annotation,
        is_locked: false,
        image: None,
    })
}
