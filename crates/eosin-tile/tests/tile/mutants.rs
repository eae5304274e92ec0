// SPDX-License-Identifier: MIT OR Apache-2.0

//! Damaged copies of every fixture: an error or other pixels, never a panic, a hang or much memory.
//!
//! `EOSIN_MUTANTS` sets the number of copies of each file and `EOSIN_MUTANT_SEED` makes others, for
//! longer runs: `cargo xtask fuzz` does so.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eosin_core::{TileSource, TileUm};
use eosin_tile::{Slide, SlideSource, TilingOptions, read_image};

use crate::memory;
use crate::support::{cmu, workspace};

const SLIDES: [&str; 12] = [
    "jpeg-420.tiff",
    "jpeg-rgb-bigtiff.tiff",
    "lzw.tiff",
    "deflate-big-endian.tiff",
    "strips.tiff",
    "jpeg2000-rgb.svs",
    "jpeg2000-ycc.svs",
    "philips.tiff",
    "leica.scn",
    "ome.ome.tif",
    "ndpi.ndpi",
    "dicom/level-1.dcm",
];

/// Memory that no damaged file may take.
const MAX_BYTES: usize = 512 << 20;

/// A small generator (Steele et al. 2014, SplitMix64), so that every run makes the same copies.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// Where headers lie: damage there is what parsers must survive.
fn header_places(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let len = bytes.len();
    vec![0..len.min(512), len.saturating_sub(2048)..len, 0..len]
}

fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = bytes.to_vec();
    if random.below(5) == 0 {
        out.truncate(random.below(out.len()));
        return out;
    }
    let places = header_places(bytes);
    for _ in 0..=random.below(6) {
        let place = places[random.below(places.len())].clone();
        let at = place.start + random.below(place.len());
        let Some(byte) = out.get_mut(at) else { continue };
        match random.below(4) {
            0 => *byte ^= 1 << random.below(8),
            1 => *byte = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)],
            2 => *byte = random.below(256) as u8,
            _ => {
                // A whole number at once: sizes and offsets are 4 bytes.
                let value = [0u32, 1, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 0x1_0000][random.below(6)];
                for (target, byte) in out[at..].iter_mut().zip(value.to_le_bytes()) {
                    *target = byte;
                }
            }
        }
    }
    out
}

/// Everything that a reader is asked for.
fn read_all(path: &Path) {
    let Ok(slide) = Slide::open(path) else { return };
    for (index, level) in slide.levels().iter().enumerate() {
        let (x, y) = (i64::from(level.width / 2), i64::from(level.height / 2));
        let _ = slide.read_region(index, 0, 0, 64, 64);
        let _ = slide.read_region(index, x, y, 100, 100);
        let _ = slide.read_region(index, i64::MAX - 5, i64::MIN, 10, 10);
    }
    for image in slide.associated() {
        let _ = slide.read_associated(&image.name);
    }
    let options = TilingOptions::new(TileUm::new(50.0).unwrap(), 64);
    if slide.size().0 < 5000
        && slide.size().1 < 5000
        && let Ok(source) = SlideSource::open(path, &options)
    {
        for i in 0..source.tiles().len().min(3) {
            let _ = source.read(i);
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn n_mutants(default: u64) -> usize {
    number("EOSIN_MUTANTS", default) as usize
}

fn check(file: &PathBuf, n: usize, read: fn(&Path)) {
    let bytes = std::fs::read(file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mutant");
    let mut random = Random(bytes.len() as u64 ^ number("EOSIN_MUTANT_SEED", 0).rotate_left(32));
    for i in 0..n {
        let mutant = mutate(&bytes, &mut random);
        std::fs::write(&path, &mutant).unwrap();
        let start = Instant::now();
        let (outcome, peak) = memory::peak_of(|| std::panic::catch_unwind(|| read(&path)));
        let keep = std::env::temp_dir().join("eosin-mutant");
        if outcome.is_err() {
            std::fs::write(&keep, &mutant).unwrap();
            panic!("mutant {i} of {} panics; kept as {}", file.display(), keep.display());
        }
        if peak > MAX_BYTES {
            std::fs::write(&keep, &mutant).unwrap();
            let mib = peak >> 20;
            panic!("mutant {i} of {} takes {mib} MiB; kept as {}", file.display(), keep.display());
        }
        if start.elapsed() > Duration::from_secs(20) {
            std::fs::write(&keep, &mutant).unwrap();
            panic!("mutant {i} of {} hangs; kept as {}", file.display(), keep.display());
        }
    }
}

#[test]
fn damaged_slides_never_panic_or_hang() {
    for name in SLIDES {
        check(&workspace("tests/golden/tile/slides").join(name), n_mutants(180), read_all);
    }
    check(&cmu(), n_mutants(60), read_all);
}

#[test]
fn damaged_tiles_never_panic_or_hang() {
    let read = |path: &Path| drop(read_image(path));
    for name in ["openslide-1.png", "slides/lzw.tiff", "slides/strips.tiff", "slides/jpeg-420.tiff"]
    {
        check(&workspace("tests/golden/tile").join(name), n_mutants(60), read);
    }
}
