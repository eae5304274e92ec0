// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{ObjectKind, Result, Shape};

use crate::geometry;
use crate::set::AnnotationSet;

/// The place of an annotated object, such as a mitosis.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotatedObject {
    /// Its centre in pixels of level 0: of a box the middle, of outlines the centre of their area.
    pub centre: [f64; 2],
    /// Its class, where it has one.
    pub class: Option<String>,
    /// The annotation's id; of several points of one annotation `id:1`, `id:2` and so on.
    pub id: String,
    /// What kind of object it is.
    pub kind: ObjectKind,
}

impl AnnotationSet {
    /// The centre of every annotated object, in the order of the file; each point is one.
    pub fn objects(&self) -> Result<Vec<AnnotatedObject>> {
        let mut objects = Vec::new();
        for annotation in self.annotations() {
            let object = |centre, id| AnnotatedObject {
                centre,
                class: annotation.class.clone(),
                id,
                kind: annotation.kind,
            };
            match &annotation.shape {
                Shape::Points(points) if points.len() > 1 => {
                    let named = |(i, point): (usize, &[f64; 2])| {
                        object(*point, format!("{}:{}", annotation.id, i + 1))
                    };
                    objects.extend(points.iter().enumerate().map(named));
                }
                shape => {
                    let intricate = |error| self.intricate(annotation, error);
                    let centre = geometry::centre(shape).map_err(intricate)?;
                    objects.extend(centre.map(|centre| object(centre, annotation.id.clone())));
                }
            }
        }
        Ok(objects)
    }
}
