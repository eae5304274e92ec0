// SPDX-License-Identifier: MIT OR Apache-2.0

//! JPEG and DICOM in every form: the same pixels, or a refusal that says why.

use std::path::Path;
use std::process::Output;

use eosin::crates::core::RgbImage;
use eosin::crates::tile::read_image;

use crate::common::{eosin, root, text};
use crate::odd_files::{Dicom, Tiff, limited, pixels};
use crate::odd_jpeg::{Jpeg, Order, Plane};

const SIDE: usize = 64;

/// A JPEG whose blocks all differ.
fn jpeg(factors: &[(usize, usize)], order: Order, restart: usize) -> Jpeg {
    let planes = factors.iter().map(|&(across, down)| Plane { across, down, values: Vec::new() });
    let mut jpeg = Jpeg { width: SIDE, height: SIDE, planes: planes.collect(), order, restart };
    for i in 0..jpeg.planes.len() {
        let n = jpeg.stride(i) * SIDE.div_ceil(8);
        jpeg.planes[i].values = (0..n).map(|k| (90 + (k * 13 + i * 31) % 70) as u8).collect();
    }
    jpeg
}

/// The JPEG as the only strip of a slide.
fn in_slide(stream: Vec<u8>, samples: u16, photometric: u16) -> Result<RgbImage, String> {
    let side = SIDE as u32;
    let tiff = Tiff::strip(side, side, samples, stream);
    let tiff = tiff.shorts(259, &[7]).shorts(262, &[photometric]);
    pixels(&tiff.bytes(), side)
}

fn embed(folder: &Path) -> Output {
    let mut command = eosin();
    command.arg("embed").arg(folder).arg("--store").arg(folder.join(".store"));
    command.args(["--backbone", "colour-statistics", "--configs"]).arg(root().join("configs"));
    limited(&command)
}

/// What `embed` says of a folder whose only tile these bytes are.
fn refused_as_tile(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tile.jpg"), bytes).unwrap();
    let output = embed(folder.path());
    assert!(!output.status.success(), "{}", text(&output));
    text(&output)
}

#[test]
fn every_order_of_scans_gives_the_same_pixels() {
    for (factors, samples, photometric) in [
        (vec![(1, 1)], 1, 1),
        (vec![(1, 1), (1, 1), (1, 1)], 3, 2),
        (vec![(2, 1), (1, 1), (1, 1)], 3, 6),
        (vec![(1, 2), (1, 1), (1, 1)], 3, 6),
        (vec![(2, 2), (1, 1), (1, 1)], 3, 6),
    ] {
        let plain = jpeg(&factors, Order::Together, 0);
        let expected = in_slide(plain.bytes(), samples, photometric).unwrap();
        if photometric < 6 {
            for (x, y) in [(0, 0), (13, 9), (63, 63), (40, 21)] {
                let value = |i: usize| plain.planes[i].values[y / 8 * 8 + x / 8];
                let colour = [0, 1, 2].map(|i| value(i.min(factors.len() - 1)));
                assert_eq!(expected.pixel(x as u32, y as u32), colour, "{x} {y}");
            }
        }
        for order in [Order::Together, Order::Apart, Order::Progressive] {
            for restart in [0, 3] {
                let stream = jpeg(&factors, order, restart).bytes();
                let name = format!("{factors:?} {order:?} {restart}");
                let found = in_slide(stream.clone(), samples, photometric)
                    .unwrap_or_else(|said| panic!("{name}: {said}"));
                assert!(found == expected, "{name}");
                // A JPEG of its own is of luminance and chrominance, as a slide's may be.
                if photometric != 2 {
                    let folder = tempfile::tempdir().unwrap();
                    let path = folder.path().join("tile.jpg");
                    std::fs::write(&path, stream).unwrap();
                    assert!(read_image(&path).unwrap() == expected, "{name}");
                    let output = embed(folder.path());
                    assert!(output.status.success(), "{name}: {}", text(&output));
                }
            }
        }
    }
}

#[test]
fn coded_data_that_end_early_are_an_error_and_not_grey() {
    let colour = [(2, 2), (1, 1), (1, 1)];
    for (order, restart) in [
        (Order::Together, 0),
        (Order::Together, 3),
        (Order::Apart, 0),
        (Order::Progressive, 0),
        (Order::Progressive, 3),
    ] {
        let whole = jpeg(&colour, order, restart).bytes();
        let scan = whole.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap() + 14;
        for keep in [scan + 1, scan + (whole.len() - scan) / 2, whole.len() - 5] {
            let cut = [&whole[..keep], &[0xFF, 0xD9]].concat();
            for stream in [&whole[..keep], &cut] {
                let name = format!("{order:?} {restart}: {keep} of {}", whole.len());
                let said = in_slide(stream.to_vec(), 3, 6).expect_err(&name);
                assert!(said.contains("JPEG"), "{name}: {said}");
            }
        }
        assert!(refused_as_tile(&whole[..whole.len() - 5]).contains("JPEG"));
    }
}

