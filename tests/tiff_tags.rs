// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every value of a TIFF tag that changes pixels is carried out exactly or refused by name.

use eosin::crates::core::RgbImage;

use crate::common::{eosin, text};
use crate::odd_files::{Tiff, cut, limited, pixels};

const SIDE: u32 = 32;

/// RGB bytes in which every row and column differs.
fn rgb() -> Vec<u8> {
    let pixel = |i: u32| [i * 7, i / SIDE * 5, 255 - i % SIDE * 3].map(|v| (v % 256) as u8);
    (0..SIDE * SIDE).flat_map(pixel).collect()
}

fn grey() -> Vec<u8> {
    (0..SIDE * SIDE).map(|i| (i * 37 % 256) as u8).collect()
}

fn spread(grey: &[u8]) -> Vec<u8> {
    grey.iter().flat_map(|&v| [v; 3]).collect()
}

fn image(data: Vec<u8>) -> RgbImage {
    RgbImage::new(SIDE, SIDE, data).unwrap()
}

fn rgb_tiff() -> Tiff {
    Tiff::strip(SIDE, SIDE, 3, rgb())
}

fn grey_tiff() -> Tiff {
    Tiff::strip(SIDE, SIDE, 1, grey())
}

/// Codes of 9 bits alone, which is TIFF's LZW of data that are cleared in time.
fn lzw(data: &[u8]) -> Vec<u8> {
    let (mut out, mut buffer, mut n) = (Vec::new(), 0u32, 0);
    let mut put = |code: u32| {
        buffer = buffer << 9 | code;
        n += 9;
        while n >= 8 {
            n -= 8;
            out.push((buffer >> n) as u8);
        }
    };
    for chunk in data.chunks(200) {
        put(256);
        for &byte in chunk {
            put(u32::from(byte));
        }
    }
    put(257);
    // Ones behind the last code.
    put(511);
    out
}

#[test]
fn values_that_are_known_give_exact_pixels() {
    let turned = |data: Vec<u8>| data.iter().map(|byte| byte.reverse_bits()).collect::<Vec<u8>>();
    let sixteen: Vec<u8> = grey().iter().flat_map(|&v| [v ^ 0x5A, v]).collect();
    let planes: Vec<Vec<u8>> =
        (0..3).map(|plane| rgb().iter().skip(plane).step_by(3).copied().collect()).collect();
    let differences: Vec<u8> = rgb()
        .chunks(3 * SIDE as usize)
        .flat_map(|row| {
            let before = |i: usize| if i < 3 { 0 } else { row[i - 3] };
            (0..row.len()).map(|i| row[i].wrapping_sub(before(i))).collect::<Vec<u8>>()
        })
        .collect();
    let with_alpha: Vec<u8> = rgb()
        .chunks(3)
        .zip(0u32..)
        .flat_map(|(p, i)| [p[0], p[1], p[2], (i % 256) as u8])
        .collect();
    let multiplied: Vec<u8> = with_alpha
        .chunks(4)
        .flat_map(|p| {
            let by = |v: u8| (u32::from(v) * u32::from(p[3]) / 255) as u8;
            [by(p[0]), by(p[1]), by(p[2]), p[3]]
        })
        .collect();
    let divided: Vec<u8> = multiplied
        .chunks(4)
        .flat_map(|p| {
            let by = |v: u8| match p[3] {
                0 => 0,
                255 => v,
                alpha => (u32::from(v) * 255 / u32::from(alpha)).min(255) as u8,
            };
            [by(p[0]), by(p[1]), by(p[2])]
        })
        .collect();
    let map: Vec<u16> = (0..768u16).map(|i| (i % 256) * (257 - i / 256)).collect();
    let mapped: Vec<u8> = grey()
        .iter()
        .flat_map(|&v| [0, 256, 512].map(|plane| (map[plane + usize::from(v)] >> 8) as u8))
        .collect();
    let strip = |samples, data| Tiff::strip(SIDE, SIDE, samples, data);
    let cases: Vec<(&str, Tiff, Vec<u8>)> = vec![
        ("plain", rgb_tiff(), rgb()),
        ("fill order 2", strip(3, turned(rgb())).shorts(266, &[2]), rgb()),
        (
            "fill order 2 with LZW",
            strip(3, turned(lzw(&rgb()))).shorts(259, &[5]).shorts(266, &[2]),
            rgb(),
        ),
        ("undefined samples", rgb_tiff().shorts(339, &[4, 4, 4]), rgb()),
        ("differences", strip(3, lzw(&differences)).shorts(259, &[5]).shorts(317, &[2]), rgb()),
        ("planes", rgb_tiff().pieces(planes).shorts(284, &[2]), rgb()),
        ("16 bits", strip(1, sixteen).shorts(258, &[16]), spread(&grey())),
        (
            "white is zero",
            grey_tiff().shorts(262, &[0]),
            spread(&grey()).iter().map(|v| 255 - v).collect(),
        ),
        ("alpha", strip(4, with_alpha).shorts(338, &[2]), rgb()),
        ("multiplied alpha", strip(4, multiplied).shorts(338, &[1]), divided),
        ("palette", grey_tiff().shorts(262, &[3]).shorts(320, &map), mapped),
        (
            "the full range",
            rgb_tiff().rationals(532, &[(0, 1), (255, 1), (0, 1), (255, 1), (0, 1), (255, 1)]),
            rgb(),
        ),
    ];
    for (name, tiff, expected) in cases {
        let found = pixels(&tiff.bytes(), SIDE).unwrap_or_else(|said| panic!("{name}: {said}"));
        assert!(found == image(expected), "{name}");
    }
}

