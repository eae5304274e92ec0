// SPDX-License-Identifier: MIT OR Apache-2.0

//! One image file (PNG, JPEG or TIFF, told by content) as RGB pixels.

use std::io::{Cursor, Read};
use std::path::Path;

use eosin_core::{Error, Result, RgbImage};
use image::{ImageDecoder, Limits};

use crate::codec::{Fault, MAX_PIXELS, checked_pixels, jpeg};
use crate::regular_file;
use crate::tiff::{FileBytes, Tiff, TiffImage, is_tiff};

/// A tile file with more bytes than this is taken for a slide.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Bytes of a PNG's pixels as they are stored: 16-bit RGB of as many as are allowed.
const MAX_PNG_BYTES: u64 = MAX_PIXELS * 6;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = b"\xFF\xD8\xFF";

/// Whether these first bytes are of a kind that [`read_image`] decodes.
pub(crate) fn is_image(head: &[u8]) -> bool {
    head.starts_with(PNG) || head.starts_with(JPEG) || is_tiff(head)
}

/// Reads a whole image file as RGB: grey is spread, 16 bits become 8, alpha is dropped.
pub fn read_image(path: impl AsRef<Path>) -> Result<RgbImage> {
    let path = path.as_ref();
    let (file, metadata) = regular_file::open(path).map_err(|e| Error::io("read", path, e))?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(Error::data(
            path,
            format!("a tile image of at most {} MiB", MAX_FILE_BYTES >> 20),
            format!("{} MiB", metadata.len() >> 20),
            "open it as a slide instead of as a tile",
        ));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // A file that grows while it is read stays within the limit.
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(|e| Error::io("read", path, e))?;
    decode_image(path, bytes)
}

/// Decodes an image file's bytes; `name` is for messages.
pub(crate) fn decode_image(name: &Path, bytes: Vec<u8>) -> Result<RgbImage> {
    let damaged = |found: Fault| {
        Error::data(
            name,
            "a whole PNG, JPEG or TIFF image",
            found,
            "write the tile again, or take it out of the manifest",
        )
    };
    if bytes.starts_with(PNG) {
        decode_png(&bytes).map_err(damaged)
    } else if bytes.starts_with(JPEG) {
        jpeg::decode(&[], &bytes, jpeg::Colour::Stream).map_err(damaged)
    } else if is_tiff(&bytes) {
        decode_tiff(&Tiff::parse(name, FileBytes::Held(bytes))?)
    } else if bytes.is_empty() {
        Err(damaged("an empty file".into()))
    } else {
        let head: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
        Err(damaged(format!("a file that begins with the bytes {}", head.join(" "))))
    }
}

/// Width and height from the first bytes of a file, if they are there.
pub(crate) fn probe_size(head: &[u8]) -> Option<(u32, u32)> {
    if head.starts_with(PNG) {
        let side =
            |at: usize| head.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        Some((side(16)?, side(20)?))
    } else if head.starts_with(JPEG) {
        jpeg::size(head)
    } else {
        None
    }
}

fn decode_png(bytes: &[u8]) -> Result<RgbImage, Fault> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * 8);
    let decoder = image::codecs::png::PngDecoder::with_limits(Cursor::new(bytes), limits)
        .map_err(|e| e.to_string())?;
    let (width, height) = decoder.dimensions();
    checked_pixels(u64::from(width), u64::from(height))?;
    if decoder.total_bytes() > MAX_PNG_BYTES {
        return Err(format!("{width} × {height} px of {:?}", decoder.color_type()));
    }
    let image = image::DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
    RgbImage::new(width, height, image.into_rgb8().into_raw()).map_err(|e| e.to_string())
}

/// The first image of a TIFF, from its tiles or strips.
fn decode_tiff(tiff: &Tiff) -> Result<RgbImage> {
    let Some(directory) = tiff.directories().first() else {
        return Err(tiff.fault("an image", "none"));
    };
    whole_tiff_image(tiff, &TiffImage::read(tiff, directory)?)
}

/// All pieces of a small image put together, turned as its orientation says.
pub(crate) fn whole_tiff_image(tiff: &Tiff, image: &TiffImage) -> Result<RgbImage> {
    let (width, height) = (image.width, image.height);
    checked_pixels(u64::from(width), u64::from(height)).map_err(|found| {
        Error::data(tiff.name(), "a small image", found, "open it as a slide instead of as a tile")
    })?;
    // A single piece is the image already; a second copy would be twice the memory.
    if (image.piece_width, image.piece_height) == (width, height) {
        let whole = image.decode(tiff, 0, 0)?;
        let whole = whole.unwrap_or_else(|| RgbImage::filled(width, height, [255; 3]));
        return turned(whole, image.orientation());
    }
    let mut whole = RgbImage::filled(width, height, [255; 3]);
    for row in 0..image.rows() {
        for column in 0..image.columns() {
            if let Some(piece) = image.decode(tiff, column, row)? {
                let at = (
                    i64::from(column) * i64::from(image.piece_width),
                    i64::from(row) * i64::from(image.piece_height),
                );
                paste(&mut whole, &piece, at);
            }
        }
    }
    turned(whole, image.orientation())
}

/// The image as it is to be seen, whose stored first row and column lie where TIFF's orientation
/// says: 1 top left, 2 top right, 3 bottom right, 4 bottom left, and 5 to 8 with rows for columns.
fn turned(image: RgbImage, orientation: u8) -> Result<RgbImage> {
    if orientation == 1 {
        return Ok(image);
    }
    let (width, height) = (image.width(), image.height());
    let swapped = orientation > 4;
    let (out_width, out_height) = if swapped { (height, width) } else { (width, height) };
    let mut data = Vec::with_capacity(image.data().len());
    for y in 0..out_height {
        for x in 0..out_width {
            let (along, down) = if swapped { (y, x) } else { (x, y) };
            let right = matches!(orientation, 2 | 3 | 7 | 8);
            let bottom = matches!(orientation, 3 | 4 | 6 | 7);
            let from_x = if right { width - 1 - along } else { along };
            let from_y = if bottom { height - 1 - down } else { down };
            data.extend_from_slice(&image.pixel(from_x, from_y));
        }
    }
    RgbImage::new(out_width, out_height, data)
}

/// Copies `piece` into `target` with its corner at `at`; what falls outside is left out.
pub(crate) fn paste(target: &mut RgbImage, piece: &RgbImage, at: (i64, i64)) {
    let (width, height) = (i64::from(target.width()), i64::from(target.height()));
    let (x0, x1) = (at.0.max(0), (at.0 + i64::from(piece.width())).min(width));
    let (y0, y1) = (at.1.max(0), (at.1 + i64::from(piece.height())).min(height));
    if x0 >= x1 {
        return;
    }
    let n_bytes = (x1 - x0) as usize * 3;
    for y in y0..y1 {
        let from = ((y - at.1) * i64::from(piece.width()) + (x0 - at.0)) as usize * 3;
        let to = (y * width + x0) as usize * 3;
        target.data_mut()[to..to + n_bytes].copy_from_slice(&piece.data()[from..from + n_bytes]);
    }
}
