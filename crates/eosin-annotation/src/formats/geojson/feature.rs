// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;

use eosin_core::{Annotation, ObjectKind};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::json::{Name, or_stop};
use super::geometry::{Geometry, GeometrySeed, NestedSeed, PartsSeed};
use crate::read::Found;

type Result<T, E = eosin_core::Error> = std::result::Result<T, E>;

/// Reads a feature, a geometry alone, or collections and lists of features, one after the other.
pub(super) struct FeatureSeed<'f, 'a> {
    pub(super) found: &'f mut Found<'a>,
}

/// A list of features.
struct ListSeed<'f, 'a>(&'f mut Found<'a>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Properties {
    classification: Option<Classification>,
    #[serde(rename = "objectType", alias = "object_type")]
    object_type: Option<String>,
    #[serde(rename = "isLocked")]
    is_locked: Option<bool>,
}

/// A class by its name, or by the names of which it is made.
#[derive(Debug, Default)]
struct Classification(Option<String>);

/// What a feature says besides its geometry.
#[derive(Debug, Default)]
struct About {
    id: Option<String>,
    properties: Properties,
}

impl<'de> DeserializeSeed<'de> for FeatureSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FeatureSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a feature, or a collection or list of features")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(FeatureSeed { found: &mut *self.found })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut left = self.found.limits().corners_of_one.saturating_mul(2);
        let (mut kind, mut about, mut geometry) = (String::new(), About::default(), None);
        let mut alone = Geometry::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" => kind = map.next_value()?,
                "features" => map.next_value_seed(ListSeed(self.found))?,
                "geometry" => geometry = map.next_value_seed(GeometrySeed(&mut left))?,
                "coordinates" => {
                    alone.coordinates = Some(map.next_value_seed(NestedSeed(&mut left))?);
                }
                "geometries" => alone.parts = map.next_value_seed(PartsSeed(&mut left))?,
                "properties" => {
                    about.properties = map.next_value::<Option<Properties>>()?.unwrap_or_default();
                }
                "id" => about.id = map.next_value::<Option<Name>>()?.map(|name| name.0),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let geometry = match kind.as_str() {
            "FeatureCollection" => return Ok(()),
            "Feature" => geometry,
            "" => return Err(de::Error::custom("an object without a type")),
            _ => Some(Geometry { kind, ..alone }),
        };
        let outcome = visit(geometry, &about, self.found);
        or_stop(self.found, outcome)
    }
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(FeatureSeed { found: self.0 })
    }
}

/// Hands the shapes of a feature on.
fn visit(geometry: Option<Geometry>, about: &About, found: &mut Found) -> Result<()> {
    let Some(geometry) = geometry else {
        found.leave_out("feature without geometry");
        return Ok(());
    };
    for shape in geometry.shapes(found)? {
        let properties = &about.properties;
        let legacy = about.id.as_deref().and_then(legacy_kind);
        let named = properties.object_type.as_deref().map(object_kind);
        // In files of QuPath 0.2 the id is the same for all.
        let id = about.id.clone().filter(|_| legacy.is_none());
        found.visit(Annotation {
            shape,
            class: properties.classification.as_ref().and_then(|class| class.0.clone()),
            id: id.unwrap_or_else(|| found.next_id()),
            kind: named.or(legacy).unwrap_or(ObjectKind::Annotation),
            is_locked: properties.is_locked.unwrap_or(false),
            image: None,
        })?;
    }
    Ok(())
}

fn object_kind(name: &str) -> ObjectKind {
    match name.to_ascii_lowercase().as_str() {
        "annotation" => ObjectKind::Annotation,
        "detection" => ObjectKind::Detection,
        "cell" => ObjectKind::Cell,
        "tile" => ObjectKind::Tile,
        "tmacore" | "tma_core" | "tma core" => ObjectKind::TmaCore,
        _ => ObjectKind::Other,
    }
}

fn legacy_kind(id: &str) -> Option<ObjectKind> {
    Some(match id {
        "PathAnnotationObject" => ObjectKind::Annotation,
        "PathDetectionObject" => ObjectKind::Detection,
        "PathCellObject" => ObjectKind::Cell,
        "PathTileObject" => ObjectKind::Tile,
        "TMACoreObject" => ObjectKind::TmaCore,
        "PathRootObject" => ObjectKind::Other,
        _ => return None,
    })
}

impl<'de> Deserialize<'de> for Classification {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ClassVisitor;

        impl<'de> Visitor<'de> for ClassVisitor {
            type Value = Option<String>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a class, by its name or as an object with `name`")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Some(name.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut class = None;
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "name" => class = map.next_value::<Option<String>>()?.or(class),
                        // QuPath shows and names such a class like this.
                        "names" => {
                            let joined = map.next_value::<Option<JoinedNames>>()?;
                            class = class.or(joined.map(|names| names.0));
                        }
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(class)
            }
        }

        let name = deserializer.deserialize_any(ClassVisitor)?;
        Ok(Self(name.filter(|name| !name.trim().is_empty())))
    }
}

/// A list of names, joined.
struct JoinedNames(String);

/// Bytes of all names; limits of what is kept are far below.
const MAX_JOINED: usize = 1 << 20;

impl<'de> Deserialize<'de> for JoinedNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;

        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = JoinedNames;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of names")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<JoinedNames, A::Error> {
                let mut joined = String::new();
                while let Some(name) = seq.next_element::<String>()? {
                    if !joined.is_empty() {
                        joined.push_str(": ");
                    }
                    joined.push_str(&name);
                    if joined.len() > MAX_JOINED {
                        return Err(de::Error::custom("a class of too many names"));
                    }
                }
                Ok(JoinedNames(joined))
            }
        }

        deserializer.deserialize_seq(NamesVisitor)
    }
}
