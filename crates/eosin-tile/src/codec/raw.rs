// SPDX-License-Identifier: MIT OR Apache-2.0

//! TIFF's lossless compressions, to at most a given number of bytes.

use std::io::Read;

use super::Fault;

/// LZW, as TIFF 6.0 defines it.
pub(crate) fn lzw(data: &[u8], n_bytes: usize) -> Result<Vec<u8>, Fault> {
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    let mut out = vec![0; n_bytes];
    let (mut read, mut written) = (0, 0);
    while written < n_bytes {
        let step = decoder.decode_bytes(&data[read..], &mut out[written..]);
        read += step.consumed_in;
        written += step.consumed_out;
        match step.status {
            Ok(weezl::LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(_) => break,
            Err(e) => return Err(format!("damaged LZW data ({e})")),
        }
    }
    out.truncate(written);
    complete(out, n_bytes)
}

/// Deflate in a zlib wrapper.
pub(crate) fn deflate(data: &[u8], n_bytes: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(n_bytes);
    flate2::read::ZlibDecoder::new(data)
        .take(n_bytes as u64)
        .read_to_end(&mut out)
        .map_err(|e| format!("damaged deflate data ({e})"))?;
    complete(out, n_bytes)
}

/// PackBits run lengths.
pub(crate) fn packbits(data: &[u8], n_bytes: usize) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(n_bytes);
    let mut rest = data;
    while let [control, tail @ ..] = rest {
        if out.len() >= n_bytes {
            break;
        }
        match *control as i8 {
            n @ 0..=127 => {
                let len = (n as usize + 1).min(tail.len());
                out.extend_from_slice(&tail[..len]);
                rest = &tail[len..];
            }
            -128 => rest = tail,
            n => {
                let [value, tail @ ..] = tail else { break };
                out.resize(out.len() + 1 + usize::from(n.unsigned_abs()), *value);
                rest = tail;
            }
        }
    }
    out.truncate(n_bytes);
    complete(out, n_bytes)
}

/// The bytes as they stand.
pub(crate) fn copy(data: &[u8], n_bytes: usize) -> Result<Vec<u8>, Fault> {
    complete(data[..data.len().min(n_bytes)].to_vec(), n_bytes)
}

/// Undoes horizontal differencing in rows of `row_bytes`, with `samples` values per pixel.
pub(crate) fn undo_predictor(
    data: &mut [u8],
    row_bytes: usize,
    samples: usize,
    bytes_per_sample: usize,
    little: bool,
) {
    let step = samples * bytes_per_sample;
    for row in data.chunks_exact_mut(row_bytes) {
        if bytes_per_sample == 1 {
            for i in step..row.len() {
                row[i] = row[i].wrapping_add(row[i - step]);
            }
        } else {
            for i in (step..row.len() - 1).step_by(2) {
                let read = |pair: [u8; 2]| {
                    if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
                };
                let before = read([row[i - step], row[i - step + 1]]);
                let sum = read([row[i], row[i + 1]]).wrapping_add(before);
                let bytes = if little { sum.to_le_bytes() } else { sum.to_be_bytes() };
                row[i..i + 2].copy_from_slice(&bytes);
            }
        }
    }
}

fn complete(out: Vec<u8>, n_bytes: usize) -> Result<Vec<u8>, Fault> {
    if out.len() == n_bytes {
        Ok(out)
    } else {
        Err(format!("{} of {n_bytes} bytes of pixels", out.len()))
    }
}