#[test]
fn values_that_are_not_known_are_refused_by_name() {
    let rgb = rgb_tiff;
    let small_map: Vec<u16> = (0..768).map(|i| i % 256).collect();
    let jpeg = || rgb().shorts(259, &[7]).shorts(262, &[6]);
    let cases: Vec<(Tiff, &str)> = vec![
        (rgb().shorts(339, &[2, 2, 2]), "SampleFormat (339) is 2 2 2"),
        (rgb().shorts(339, &[3, 3, 3]), "SampleFormat (339) is 3 3 3"),
        (rgb().shorts(339, &[1, 1, 2]), "SampleFormat (339) is 1 1 2"),
        (grey_tiff().shorts(32996, &[1]), "DataType (32996) is 1"),
        (rgb().shorts(266, &[3]), "FillOrder (266) is 3"),
        (rgb().shorts(259, &[5]).shorts(317, &[3]), "Predictor (317) is 3"),
        (rgb().shorts(317, &[2]), "Predictor (317) is 2"),
        (grey_tiff().shorts(258, &[1]), "BitsPerSample (258) is 1"),
        (grey_tiff().shorts(258, &[12]), "BitsPerSample (258) is 12"),
        (grey_tiff().shorts(258, &[32]), "BitsPerSample (258) is 32"),
        (rgb().shorts(258, &[8, 8, 16]), "BitsPerSample (258) is 8 8 16"),
        (rgb().shorts(277, &[9]), "SamplesPerPixel (277) is 9"),
        (grey_tiff().shorts(277, &[3]), "SamplesPerPixel (277) is 3"),
        (rgb().shorts(284, &[3]), "PlanarConfiguration (284) is 3"),
        (rgb().shorts(262, &[8]), "PhotometricInterpretation (262) is 8"),
        (rgb().shorts(262, &[6]), "PhotometricInterpretation (262) is 6"),
        (rgb().without(262), "PhotometricInterpretation (262) is absent"),
        (rgb().shorts(262, &[5]).shorts(332, &[1]), "PhotometricInterpretation (262) is 5"),
        (grey_tiff().shorts(259, &[7]).shorts(262, &[0]), "PhotometricInterpretation (262) is 0"),
        (grey_tiff().shorts(262, &[3]).shorts(320, &small_map), "ColorMap (320) is of 8 bits"),
        (grey_tiff().shorts(277, &[2]).shorts(338, &[0]), "ExtraSamples (338) is 0"),
        (rgb().shorts(277, &[4]).shorts(338, &[3]), "ExtraSamples (338) is 3"),
        (rgb().shorts(338, &[2]), "ExtraSamples (338) is 2"),
        (rgb().shorts(274, &[6]), "Orientation (274) is 6"),
        (rgb().shorts(274, &[9]), "Orientation (274) is 9"),
        (rgb().shorts(259, &[6]), "Compression (259) is 6"),
        (rgb().shorts(259, &[34925]), "Compression (259) is 34925"),
        (rgb().longs(32997, &[2]), "ImageDepth (32997) is 2"),
        (jpeg().shorts(530, &[3, 1]), "YCbCrSubSampling (530) is 3 1"),
        (jpeg().shorts(531, &[3]), "YCbCrPositioning (531) is 3"),
        (
            jpeg().rationals(532, &[(15, 1), (235, 1), (128, 1), (240, 1), (128, 1), (240, 1)]),
            "ReferenceBlackWhite (532) is 15 235 128 240 128 240",
        ),
    ];
    for (tiff, expected) in cases {
        let Err(said) = pixels(&tiff.bytes(), SIDE) else { panic!("{expected}: read") };
        assert!(said.contains(expected), "{expected}:\n{said}");
        assert!(said.contains("hint:") || said.contains("known:"), "{expected}:\n{said}");
    }
}

