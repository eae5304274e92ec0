// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::json::{Name, stop};
use super::ById;
use crate::read::Found;

type Result<T, E> = std::result::Result<T, E>;

/// The lists of a file, those that it has.
#[derive(Debug, Default)]
pub(super) struct CocoFile {
    pub(super) images: Option<ById<Image>>,
    pub(super) categories: Option<ById<String>>,
    pub(super) annotations: Option<Vec<RawAnnotation>>,
}

#[derive(Debug)]
pub(super) struct Image {
    pub(super) file_name: String,
    /// Width and height in pixels, where the file says both.
    pub(super) size: Option<[f64; 2]>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawAnnotation {
    pub(super) id: Name,
    pub(super) image_id: Name,
    pub(super) category_id: Name,
    #[serde(default)]
    pub(super) bbox: Option<[f64; 4]>,
    #[serde(default)]
    pub(super) segmentation: Segmentation,
}

#[derive(Debug, Default)]
pub(super) enum Segmentation {
    #[default]
    None,
    Polygons(Vec<Vec<f64>>),
    RunLengths,
}

#[derive(Deserialize)]
struct RawImage {
    id: Name,
    file_name: String,
    #[serde(default)]
    width: Option<f64>,
    #[serde(default)]
    height: Option<f64>,
}

#[derive(Deserialize)]
struct RawCategory {
    id: Name,
    name: String,
}

/// Reads a whole file.
pub(super) struct FileSeed<'f, 'a> {
    pub(super) found: &'f mut Found<'a>,
}

/// Reads a list of at most so many, each of which is kept.
struct ListSeed<'f, 'a, T> {
    what: &'static str,
    most: usize,
    found: &'f mut Found<'a>,
    keep: &'f mut dyn FnMut(T),
}

/// Images and classes of a file.
const MAX_NAMES: usize = 1_000_000;

/// Numbers of the outlines of an annotation are bounded by this many for each corner.
const NUMBERS_OF_A_CORNER: usize = 2;

impl<'de> DeserializeSeed<'de> for FileSeed<'_, '_> {
    type Value = CocoFile;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<CocoFile, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FileSeed<'_, '_> {
    type Value = CocoFile;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object with images, categories and annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CocoFile, A::Error> {
        let mut file = CocoFile::default();
        let found = self.found;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "images" => {
                    let images = file.images.get_or_insert_default();
                    let keep = &mut |image: RawImage| {
                        let size = image.width.zip(image.height).map(|(w, h)| [w, h]);
                        images.insert(image.id, Image { file_name: image.file_name, size });
                    };
                    map.next_value_seed(ListSeed { what: "images", most: MAX_NAMES, found, keep })?;
                }
                "categories" => {
                    let categories = file.categories.get_or_insert_default();
                    let keep = &mut |category: RawCategory| {
                        categories.insert(category.id, category.name);
                    };
                    let what = "categories";
                    map.next_value_seed(ListSeed { what, most: MAX_NAMES, found, keep })?;
                }
                "annotations" => {
                    let annotations = file.annotations.get_or_insert_default();
                    let keep = &mut |annotation| annotations.push(annotation);
                    let most = found.limits().annotations;
                    map.next_value_seed(ListSeed { what: "annotations", most, found, keep })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(file)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for ListSeed<'_, '_, T> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListSeed<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "a list of {}", self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut n = 0;
        while let Some(item) = seq.next_element()? {
            n += 1;
            if n > self.most {
                let expected = format!("at most {} {}", self.most, self.what);
                let error = self.found.fault(expected, "more");
                return Err(stop(self.found, error));
            }
            (self.keep)(item);
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Segmentation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SegmentationVisitor;

        impl<'de> Visitor<'de> for SegmentationVisitor {
            type Value = Segmentation;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of polygons")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Segmentation, E> {
                Ok(Segmentation::None)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Segmentation, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Segmentation::RunLengths)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Segmentation, A::Error> {
                let most = eosin_core::AnnotationLimits::default().corners_of_one;
                let (mut polygons, mut left) = (Vec::new(), most * NUMBERS_OF_A_CORNER);
                while let Some(Numbers(numbers)) = seq.next_element_seed(NumbersSeed(&mut left))? {
                    polygons.push(numbers);
                }
                // Some write an empty list where there is only a box.
                Ok(if polygons.is_empty() {
                    Segmentation::None
                } else {
                    Segmentation::Polygons(polygons)
                })
            }
        }

        deserializer.deserialize_any(SegmentationVisitor)
    }
}

struct Numbers(Vec<f64>);

/// Reads a list of at most so many numbers, the list itself counted.
struct NumbersSeed<'b>(&'b mut usize);

impl<'de> DeserializeSeed<'de> for NumbersSeed<'_> {
    type Value = Numbers;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Numbers, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for NumbersSeed<'_> {
    type Value = Numbers;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a polygon as a list of numbers x, y, x, y")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Numbers, A::Error> {
        let mut numbers = Vec::new();
        let mut take = || match self.0.checked_sub(1) {
            Some(fewer) => {
                *self.0 = fewer;
                Ok(())
            }
            None => Err(de::Error::custom("an annotation of too many corners")),
        };
        take()?;
        while let Some(number) = seq.next_element::<f64>()? {
            take()?;
            numbers.push(number);
        }
        Ok(Numbers(numbers))
    }
}
