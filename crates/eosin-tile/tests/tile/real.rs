// SPDX-License-Identifier: MIT OR Apache-2.0

//! Real slides that are not part of the repository, against block means that
//! `tests/golden/tile/make_real.py` takes with OpenSlide and pydicom.

use eosin_testkit::peers::real_data;
use eosin_tile::Slide;

const GOLDEN: &str = include_str!("../../../../tests/golden/tile/real.csv");
const BLOCKS: u32 = 8;

#[test]
fn real_slides_have_the_block_means_of_public_readers() {
    for line in GOLDEN.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |i: usize| fields[i].parse::<u32>().unwrap();
        let Some(path) = real_data(&format!("slides/{}", fields[0])) else { continue };
        let slide = Slide::open(path).unwrap();
        let (level, width, height) = (number(1) as usize, number(2), number(3));
        let shape = slide.levels()[level];
        assert_eq!((shape.width, shape.height), (width, height), "{}", fields[0]);
        let image = slide.read_region(level, 0, 0, width, height).unwrap();
        for (block, expected) in (0..).zip(&fields[4..]) {
            let (row, column) = (block / BLOCKS, block % BLOCKS);
            let (mut sums, mut n) = ([0u64; 3], 0u64);
            for y in row * height / BLOCKS..(row + 1) * height / BLOCKS {
                for x in column * width / BLOCKS..(column + 1) * width / BLOCKS {
                    for (sum, value) in sums.iter_mut().zip(image.pixel(x, y)) {
                        *sum += u64::from(value);
                    }
                    n += 1;
                }
            }
            for (sum, expected) in sums.iter().zip(expected.split(' ')) {
                let (ours, expected) = (*sum as f64 / n as f64, expected.parse::<f64>().unwrap());
                // Decoders of subsampled chrominance (the DICOM slide) round differently.
                let most = if fields[0].starts_with("pathml") { 0.5 } else { 0.1 };
                let close = (ours - expected).abs() < most;
                assert!(close, "{} block {block}: {ours} {expected}", fields[0]);
            }
        }
    }
}

#[test]
fn a_slide_without_a_resolution_is_refused_with_a_hint() {
    let Some(path) = real_data("slides/tcga-cr-7395-01a-01-ts1.svs") else { return };
    let tile_um = eosin_core::TileUm::new(112.0).unwrap();
    let options = eosin_tile::TilingOptions::new(tile_um, 224);
    let error = eosin_tile::SlideSource::open(&path, &options).unwrap_err();
    assert!(error.hint().contains("--mpp"), "{error}");
    let mpp = eosin_core::Mpp::new(0.25).ok();
    let options = eosin_tile::TilingOptions { mpp, ..options };
    assert!(eosin_tile::SlideSource::open(&path, &options).is_ok());
}
