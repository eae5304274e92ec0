// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every parser of files and texts that users or strangers write, with sound inputs for it.
//!
//! Both the mutation driver and the targets of cargo-fuzz read through these functions.

mod annotations;
mod codecs;
mod fixtures;
mod slides;
mod store;
mod tables;
mod texts;
mod weight_names;
mod weights;

use eosin_testkit::mutants::MutantParser;

/// Makes a parser's description.
type Make = fn() -> MutantParser;

/// How each parser's description is made, by its name.
pub const PARSERS: &[(&str, Make)] = &[
    ("tiff", slides::tiff),
    ("svs", slides::svs),
    ("ndpi", slides::ndpi),
    ("philips", slides::philips),
    ("leica", slides::leica),
    ("ome", slides::ome),
    ("description", slides::description),
    ("dicom", slides::dicom),
    ("icc", codecs::icc),
    ("jpeg", codecs::jpeg),
    ("jpeg_tables", codecs::jpeg_tables),
    ("jpeg2000", codecs::jpeg2000),
    ("png", codecs::png),
    ("pickle", weights::pickle),
    ("pth", weights::pth),
    ("safetensors", weights::safetensors),
    ("shard_index", weights::shard_index),
    ("names", weight_names::names),
    ("onnx", weights::onnx),
    ("card", weights::card),
    ("npy", tables::npy),
    ("npz", tables::npz),
    ("tiles", tables::tiles),
    ("hdf5", tables::hdf5),
    ("csv_manifest", tables::csv_manifest),
    ("parquet_manifest", tables::parquet_manifest),
    ("shard", store::shard),
    ("log", store::log),
    ("contract", store::contract),
    ("cache", store::cache),
    ("head", texts::head),
    ("config", texts::config),
    ("geojson", texts::geojson),
    ("annotation_geojson", annotations::annotation_geojson),
    ("annotation_xml", annotations::annotation_xml),
    ("annotation_coco", annotations::annotation_coco),
    ("condition", texts::condition),
    ("sql", texts::sql),
];

/// Makes the parser of a name.
pub fn make(name: &str) -> MutantParser {
    let found = PARSERS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("a parser called {name}")).1()
}
