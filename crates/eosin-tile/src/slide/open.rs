// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use eosin_core::{Error, Result, SlideReader};

#[cfg(feature = "dicom")]
use super::dicom;
use super::pyramid::Parts;
use super::{ndpi, plugin, tiff_pyramid};
use crate::tiff::{Tiff, is_tiff};
use crate::{left_out, regular_file};

/// A slide with what opened it.
pub(crate) struct Opened {
    pub(crate) parts: Parts,
    pub(crate) reader: &'static str,
    /// The plugin's version.
    pub(crate) version: Option<String>,
}

/// What the built-in reader calls itself in a contract.
const BUILT_IN: &str = "slide";

/// Opens a slide with the reader that was asked for.
pub(crate) fn open(path: &Path, reader: &str, readers: &[Arc<dyn SlideReader>]) -> Result<Opened> {
    // Before a plugin opens it.
    regular_file::open_named("open", path)?;
    let built_in = || Ok(Opened { parts: built_in(path)?, reader: BUILT_IN, version: None });
    match reader {
        "built-in" => built_in(),
        "auto" => built_in().or_else(|error| by_any_plugin(path, error, readers)),
        kind => {
            let Some(plugin) = readers.iter().find(|reader| reader.kind() == kind) else {
                let mut known = vec!["auto", "built-in"];
                known.extend(readers.iter().map(|reader| reader.kind()));
                return Err(Error::unsupported(
                    format!("slide reader `{kind}`"),
                    &known,
                    "build eosin with the plugin's cargo feature, for example `openslide`",
                ));
            };
            by_plugin(path, plugin.as_ref())?.ok_or_else(|| {
                let expected = format!("a slide that {kind} reads");
                Error::data(path, expected, "another file", "leave the reader at `auto`")
            })
        }
    }
}

fn by_plugin(path: &Path, reader: &dyn SlideReader) -> Result<Option<Opened>> {
    let Some(slide) = reader.open(path)? else { return Ok(None) };
    let version = Some(slide.version().to_string());
    Ok(Some(Opened { parts: plugin::parts(path, slide)?, reader: reader.kind(), version }))
}

/// The first plugin that reads the file; else the built-in reader's error, with what would help.
fn by_any_plugin(path: &Path, error: Error, readers: &[Arc<dyn SlideReader>]) -> Result<Opened> {
    let mut error = error;
    for reader in readers {
        match by_plugin(path, reader.as_ref()) {
            Ok(Some(opened)) => return Ok(opened),
            Ok(None) => {}
            Err(plugin) => {
                let more = format!("{}: {}", reader.kind(), plugin.hint());
                if let Error::Data { hint, .. } | Error::Unsupported { hint, .. } = &mut error {
                    *hint = format!("{hint}; {more}");
                }
            }
        }
    }
    Err(error)
}

/// Reads a slide's headers with the format that its content asks for.
fn built_in(path: &Path) -> Result<Parts> {
    let head = head(path)?;
    if is_tiff(&head) {
        let tiff = Tiff::open(path)?;
        return if ndpi::is_ndpi(&tiff) { ndpi::parts(tiff) } else { tiff_pyramid::parts(tiff) };
    }
    if is_dicom(&head) {
        left_out::require(cfg!(feature = "dicom"), path, "a DICOM file", "dicom")?;
        #[cfg(feature = "dicom")]
        return dicom::parts(path);
    }
    Err(Error::data(
        path,
        "a slide (TIFF, SVS, NDPI, SCN or DICOM)",
        if head.is_empty() { "an empty file" } else { "a file of another kind" },
        "other formats are read by the plugin openslide (cargo feature `openslide`), or convert it \
         with `vips tiffsave --tile --pyramid`",
    ))
}

/// Whether a file begins like a slide; files that cannot be read do not.
pub(crate) fn is_slide(path: &Path) -> bool {
    head(path).is_ok_and(|head| is_tiff(&head) || is_dicom(&head))
}

/// Whether these first bytes are a DICOM file's.
pub(super) fn is_dicom(head: &[u8]) -> bool {
    head.get(128..132) == Some(b"DICM")
}

fn head(path: &Path) -> Result<Vec<u8>> {
    let (file, _) = regular_file::open_named("open", path)?;
    let mut head = Vec::new();
    file.take(256).read_to_end(&mut head).map_err(|e| Error::io("read", path, e))?;
    Ok(head)
}