/// A tile file is turned as its orientation says; a slide's places could not be.
#[test]
fn orientations_of_tile_files_are_carried_out() {
    // Where a stored pixel is shown, by each orientation.
    type Shown = fn(u32, u32, u32) -> (u32, u32);
    let last = SIDE - 1;
    let orientations: [Shown; 8] = [
        |x, y, _| (x, y),
        |x, y, last| (last - x, y),
        |x, y, last| (last - x, last - y),
        |x, y, last| (x, last - y),
        |x, y, _| (y, x),
        |x, y, last| (last - y, x),
        |x, y, last| (last - y, last - x),
        |x, y, last| (y, last - x),
    ];
    let expected = image(rgb());
    for (orientation, shown) in (1..).zip(orientations) {
        let places = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y)));
        let stored = places.flat_map(|(x, y)| {
            let (x, y) = shown(x, y, last);
            expected.pixel(x, y)
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tile.tiff");
        let tiff = Tiff::strip(SIDE, SIDE, 3, stored.collect()).shorts(274, &[orientation]);
        std::fs::write(&path, tiff.bytes()).unwrap();
        let found = eosin::crates::tile::read_image(&path).unwrap();
        assert!(found == expected, "orientation {orientation}");
        // The command takes the same way.
        let mut command = eosin();
        command.arg("embed").arg(folder.path()).arg("--store").arg(folder.path().join(".store"));
        command.args(["--backbone", "colour-statistics", "--configs"]);
        command.arg(crate::common::root().join("configs"));
        let output = limited(&command);
        assert!(output.status.success(), "{}", text(&output));
    }
}

#[test]
fn pixels_that_are_not_square_need_mpp_and_are_served_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let slide = folder.path().join("oblong.tiff");
    // 0.5 µm across and 0.25 µm down.
    let tiff = rgb_tiff().rationals(282, &[(20_000, 1)]).rationals(283, &[(40_000, 1)]);
    std::fs::write(&slide, tiff.shorts(296, &[3]).bytes()).unwrap();
    let refused = cut(&slide, SIDE, &folder.path().join("refused"), &["--dry-run"]);
    let said = text(&refused);
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("pixels of 0.5 × 0.25 µm") && said.contains("--mpp"), "{said}");
    let served = cut(&slide, SIDE, &folder.path().join("served"), &["--mpp", "0.5"]);
    assert!(served.status.success(), "{}", text(&served));
    assert!(text(&served).contains("1 tiles"), "{}", text(&served));
    let table = folder.path().join("mpp.csv");
    std::fs::write(&table, "slide,mpp\noblong,0.5\n").unwrap();
    let table = ["--mpp-csv", table.to_str().unwrap()];
    let served = cut(&slide, SIDE, &folder.path().join("by-table"), &table);
    assert!(served.status.success(), "{}", text(&served));
    let inspected = limited(eosin().arg("inspect").arg(&slide));
    let said = text(&inspected);
    assert!(inspected.status.success() && said.contains("0.5 × 0.25 µm/px"), "{said}");
}
