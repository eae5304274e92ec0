// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::Result;

/// What somebody, or a program, marked on a slide.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// Where, in pixels of level 0, y downwards.
    pub shape: Shape,
    /// Its class, where it has one.
    pub class: Option<String>,
    /// Its name in the file; its number where the file names nothing.
    pub id: String,
    /// What kind of object it is.
    pub kind: ObjectKind,
    /// Whether the program that wrote it keeps it from being changed.
    pub is_locked: bool,
    /// The image that it is on, where one file has annotations of several.
    pub image: Option<String>,
}

/// What kind of object an annotation is, in QuPath's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A region that was drawn.
    Annotation,
    /// An object that was found or counted, such as a mitosis.
    Detection,
    /// A cell with its outline.
    Cell,
    /// A tile.
    Tile,
    /// A core of a tissue microarray.
    TmaCore,
    /// Anything else.
    Other,
}

/// Where an annotation is.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Outlines, which count together.
    Outlines(Vec<Outline>),
    /// A rectangle along the axes.
    Box(Rectangle),
    /// Points, each an object of its own.
    Points(Vec<[f64; 2]>),
}

/// A ring of corners with rings cut out of it; the last corner joins the first and is not repeated.
///
/// A ring that crosses itself holds what an odd number of its turns is around (even-odd). A place
/// is inside where the outer ring holds it and no hole does.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// The ring around it, of at least three corners.
    pub outer: Vec<[f64; 2]>,
    /// Rings that are cut out, of at least three corners each.
    pub holes: Vec<Vec<[f64; 2]>>,
}

/// A rectangle along the axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    /// The smallest x.
    pub left: f64,
    /// The smallest y.
    pub top: f64,
    /// The largest x.
    pub right: f64,
    /// The largest y.
    pub bottom: f64,
}

/// How much of a file a reader takes before it refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnotationLimits {
    /// Bytes of the file once it is unpacked.
    pub bytes: u64,
    /// Annotations of the file.
    pub annotations: usize,
    /// Corners and points of all annotations.
    pub corners: usize,
    /// Corners and points of one annotation.
    pub corners_of_one: usize,
    /// Bytes of a name or class.
    pub text_bytes: usize,
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub struct AnnotationRequest<'a> {
    /// The file, for errors; what it holds is read from elsewhere.
    pub path: &'a Path,
    /// What a file may have.
    pub limits: &'a AnnotationLimits,
}

/// How many things of a file were left out, by what they are, such as `LineString`.
pub type LeftOutShapes = BTreeMap<String, u64>;

/// Reads annotations of a format.
///
/// The caller unpacks the file, counts what `visit` is given against
/// [`AnnotationLimits::annotations`] and [`AnnotationLimits::corners`], and asks from any thread.
/// The implementer reads the file once and from its beginning, holds no more of it than it must,
/// keeps the other limits, gives finite coordinates in pixels of level 0, stops with the error of
/// `visit` where there is one, refuses a file that ends early, never panics, and counts what it
/// leaves out.
///
/// ```
/// use std::io::Read;
/// use eosin_core::{
///     Annotation, AnnotationFormat, AnnotationRequest, Error, LeftOutShapes, ObjectKind, Result,
///     Shape,
/// };
/// /// A point: eight bytes of x, eight of y.
/// struct OnePoint;
/// impl AnnotationFormat for OnePoint {
///     fn kind(&self) -> &'static str { "one-point" }
///     fn recognises(&self, file_name: &str, _start: &[u8]) -> bool {
///         file_name.ends_with(".point")
///     }
///     fn read(
///         &self,
///         request: &AnnotationRequest,
///         file: &mut dyn Read,
///         visit: &mut dyn FnMut(Annotation) -> Result<()>,
///     ) -> Result<LeftOutShapes> {
///         let mut point = [0.0; 2];
///         for value in &mut point {
///             let mut bytes = [0; 8];
///             file.read_exact(&mut bytes).map_err(|e| Error::io("read", request.path, e))?;
///             *value = f64::from_le_bytes(bytes);
///         }
///         let (class, id, kind) = (None, "1".into(), ObjectKind::Detection);
///         let shape = Shape::Points(vec![point]);
///         visit(Annotation { shape, class, id, kind, is_locked: false, image: None })?;
///         Ok(LeftOutShapes::new())
///     }
/// }
/// ```
pub trait AnnotationFormat: Send + Sync {
    /// The format's name.
    fn kind(&self) -> &'static str;
    /// Whether a file of this name, which begins like this once it is unpacked, is of the format.
    fn recognises(&self, file_name: &str, start: &[u8]) -> bool;
    /// Reads every annotation, in the order of the file where that is possible.
    fn read(
        &self,
        request: &AnnotationRequest,
        file: &mut dyn Read,
        visit: &mut dyn FnMut(Annotation) -> Result<()>,
    ) -> Result<LeftOutShapes>;
}

