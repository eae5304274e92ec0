// SPDX-License-Identifier: MIT OR Apache-2.0

//! What readers of all formats do alike: budgets, sound rings, errors that name the file.

mod token_guard;

pub(crate) use token_guard::{Syntax, TokenGuard};

use std::io;

use eosin_core::{
    Annotation, AnnotationLimits, AnnotationRequest, Error, LeftOutShapes, Outline, Result, Shape,
};

/// Where a reader puts what it finds.
pub(crate) struct Found<'a> {
    request: &'a AnnotationRequest<'a>,
    visit: &'a mut dyn FnMut(Annotation) -> Result<()>,
    left_out: LeftOutShapes,
    n_visited: u64,
    /// The error with which reading stopped, while a parser with errors of its own is left.
    pub(crate) stopped: Option<Error>,
}

/// No slide has as many pixels along a side; also keeps areas finite.
const MAX_COORDINATE: f64 = 1e9;

/// Corners of an ellipse are so many that its outline is at most so far off, in pixels.
const ELLIPSE_ERROR_PX: f64 = 0.05;

impl<'a> Found<'a> {
    pub(crate) fn new(
        request: &'a AnnotationRequest<'a>,
        visit: &'a mut dyn FnMut(Annotation) -> Result<()>,
    ) -> Self {
        Self { request, visit, left_out: LeftOutShapes::new(), n_visited: 0, stopped: None }
    }

    pub(crate) fn limits(&self) -> &'a AnnotationLimits {
        self.request.limits
    }

    /// The file is not what it should be.
    pub(crate) fn fault(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        let hint = "export the annotations again, or name the format they are in";
        Error::data(self.request.path, expected, found, hint)
    }

    /// Reading the file failed, or its reader refused it.
    pub(crate) fn io_fault(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                self.fault("a whole file of annotations", error.to_string())
            }
            io::ErrorKind::UnexpectedEof => self.ends_early("inside packed data"),
            _ => Error::io("read", self.request.path, error),
        }
    }

    /// The file ends before what it began.
    pub(crate) fn ends_early(&self, place: &str) -> Error {
        let hint = "the file was cut off; copy or export it again";
        Error::data(self.request.path, "a whole file", format!("its end {place}"), hint)
    }

    /// Counts something that is no annotation of tiles or objects.
    pub(crate) fn leave_out(&mut self, what: &str) {
        *self.left_out.entry(what.to_string()).or_default() += 1;
    }

    /// The number of the next annotation, as a name where the file has none.
    pub(crate) fn next_id(&self) -> String {
        (self.n_visited + 1).to_string()
    }

    /// Hands an annotation on; one without any corner is counted and left out.
    pub(crate) fn visit(&mut self, annotation: Annotation) -> Result<()> {
        let limits = self.request.limits;
        if annotation.shape.n_corners() == 0 {
            self.leave_out("outline of fewer than three corners");
            return Ok(());
        }
        if annotation.shape.n_corners() > limits.corners_of_one {
            return Err(self.too_many_corners());
        }
        let texts = [Some(&annotation.id), annotation.class.as_ref(), annotation.image.as_ref()];
        if let Some(text) = texts.into_iter().flatten().find(|t| t.len() > limits.text_bytes) {
            let found = format!("one of {} bytes", text.len());
            let expected = format!("names and classes of at most {} bytes", limits.text_bytes);
            return Err(self.fault(expected, found));
        }
        self.n_visited += 1;
        (self.visit)(annotation)
    }

    pub(crate) fn too_many_corners(&self) -> Error {
        let expected = format!("at most {} corners in an annotation", self.limits().corners_of_one);
        self.fault(expected, "more")
    }

    /// A point whose coordinates are on some slide.
    pub(crate) fn point(&self, point: [f64; 2]) -> Result<[f64; 2]> {
        if point.iter().all(|value| value.abs() <= MAX_COORDINATE) {
            return Ok(point);
        }
        let found = format!("the point {}, {}", point[0], point[1]);
        Err(self.fault("coordinates in pixels of level 0", found))
    }

    /// A ring without the corner that repeats the first; `None` where fewer than three are left.
    pub(crate) fn ring(&self, mut corners: Vec<[f64; 2]>) -> Result<Option<Vec<[f64; 2]>>> {
        for corner in &corners {
            self.point(*corner)?;
        }
        while corners.len() > 1 && corners.first() == corners.last() {
            corners.pop();
        }
        corners.shrink_to_fit();
        Ok((corners.len() >= 3).then_some(corners))
    }

    /// A shape of one outline without holes, of no outline where the ring is none.
    pub(crate) fn outline(&self, corners: Vec<[f64; 2]>) -> Result<Shape> {
        let outer = self.ring(corners)?;
        let outline = |outer| Outline { outer, holes: Vec::new() };
        Ok(Shape::Outlines(outer.map(outline).into_iter().collect()))
    }

    /// What was left out, once all is read.
    pub(crate) fn finish(self) -> LeftOutShapes {
        self.left_out
    }
}

/// An ellipse along the axes, as a ring.
pub(crate) fn ellipse(a: [f64; 2], b: [f64; 2]) -> Vec<[f64; 2]> {
    let middle = [f64::midpoint(a[0], b[0]), f64::midpoint(a[1], b[1])];
    let half = [(a[0] - b[0]).abs() / 2.0, (a[1] - b[1]).abs() / 2.0];
    let radius = half[0].max(half[1]).max(1.0);
    // A chord over the angle 2φ is r (1 - cos φ) inside its arc.
    let n = (std::f64::consts::PI / (1.0 - ELLIPSE_ERROR_PX / radius).acos()).ceil();
    let n = (n as usize).clamp(16, 4096);
    (0..n)
        .map(|i| {
            let angle = std::f64::consts::TAU * i as f64 / n as f64;
            [middle[0] + half[0] * angle.cos(), middle[1] + half[1] * angle.sin()]
        })
        .collect()
}