#[test]
fn kinds_of_jpeg_that_are_not_read_are_refused_by_name() {
    let colour = [(1, 1), (1, 1), (1, 1)];
    let changed = |change: &dyn Fn(&mut [u8], usize)| {
        let mut stream = jpeg(&colour, Order::Together, 0).bytes();
        let frame = stream.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        change(&mut stream, frame);
        stream
    };
    let kind = |marker: u8| changed(&move |stream, frame| stream[frame + 1] = marker);
    let factors = |factors: &[(usize, usize)]| jpeg(factors, Order::Together, 0).bytes();
    for (stream, expected) in [
        (kind(0xC9), "arithmetic-coded JPEG (SOF9)"),
        (kind(0xCA), "arithmetic-coded JPEG (SOF10)"),
        (kind(0xC3), "lossless JPEG (SOF3)"),
        (kind(0xC5), "hierarchical JPEG (SOF5)"),
        (changed(&|stream, frame| stream[frame + 4] = 12), "JPEG of 12-bit samples"),
        (changed(&|stream, frame| stream[frame + 6] = 0), "64 × 0 px"),
        (factors(&[(1, 1); 4]), "four components (CMYK)"),
        (factors(&[(1, 1); 2]), "JPEG of 2 components"),
        (factors(&[(4, 1), (1, 1), (1, 1)]), "sampling factors 4×1, 1×1 and 1×1"),
        (factors(&[(2, 2), (2, 1), (1, 1)]), "sampling factors 2×2, 2×1 and 1×1"),
    ] {
        let said = refused_as_tile(&stream);
        assert!(said.contains(expected), "{expected}:\n{said}");
    }
    // A restart marker out of its turn means that an interval was lost.
    let mut stream = jpeg(&colour, Order::Together, 3).bytes();
    let at = stream.windows(2).position(|w| w == [0xFF, 0xD2]).unwrap();
    stream[at + 1] = 0xD3;
    let said = refused_as_tile(&stream);
    assert!(said.contains("restart marker 3 where 2 follows"), "{said}");
}

#[test]
fn dicom_attributes_are_carried_out_or_refused_by_name() {
    let side = 32u16;
    let n = usize::from(side) * usize::from(side);
    let data: Vec<u8> = (0..3 * n).map(|i| (i * 7 % 251) as u8).collect();
    let native = || Dicom::native(side, side, data.clone());
    let read = |dicom: &Dicom| pixels(&dicom.bytes(), u32::from(side));
    let expected = RgbImage::new(side.into(), side.into(), data.clone()).unwrap();
    assert!(read(&native()).unwrap() == expected);
    let planes: Vec<u8> = (0..3).flat_map(|c| data.iter().skip(c).step_by(3).copied()).collect();
    let planar = Dicom::native(side, side, planes).short((0x0028, 0x0006), 1);
    assert!(read(&planar).unwrap() == expected);
    let grey = || {
        let grey = Dicom::native(side, side, data[..n].to_vec()).short((0x0028, 0x0002), 1);
        grey.text((0x0028, 0x0004), *b"CS", "MONOCHROME2")
    };
    let spread: Vec<u8> = data[..n].iter().flat_map(|&v| [v; 3]).collect();
    assert!(read(&grey()).unwrap().data() == spread);
    for (dicom, expected) in [
        (native().short((0x0028, 0x0100), 16), "BitsAllocated 16"),
        (native().short((0x0028, 0x0101), 7), "BitsStored 7"),
        (native().short((0x0028, 0x0102), 6), "HighBit 6"),
        (native().short((0x0028, 0x0103), 1), "PixelRepresentation 1"),
        (native().short((0x0028, 0x0006), 2), "PlanarConfiguration 2"),
        (native().short((0x0028, 0x0002), 4), "SamplesPerPixel 4"),
        (native().text((0x0028, 0x0008), *b"IS", "many"), "NumberOfFrames \"many\""),
        (native().text((0x0028, 0x0008), *b"IS", "0"), "NumberOfFrames \"0\""),
        (native().text((0x0028, 0x0004), *b"CS", "YBR_FULL"), "Interpretation YBR_FULL"),
        (grey().text((0x0028, 0x0004), *b"CS", "MONOCHROME1"), "Interpretation MONOCHROME1"),
        (grey().text((0x0028, 0x0004), *b"CS", "PALETTE COLOR"), "Interpretation PALETTE COLOR"),
        (native().long((0x0048, 0x0302), 2), "NumberOfOpticalPaths 2"),
        (native().long((0x0048, 0x0303), 3), "TotalPixelMatrixFocalPlanes 3"),
        (native().text((0x0002, 0x0010), *b"UI", "1.2.840.10008.1.2.4.57"), "4.57"),
    ] {
        let Err(said) = read(&dicom) else { panic!("{expected}: read") };
        assert!(said.contains(expected), "{expected}:\n{said}");
    }
}
