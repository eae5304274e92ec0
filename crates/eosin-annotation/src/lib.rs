// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

use std::sync::Arc;

use eosin_core::{AnnotationFormat, Registry};

mod formats;
pub mod geometry;
mod labels;
mod objects;
mod open;
mod read;
mod rules;
mod set;

pub use formats::{AsapFormat, CocoFormat, GeoJsonFormat, ImageScopeFormat, MidogFormat};
pub use labels::{TileLabels, label_tiles};
pub use objects::AnnotatedObject;
pub use open::{ReadOptions, read_annotations, recognise};
pub use rules::{ClassMap, LabelBy, LabelRules};
pub use set::{AnnotationSet, GroupCount, UNCLASSIFIED};

/// Adds the formats. MIDOG goes before COCO, whose files look alike.
pub fn register(registry: &mut Registry) {
    let formats: [Arc<dyn AnnotationFormat>; 5] = [
        Arc::new(GeoJsonFormat),
        Arc::new(AsapFormat),
        Arc::new(ImageScopeFormat),
        Arc::new(MidogFormat),
        Arc::new(CocoFormat),
    ];
    for format in formats {
        registry.annotations.register(format.kind(), format);
    }
}