impl ObjectKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Annotation => "annotation",
            Self::Detection => "detection",
            Self::Cell => "cell",
            Self::Tile => "tile",
            Self::TmaCore => "TMA core",
            Self::Other => "other",
        }
    }
}

impl Default for AnnotationLimits {
    /// Room for ten times what a large slide has: 4 GiB of text, 4 million annotations, 64 million
    /// corners (1 GiB in memory), 4 million of them in one.
    fn default() -> Self {
        Self {
            bytes: 4 << 30,
            annotations: 4_000_000,
            corners: 64_000_000,
            corners_of_one: 4_000_000,
            text_bytes: 1024,
        }
    }
}

impl Rectangle {
    /// From the corner of the smallest coordinates and the sides.
    pub fn new(left: f64, top: f64, width: f64, height: f64) -> Self {
        Self { left, top, right: left + width, bottom: top + height }
    }

    /// The smallest one around points; `None` without points.
    pub fn around(points: impl IntoIterator<Item = [f64; 2]>) -> Option<Self> {
        points.into_iter().map(|[x, y]| Self::new(x, y, 0.0, 0.0)).reduce(Self::union)
    }

    /// The smallest one around both.
    pub fn union(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// Width in pixels.
    pub fn width(self) -> f64 {
        self.right - self.left
    }

    /// Height in pixels.
    pub fn height(self) -> f64 {
        self.bottom - self.top
    }

    /// Area in square pixels.
    pub fn area(self) -> f64 {
        self.width() * self.height()
    }

    /// Its middle.
    pub fn centre(self) -> [f64; 2] {
        [f64::midpoint(self.left, self.right), f64::midpoint(self.top, self.bottom)]
    }

    /// Whether the two share a point, be it of their borders.
    pub fn meets(self, other: Self) -> bool {
        self.left <= other.right
            && other.left <= self.right
            && self.top <= other.bottom
            && other.top <= self.bottom
    }

    /// The corners in order.
    pub fn corners(self) -> [[f64; 2]; 4] {
        let Self { left, top, right, bottom } = self;
        [[left, top], [right, top], [right, bottom], [left, bottom]]
    }
}

impl Shape {
    /// The smallest rectangle around it; `None` where it has no point at all.
    pub fn bounds(&self) -> Option<Rectangle> {
        match self {
            Self::Outlines(outlines) => {
                Rectangle::around(outlines.iter().flat_map(|outline| outline.outer.iter().copied()))
            }
            Self::Box(rectangle) => Some(*rectangle),
            Self::Points(points) => Rectangle::around(points.iter().copied()),
        }
    }

    /// How many corners or points it has.
    pub fn n_corners(&self) -> usize {
        match self {
            Self::Outlines(outlines) => {
                let of_one =
                    |o: &Outline| o.outer.len() + o.holes.iter().map(Vec::len).sum::<usize>();
                outlines.iter().map(of_one).sum()
            }
            Self::Box(_) => 4,
            Self::Points(points) => points.len(),
        }
    }

    /// Whether it covers an area; points cover none.
    pub fn is_area(&self) -> bool {
        !matches!(self, Self::Points(_))
    }
}

#[cfg(test)]
mod tests {
    use super::{Outline, Rectangle, Shape};

    #[test]
    fn bounds_are_those_of_all_parts() {
        let part = |x: f64| Outline {
            outer: vec![[x, 0.0], [x + 2.0, 0.0], [x, 3.0]],
            holes: vec![vec![[x, 0.0], [x + 1.0, 0.0], [x, 1.0]]],
        };
        let shape = Shape::Outlines(vec![part(5.0), part(-1.0)]);
        assert_eq!(
            shape.bounds(),
            Some(Rectangle { left: -1.0, top: 0.0, right: 7.0, bottom: 3.0 })
        );
        assert_eq!(shape.n_corners(), 12);
        assert_eq!(Shape::Points(Vec::new()).bounds(), None);
    }
}
