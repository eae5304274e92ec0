// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::Read;
use std::path::Path;

use eosin_core::{Error, Result};

use super::pyramid::Parts;
use super::{dicom, ndpi, tiff_pyramid};
use crate::tiff::{Tiff, is_tiff};

/// Reads a slide's headers with the reader that its content asks for.
pub(crate) fn parts(path: &Path) -> Result<Parts> {
    let head = head(path)?;
    if is_tiff(&head) {
        let tiff = Tiff::open(path)?;
        return if ndpi::is_ndpi(&tiff) { ndpi::parts(tiff) } else { tiff_pyramid::parts(tiff) };
    }
    if dicom::is_dicom(&head) {
        return dicom::parts(path);
    }
    Err(Error::data(
        path,
        "a slide (TIFF, SVS, NDPI, SCN or DICOM)",
        if head.is_empty() { "an empty file" } else { "a file of another kind" },
        "convert it with `vips tiffsave --tile --pyramid`",
    ))
}

/// Whether a file begins like a slide; files that cannot be read do not.
pub(crate) fn is_slide(path: &Path) -> bool {
    head(path).is_ok_and(|head| is_tiff(&head) || dicom::is_dicom(&head))
}

fn head(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|e| Error::io("open", path, e))?;
    let mut head = Vec::new();
    file.take(256).read_to_end(&mut head).map_err(|e| Error::io("read", path, e))?;
    Ok(head)
}
