// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;

use eosin_core::{Outline, Shape};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::read::Found;

type Result<T, E = eosin_core::Error> = std::result::Result<T, E>;

/// A geometry as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct Geometry {
    pub(super) kind: String,
    pub(super) coordinates: Option<Nested>,
    pub(super) parts: Vec<Geometry>,
}

/// Coordinates before it is known what they are of: their kind may stand behind them.
#[derive(Debug)]
pub(super) enum Nested {
    Number(f64),
    Position([f64; 2]),
    List(Vec<Nested>),
}

/// Reads a geometry of at most so many corners, lists counted as corners.
pub(super) struct GeometrySeed<'b>(pub(super) &'b mut usize);

/// Reads coordinates of at most so many corners.
pub(super) struct NestedSeed<'b>(pub(super) &'b mut usize);

impl Geometry {
    /// The shapes of it; a collection may have several kinds. What is none is counted.
    pub(super) fn shapes(self, found: &mut Found) -> Result<Vec<Shape>> {
        let coordinates = self.coordinates.unwrap_or(Nested::List(Vec::new()));
        let shape = match self.kind.as_str() {
            "Polygon" => Shape::Outlines(outline(coordinates, found)?.into_iter().collect()),
            "MultiPolygon" => {
                let mut outlines = Vec::new();
                for part in coordinates.list(found)? {
                    outlines.extend(outline(part, found)?);
                }
                Shape::Outlines(outlines)
            }
            "Point" => Shape::Points(vec![coordinates.position(found)?]),
            "MultiPoint" => Shape::Points(positions(coordinates, found)?),
            "GeometryCollection" => {
                let mut shapes = Vec::new();
                for part in self.parts {
                    shapes.extend(part.shapes(found)?);
                }
                return Ok(shapes);
            }
            "LineString" | "MultiLineString" => {
                found.leave_out(&self.kind);
                return Ok(Vec::new());
            }
            other => {
                let expected = "a geometry of type Polygon, MultiPolygon, Point or MultiPoint";
                let found_type = format!("type {:?}", other.chars().take(40).collect::<String>());
                return Err(found.fault(expected, found_type));
            }
        };
        Ok(vec![shape])
    }
}

impl Nested {
    fn list(self, found: &Found) -> Result<Vec<Nested>> {
        match self {
            Self::List(list) => Ok(list),
            _ => Err(found.fault("a list of corners [x, y]", "less deep a list")),
        }
    }

    fn position(self, found: &Found) -> Result<[f64; 2]> {
        match self {
            Self::Position(position) => found.point(position),
            _ => Err(found.fault("a corner [x, y]", "something else in its place")),
        }
    }
}

fn positions(list: Nested, found: &Found) -> Result<Vec<[f64; 2]>> {
    list.list(found)?.into_iter().map(|corner| corner.position(found)).collect()
}

/// A polygon's outline; `None` where its outer ring has fewer than three corners. Such holes cut out
/// nothing.
fn outline(rings: Nested, found: &mut Found) -> Result<Option<Outline>> {
    let mut rings = rings.list(found)?.into_iter();
    let outer = match rings.next() {
        Some(ring) => found.ring(positions(ring, found)?)?,
        None => None,
    };
    let mut holes = Vec::new();
    for ring in rings {
        holes.extend(found.ring(positions(ring, found)?)?);
    }
    Ok(outer.map(|outer| Outline { outer, holes }))
}

impl<'de> DeserializeSeed<'de> for GeometrySeed<'_> {
    type Value = Option<Geometry>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for GeometrySeed<'_> {
    type Value = Option<Geometry>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a geometry")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut geometry = Geometry::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" => geometry.kind = map.next_value()?,
                "coordinates" => {
                    geometry.coordinates = Some(map.next_value_seed(NestedSeed(self.0))?);
                }
                "geometries" => geometry.parts = map.next_value_seed(PartsSeed(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(geometry))
    }
}

/// Reads the parts of a collection.
pub(super) struct PartsSeed<'b>(pub(super) &'b mut usize);

impl<'de> DeserializeSeed<'de> for PartsSeed<'_> {
    type Value = Vec<Geometry>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PartsSeed<'_> {
    type Value = Vec<Geometry>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of geometries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = seq.next_element_seed(GeometrySeed(self.0))? {
            count(self.0)?;
            parts.extend(part);
        }
        Ok(parts)
    }
}

impl<'de> DeserializeSeed<'de> for NestedSeed<'_> {
    type Value = Nested;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Nested, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NestedSeed<'_> {
    type Value = Nested;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a corner [x, y] or a list of corners")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Nested, E> {
        Ok(Nested::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Nested, E> {
        Ok(Nested::Number(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Nested, E> {
        Ok(Nested::Number(number as f64))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Nested, A::Error> {
        count(self.0)?;
        let Some(first) = seq.next_element_seed(NestedSeed(self.0))? else {
            return Ok(Nested::List(Vec::new()));
        };
        if let Nested::Number(x) = first {
            let Some(Nested::Number(y)) = seq.next_element_seed(NestedSeed(self.0))? else {
                return Err(de::Error::custom("a corner of less than two numbers"));
            };
            // A height may follow.
            while let Some(more) = seq.next_element_seed(NestedSeed(self.0))? {
                if !matches!(more, Nested::Number(_)) {
                    return Err(de::Error::custom("a corner that is not of numbers"));
                }
            }
            return Ok(Nested::Position([x, y]));
        }
        let mut list = vec![first];
        while let Some(next) = seq.next_element_seed(NestedSeed(self.0))? {
            if matches!(next, Nested::Number(_)) {
                return Err(de::Error::custom("a number among corners"));
            }
            list.push(next);
        }
        Ok(Nested::List(list))
    }
}

/// Takes one of what is left.
fn count<E: de::Error>(left: &mut usize) -> Result<(), E> {
    match left.checked_sub(1) {
        Some(fewer) => {
            *left = fewer;
            Ok(())
        }
        None => Err(E::custom("an annotation of too many corners")),
    }
}
