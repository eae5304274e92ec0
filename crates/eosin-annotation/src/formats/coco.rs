// SPDX-License-Identifier: MIT OR Apache-2.0

//! COCO's JSON, and MIDOG's, which is like it but for its boxes.

mod file;

use std::collections::BTreeMap;
use std::io::Read;

use eosin_core::{
    Annotation, AnnotationFormat, AnnotationRequest, Error, LeftOutShapes, ObjectKind, Outline,
    Rectangle, Result, Shape,
};

use super::json::{fault, read_json};
use super::{begins_with, has};
use crate::read::Found;
use file::{CocoFile, FileSeed, Image, RawAnnotation, Segmentation};

/// COCO: boxes of left, top, width and height, or polygons; run-length masks are refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct CocoFormat;

/// MIDOG: boxes of left, top, right and bottom around mitoses and what looks like them. It is
/// recognised by its name or by its text, since its boxes cannot be told from COCO's for sure.
#[derive(Clone, Copy, Debug, Default)]
pub struct MidogFormat;

/// What the four numbers of a box are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BoxNumbers {
    Sides,
    Corners,
}

impl AnnotationFormat for CocoFormat {
    fn kind(&self) -> &'static str {
        "coco"
    }

    fn recognises(&self, _file_name: &str, start: &[u8]) -> bool {
        is_like_coco(start)
    }

    fn read(
        &self,
        request: &AnnotationRequest,
        file: &mut dyn Read,
        visit: &mut dyn FnMut(Annotation) -> Result<()>,
    ) -> Result<LeftOutShapes> {
        read(BoxNumbers::Sides, request, file, visit)
    }
}

impl AnnotationFormat for MidogFormat {
    fn kind(&self) -> &'static str {
        "midog"
    }

    fn recognises(&self, file_name: &str, start: &[u8]) -> bool {
        let is_named = file_name.to_ascii_lowercase().contains("midog");
        is_like_coco(start) && (is_named || has(start, "MIDOG") || has(start, "mitotic figure"))
    }

    fn read(
        &self,
        request: &AnnotationRequest,
        file: &mut dyn Read,
        visit: &mut dyn FnMut(Annotation) -> Result<()>,
    ) -> Result<LeftOutShapes> {
        read(BoxNumbers::Corners, request, file, visit)
    }
}

fn is_like_coco(start: &[u8]) -> bool {
    let lists = ["\"images\"", "\"annotations\"", "\"categories\""];
    let fields = ["\"file_name\"", "\"image_id\"", "\"category_id\"", "\"supercategory\""];
    begins_with(start, b"{")
        && lists.iter().any(|word| has(start, word))
        && fields.iter().any(|word| has(start, word))
}

fn read(
    numbers: BoxNumbers,
    request: &AnnotationRequest,
    file: &mut dyn Read,
    visit: &mut dyn FnMut(Annotation) -> Result<()>,
) -> Result<LeftOutShapes> {
    let mut found = Found::new(request, visit);
    // Images and classes may stand behind what refers to them, so that all is read first.
    let file = match read_json(file, &mut found, |found| FileSeed { found }) {
        Ok(file) => file,
        Err(error) => return Err(fault(&mut found, "COCO's JSON", error)),
    };
    let CocoFile { images, categories, annotations } = file;
    if let Some(missing) = [
        ("images", images.is_none()),
        ("categories", categories.is_none()),
        ("annotations", annotations.is_none()),
    ]
    .into_iter()
    .find_map(|(name, is_missing)| is_missing.then_some(name))
    {
        return Err(
            found.fault("lists of images, categories and annotations", format!("no {missing}"))
        );
    }
    let (images, categories) = (images.unwrap_or_default(), categories.unwrap_or_default());
    for raw in annotations.unwrap_or_default() {
        let image = images.get(&raw.image_id).ok_or_else(|| {
            let text = format!("image {} of annotation {}", raw.image_id.0, raw.id.0);
            found.fault("annotations of images of the file", text)
        })?;
        let class = categories.get(&raw.category_id).ok_or_else(|| {
            let text = format!("category {} of annotation {}", raw.category_id.0, raw.id.0);
            found.fault("annotations of categories of the file", text)
        })?;
        let Some(shape) = shape(&raw, image, numbers, &mut found)? else { continue };
        found.visit(Annotation {
            shape,
            class: Some(class.clone()).filter(|class| !class.trim().is_empty()),
            id: raw.id.0,
            kind: ObjectKind::Detection,
            is_locked: false,
            image: Some(image.file_name.clone()),
        })?;
    }
    Ok(found.finish())
}

fn shape(
    raw: &RawAnnotation,
    image: &Image,
    numbers: BoxNumbers,
    found: &mut Found,
) -> Result<Option<Shape>> {
    match &raw.segmentation {
        Segmentation::RunLengths => {
            return Err(Error::unsupported(
                format!("the run-length mask (RLE) of annotation {}", raw.id.0),
                &["polygons", "boxes"],
                "write masks as polygons, for example with pycocotools and cv2.findContours",
            ));
        }
        Segmentation::Polygons(rings) => {
            let mut outlines = Vec::new();
            for numbers in rings {
                let (corners, rest) = numbers.as_chunks::<2>();
                if !rest.is_empty() {
                    let text = format!("{} numbers in annotation {}", numbers.len(), raw.id.0);
                    return Err(found.fault("polygons of x, y, x, y …", text));
                }
                let outer = found.ring(corners.to_vec())?;
                outlines.extend(outer.map(|outer| Outline { outer, holes: Vec::new() }));
            }
            return Ok(Some(Shape::Outlines(outlines)));
        }
        Segmentation::None => {}
    }
    let Some([a, b, c, d]) = raw.bbox else {
        found.leave_out("annotation without box and outline");
        return Ok(None);
    };
    let by_sides = Rectangle::new(a, b, c, d);
    let by_corners = Rectangle { left: a, top: b, right: c, bottom: d };
    let (own, other, other_name) = match numbers {
        BoxNumbers::Sides => (by_sides, by_corners, "midog"),
        BoxNumbers::Corners => (by_corners, by_sides, "coco"),
    };
    // A half pixel or so beyond the border is rounding.
    let fits = |r: Rectangle| {
        let [width, height] = image.size.unwrap_or([f64::INFINITY; 2]);
        r.width() > 0.0 && r.height() > 0.0 && r.right <= width + 2.0 && r.bottom <= height + 2.0
    };
    if !fits(own) {
        let size = image.size.map(|[width, height]| format!(" of {width} × {height} px"));
        let text = format!(
            "the box [{a}, {b}, {c}, {d}] of annotation {} on {}{}",
            raw.id.0,
            image.file_name,
            size.unwrap_or_default()
        );
        let expected = match numbers {
            BoxNumbers::Sides => "boxes [left, top, width, height] inside their image",
            BoxNumbers::Corners => "boxes [left, top, right, bottom] inside their image",
        };
        let mut error = found.fault(expected, text);
        if let (true, Error::Data { hint, .. }) = (fits(other), &mut error) {
            *hint = format!(
                "it would fit as a box of the format {other_name}: give --format {other_name}"
            );
        }
        return Err(error);
    }
    let [left, top] = found.point([own.left, own.top])?;
    let [right, bottom] = found.point([own.right, own.bottom])?;
    Ok(Some(Shape::Box(Rectangle { left, top, right, bottom })))
}

/// Names of things by their numbers.
type ById<T> = BTreeMap<super::json::Name, T>;
