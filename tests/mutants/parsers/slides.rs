// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whole slides.

use std::path::Path;

use eosin::crates::core::{Mpp, Result, TileSource, TileUm};
use eosin::crates::tile::{Slide, SlideSource, TilingOptions, preview};
use eosin_testkit::mutants::{Alphabet, MutantParser, Seed};

use super::fixtures::{all_files, container, description_of, files, root, with_description};

const SLIDES: &str = "tests/golden/tile/slides";

/// Types, tags and codes of TIFF.
const TIFF_WORDS: &[&[u8]] = &[
    b"\x00\x01\x03\x00",
    b"\x01\x01\x03\x00",
    b"\x02\x01\x03\x00",
    b"\x03\x01\x03\x00",
    b"\x06\x01\x03\x00",
    b"\x11\x01\x04\x00",
    b"\x15\x01\x03\x00",
    b"\x1c\x01\x03\x00",
    b"\x3d\x01\x03\x00",
    b"\x42\x01\x03\x00",
    b"\x44\x01\x04\x00",
    b"\x4a\x01\x04\x00",
    b"\x5b\x01\x07\x00",
    b"\x53\x01\x03\x00",
    b"\x0a\x01\x03\x00",
    b"\x07\x00",
    b"\x05\x00",
    b"\xe8\x80",
    b"\xe9\x80",
    b"\x08\x00",
    b"\x10\x00\x00\x00",
    b"Aperio ",
    b"\x8c\xff",
];

const XML_WORDS: &[&[u8]] = &[
    b"<",
    b"/>",
    b"</",
    b"=\"",
    b"<!DOCTYPE x [<!ENTITY a \"b\">]>",
    b"&a;",
    b"&#0;",
    b"<!--",
    b"<![CDATA[",
    b"<Image>",
    b"<Pixels SizeX=\"1\">",
    b"<collection>",
    b"<dimension r=\"0\"/>",
    b"<DataObject>",
    b"PIM_DP_IMAGE_TYPE",
    b"0.00025",
    b"MPP = ",
    b"AppMag = ",
    b"|",
];

const DICOM_WORDS: &[&[u8]] = &[
    b"\x28\x00\x10\x00US\x02\x00",
    b"\x28\x00\x11\x00US\x02\x00",
    b"\x48\x00\x06\x00UL\x04\x00",
    b"\x48\x00\x07\x00UL\x04\x00",
    b"\x28\x00\x08\x00IS\x04\x00",
    b"\xfe\xff\x00\xe0",
    b"\xfe\xff\x0d\xe0",
    b"\xfe\xff\xdd\xe0",
    b"\xff\xff\xff\xff",
    b"SQ\x00\x00",
    b"OB\x00\x00",
    b"\xe0\x7f\x10\x00",
    b"\x00\x52\x30\x92",
    b"1.2.840.10008.1.2.4.50",
    b"1.2.840.10008.1.2.1",
];

pub fn tiff() -> MutantParser {
    let names = [
        "jpeg-420.tiff",
        "jpeg-rgb-bigtiff.tiff",
        "lzw.tiff",
        "deflate-big-endian.tiff",
        "strips.tiff",
    ];
    slide_parser(files(SLIDES, &names), TIFF_WORDS)
}

pub fn svs() -> MutantParser {
    let mut seeds = all_files(SLIDES, "svs");
    seeds.push(Seed::file(&root("tests/fixtures/cmu-1-small-region.svs")));
    slide_parser(seeds, TIFF_WORDS)
}

pub fn ndpi() -> MutantParser {
    slide_parser(all_files(SLIDES, "ndpi"), TIFF_WORDS)
}

pub fn philips() -> MutantParser {
    slide_parser(files(SLIDES, &["philips.tiff"]), TIFF_WORDS)
}

pub fn leica() -> MutantParser {
    slide_parser(all_files(SLIDES, "scn"), TIFF_WORDS)
}

pub fn ome() -> MutantParser {
    slide_parser(files(SLIDES, &["ome.ome.tif"]), TIFF_WORDS)
}

pub fn dicom() -> MutantParser {
    let mut seeds = all_files("tests/golden/tile/slides/dicom", "dcm");
    seeds.extend(files("tests/golden/tile/icc", &["slide.dcm"]));
    slide_parser(seeds, DICOM_WORDS)
}

/// The texts and XML in the headers of Aperio, Philips, Leica and OME, each in a sound TIFF.
pub fn description() -> MutantParser {
    let slides: Vec<Vec<u8>> = files(SLIDES, &["philips.tiff", "leica.scn", "ome.ome.tif"])
        .into_iter()
        .chain(files(SLIDES, &["jpeg2000-rgb.svs"]))
        .map(|seed| seed.bytes)
        .collect();
    let seeds =
        slides.iter().enumerate().map(|(i, s)| Seed::new(format!("{i}.xml"), description_of(s)));
    MutantParser {
        alphabet: Alphabet::Text,
        words: XML_WORDS,
        seeds: seeds.collect(),
        read: Box::new(move |_, text| {
            // Which program wrote a description is told by itself, whatever pixels stand below.
            let slide = container("tiff");
            let outcomes = slides.iter().map(|sound| {
                std::fs::write(&slide, with_description(sound, text)).expect("room for a slide");
                read_slide(&slide)
            });
            let outcome = outcomes.reduce(Result::or).expect("a slide");
            std::fs::remove_file(&slide).expect("a slide that can be removed");
            outcome
        }),
    }
}

fn slide_parser(seeds: Vec<Seed>, words: &'static [&'static [u8]]) -> MutantParser {
    MutantParser {
        alphabet: Alphabet::Bytes,
        words,
        seeds,
        read: Box::new(|path, _| read_slide(path)),
    }
}

/// Everything that a reader is asked for.
fn read_slide(path: &Path) -> Result<()> {
    let slide = Slide::open(path)?;
    for (index, level) in slide.levels().iter().enumerate() {
        let (x, y) = (i64::from(level.width / 2), i64::from(level.height / 2));
        let _ = slide.read_region(index, 0, 0, 64, 64);
        let _ = slide.read_region(index, x, y, 100, 100);
        let _ = slide.read_region(index, i64::MAX - 5, i64::MIN, 10, 10);
    }
    for image in slide.associated() {
        let _ = slide.read_associated(&image.name);
    }
    drop(slide);
    cut(path);
    Ok(())
}

/// Cuts a few tiles, with tissue, colour profile and preview; what was opened may still not be fit
/// for that.
pub fn cut(path: &Path) {
    let options = TilingOptions {
        min_tissue: 0.01,
        icc: true,
        mpp: Mpp::new(0.5).ok(),
        ..TilingOptions::new(TileUm::new(50.0).expect("a size"), 64)
    };
    let Ok(source) = SlideSource::open(path, &options) else { return };
    for i in 0..source.tiles().len().min(3) {
        let _ = source.read(i);
    }
    let _ = preview(&source, source.mask(), 200);
}
