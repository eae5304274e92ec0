// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every TIFF, JPEG and JPEG 2000 image of Pillow's own tests, against Pillow: equal or refused,
//! never different, and never a panic, a hang or much memory.
//!
//! The images are those of Pillow's source distribution, which `cargo xtask ci` fetches.
//! `tests/golden/tile/pillow_reads.py` reads them with Pillow.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use eosin_core::RgbImage;
use eosin_testkit::peers::named_by;
use eosin_tile::read_image;

use crate::memory;
use crate::support::{difference, workspace};

/// Memory that no image may take, and time.
const MAX_BYTES: usize = 512 << 20;
const MAX_TIME: Duration = Duration::from_secs(20);

/// The most that a sample of a JPEG differs from libjpeg's, and the mean over an image: the inverse
/// cosine transform of the decoder is another one.
const JPEG: (u8, f64) = (4, 0.5);

/// The same of lossy JPEG 2000, whose wavelets are real numbers that are rounded; what was coded
/// without loss is equal all the same.
const JPEG_2000: (u8, f64) = (1, 0.1);

/// What Pillow refuses for the type of a tag alone, and what it is otherwise equal to.
const READ_BESIDES: (&str, &str) =
    ("tiff_tiled_jpeg_oob_read.tif", "tiff_tiled_ycbcr_jpeg_2x2_sampling.tif");

/// One image, and what Pillow made of it.
struct Read {
    kind: String,
    path: PathBuf,
    pixels: Option<RgbImage>,
    size: (u32, u32),
    samples: u16,
    bits: u16,
    /// Whether Pillow refuses it, unless it is told to load what is cut short.
    cut: bool,
}

fn read_by_pillow(images: &Path, python: &Path) -> Vec<Read> {
    let out = tempfile::tempdir().unwrap();
    let script = workspace("tests/golden/tile/pillow_reads.py");
    let run = Command::new(python).arg(script).arg(images).arg(out.path()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let index = std::fs::read_to_string(out.path().join("index.tsv")).unwrap();
    let read = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |i: usize| fields[i].parse::<u32>().unwrap();
        let size = (number(3), number(4));
        let pixels = (!fields[2].is_empty()).then(|| {
            let data = std::fs::read(out.path().join(format!("{}.rgb", fields[2]))).unwrap();
            RgbImage::new(size.0, size.1, data).unwrap()
        });
        Read {
            kind: fields[0].to_string(),
            path: images.join(fields[1]),
            pixels,
            size,
            samples: number(5) as u16,
            bits: number(6) as u16,
            cut: number(7) == 1,
        }
    };
    index.lines().map(read).collect()
}

/// A TIFF of one strip that holds a JPEG 2000 stream, as slides do.
fn in_tiff(stream: &[u8], read: &Read) -> Vec<u8> {
    let colours = if read.samples < 3 { 1 } else { 3 };
    let (width, height) = read.size;
    let mut tags: Vec<(u16, u16, u32)> = vec![
        (256, 4, width),
        (257, 4, height),
        (258, 3, u32::from(read.bits)),
        (259, 3, 34712),
        (262, 3, if colours == 1 { 1 } else { 2 }),
        (273, 4, 8),
        (277, 3, u32::from(read.samples)),
        (278, 4, height),
        (279, 4, stream.len() as u32),
    ];
    if read.samples > colours {
        tags.push((338, 3, 2));
    }
    let directory_at = (8 + stream.len()).next_multiple_of(2);
    let mut bytes = b"II*\0".to_vec();
    bytes.extend((directory_at as u32).to_le_bytes());
    bytes.extend(stream);
    bytes.resize(directory_at, 0);
    bytes.extend((tags.len() as u16).to_le_bytes());
    for (tag, kind, value) in tags {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}

fn tolerance(read: &Read, stream: &[u8]) -> (u8, f64) {
    // Compression 7 of a TIFF, in either order of bytes.
    let holds_jpeg = [&[3, 1, 3, 0, 1, 0, 0, 0, 7, 0][..], &[1, 3, 0, 3, 0, 0, 0, 1, 0, 7]]
        .iter()
        .any(|entry| stream.windows(entry.len()).any(|window| window == *entry));
    match read.kind.as_str() {
        "jpeg" => JPEG,
        "tiff" if holds_jpeg => JPEG,
        "jpeg2000" => JPEG_2000,
        _ => (0, 0.0),
    }
}

#[test]
fn images_of_pillows_tests_are_equal_or_refused() {
    let what = "the images of Pillow's tests";
    let Some(images) = named_by("EOSIN_PILLOW_IMAGES", what, "folder of them") else { return };
    let Some(python) = named_by("EOSIN_PYTHON", what, "interpreter with Pillow") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (mut equal, mut refused, mut both, mut faults) = (0, 0, 0, Vec::new());
    let all = read_by_pillow(&images, &python);
    for read in &all {
        let stream = std::fs::read(&read.path).unwrap();
        let name = read.path.file_name().unwrap().to_string_lossy().into_owned();
        // The file as it is, and a JPEG 2000 stream in a TIFF too, since it is none on its own.
        let mut path = read.path.clone();
        if read.kind == "jpeg2000" {
            assert!(read_image(&path).is_err(), "{name}");
            path = folder.path().join("wrapped.tiff");
            std::fs::write(&path, in_tiff(&stream, read)).unwrap();
        }
        let start = Instant::now();
        let (outcome, peak) = memory::peak_of(|| std::panic::catch_unwind(|| read_image(&path)));
        let Ok(ours) = outcome else {
            faults.push(format!("{name}: a panic"));
            continue;
        };
        if peak > MAX_BYTES || start.elapsed() > MAX_TIME {
            faults.push(format!("{name}: {} MiB, {:?}", peak >> 20, start.elapsed()));
        }
        match (ours, &read.pixels) {
            (Ok(ours), Some(theirs)) => {
                let sides = |image: &RgbImage| (image.width(), image.height());
                if sides(&ours) != sides(theirs) {
                    faults.push(format!("{name}: {:?} and {:?}", sides(&ours), sides(theirs)));
                    continue;
                }
                let (largest, mean) = difference(&ours, theirs);
                println!("{name}: at most {largest}, mean {mean:.3}");
                let (most, most_mean) = tolerance(read, &stream);
                if largest > most || mean > most_mean {
                    faults.push(format!("{name}: at most {largest}, mean {mean:.3}"));
                }
                equal += 1;
            }
            (Ok(ours), None) if name == READ_BESIDES.0 => {
                let twin = read_image(read.path.with_file_name(READ_BESIDES.1)).unwrap();
                assert!(ours == twin, "{name}");
                equal += 1;
            }
            (Ok(_), None) => faults.push(format!("{name}: read, where Pillow refuses")),
            (Err(error), Some(_)) if !read.cut => {
                println!("{name}: refused, {error}");
                refused += 1;
            }
            (Err(_), _) => both += 1,
        }
    }
    println!(
        "{} images: {equal} equal, {refused} refused, {both} refused by Pillow too",
        all.len()
    );
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), all.len(), faults.join("\n"));
    // An image that is refused is no fault; that most are would be one.
    assert!(equal >= 100, "{equal} equal, {refused} refused, {both} refused by Pillow too");
}
