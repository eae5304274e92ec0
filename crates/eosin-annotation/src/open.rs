// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use eosin_core::{
    AnnotationFormat, AnnotationLimits, AnnotationRequest, Error, Kinds, Result, irregularity,
};
use flate2::read::MultiGzDecoder;

use crate::set::AnnotationSet;

/// How a file is read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Name of the format; without it the file's content tells.
    pub format: Option<String>,
    /// How much of a file is taken.
    pub limits: AnnotationLimits,
}

/// Formats are told by so much of the beginning.
const START_BYTES: usize = 1 << 16;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The registered format of a file, told by what it begins with; `None` where no format knows it.
/// Files packed by gzip are looked into.
pub fn recognise(
    path: &Path,
    formats: &Kinds<Arc<dyn AnnotationFormat>>,
) -> Result<Option<Arc<dyn AnnotationFormat>>> {
    let name = unpacked_name(path);
    let start = start(path)?;
    Ok(formats.values().find(|format| format.recognises(&name, &start)).cloned())
}

/// Reads all annotations of a file, packed by gzip or not.
///
/// The file is read once, part by part; only the annotations are kept.
pub fn read_annotations(
    path: impl AsRef<Path>,
    formats: &Kinds<Arc<dyn AnnotationFormat>>,
    options: &ReadOptions,
) -> Result<AnnotationSet> {
    let path = path.as_ref();
    let format = match &options.format {
        Some(kind) => Arc::clone(formats.get(kind)?),
        None => recognise(path, formats)?.ok_or_else(|| unknown(path, formats))?,
    };
    let request = AnnotationRequest { path, limits: &options.limits };
    let mut set = AnnotationSet::new(path, format.kind());
    let mut n_corners = 0;
    let left_out = format.read(&request, &mut *unpacked(path)?, &mut |annotation| {
        n_corners += annotation.shape.n_corners();
        let limits = &options.limits;
        for (found, most, what) in [
            (set.annotations().len() + 1, limits.annotations, "annotations"),
            (n_corners, limits.corners, "corners in all annotations"),
        ] {
            if found > most {
                let hint = "split the file, or leave out what is no label, such as single cells";
                return Err(Error::data(path, format!("at most {most} {what}"), "more", hint));
            }
        }
        set.push(annotation);
        Ok(())
    })?;
    set.close(left_out);
    Ok(set)
}

fn unknown(path: &Path, formats: &Kinds<Arc<dyn AnnotationFormat>>) -> Error {
    Error::data(
        path,
        format!("annotations as one of {}", formats.names().join(", ")),
        "something else",
        "export it as GeoJSON, in pixels of level 0; --format names the format of a file that is \
         not recognised",
    )
}

/// The name without the ending of packed files.
fn unpacked_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".gz").unwrap_or(&name).to_string()
}

/// What the file begins with once it is unpacked; less where it is damaged.
fn start(path: &Path) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let mut reader = unpacked(path)?.take(START_BYTES as u64);
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = reader.read(&mut buffer) {
        start.extend(&buffer[..n]);
    }
    Ok(start)
}

/// The file's content, unpacked, without a byte order mark.
fn unpacked(path: &Path) -> Result<Box<dyn Read>> {
    let refused = |error| Error::io("read", path, error);
    let mut reader = BufReader::with_capacity(1 << 16, open(path)?);
    let is_packed = peek(&mut reader).map_err(refused)?.starts_with(&GZIP);
    if !is_packed {
        skip_mark(&mut reader).map_err(refused)?;
        return Ok(Box::new(reader));
    }
    let mut reader = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(reader));
    // What is wrong with packed data is said when they are read.
    let _ = skip_mark(&mut reader);
    Ok(Box::new(reader))
}

fn peek<R: Read>(reader: &mut BufReader<R>) -> io::Result<&[u8]> {
    io::BufRead::fill_buf(reader)
}

fn skip_mark<R: Read>(reader: &mut BufReader<R>) -> io::Result<()> {
    if peek(reader)?.starts_with(BYTE_ORDER_MARK) {
        io::BufRead::consume(reader, BYTE_ORDER_MARK.len());
    }
    Ok(())
}

/// Opens a regular file: a pipe would wait for its writer, and a device never ends.
fn open(path: &Path) -> Result<File> {
    let regular = |metadata: &std::fs::Metadata| match irregularity(metadata) {
        None => Ok(()),
        Some(found) => {
            let hint = "copy its content into a file, and name that";
            Err(Error::data(path, "a regular file", found, hint))
        }
    };
    let refused = |error| Error::io("read", path, error);
    regular(&std::fs::metadata(path).map_err(refused)?)?;
    let file = File::open(path).map_err(refused)?;
    regular(&file.metadata().map_err(refused)?)?;
    Ok(file)
}
