// SPDX-License-Identifier: MIT OR Apache-2.0

//! Damaged inputs for every parser of Eosin: each is read or refused, without a panic, a hang, an
//! exhausted stack or more than 512 MiB.
//!
//! `cargo xtask fuzz` runs these tests for minutes, in parallel, and prints a table;
//! `eosin_testkit::mutants::MutantOptions` describes the variables that it sets.

mod parsers;

use std::path::{Path, PathBuf};

use eosin_testkit::mutants::{Limited, MutantOptions, check_mutants, peak_of_process};

#[global_allocator]
static ALLOCATOR: Limited = Limited;

/// Where inputs are written, and kept when they are at fault.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants")
}

macro_rules! tests {
    ($($name:ident)+) => {
        /// One test for each parser, of its name.
        mod every {
            $(
                #[test]
                fn $name() {
                    let make = || crate::parsers::make(stringify!($name));
                    let options = crate::MutantOptions::from_environment(crate::folder());
                    crate::check_mutants(concat!("every::", stringify!($name)), make, &options);
                }
            )+

            pub const NAMES: &[&str] = &[$(stringify!($name)),+];
        }
    };
}

tests! {
    tiff svs ndpi philips leica ome description dicom icc
    jpeg jpeg_tables jpeg2000 png
    pickle pth safetensors shard_index names onnx card
    npy npz tiles hdf5
    csv_manifest parquet_manifest
    shard log contract cache
    head config geojson condition sql
    annotation_geojson annotation_xml annotation_coco
}

#[test]
fn every_parser_has_a_test() {
    let mut named: Vec<&str> = parsers::PARSERS.iter().map(|(name, _)| *name).collect();
    let mut tested = every::NAMES.to_vec();
    named.sort_unstable();
    tested.sort_unstable();
    assert_eq!(named, tested);
}

/// The corpus of coverage-guided fuzzing: one folder a parser, in the folder that
/// `EOSIN_FUZZ_CORPUS` names.
#[test]
#[ignore = "writes a corpus; `cargo xtask fuzz --corpus` runs it"]
fn corpus() {
    let folder = std::env::var_os("EOSIN_FUZZ_CORPUS").map(PathBuf::from);
    let folder = folder.expect("EOSIN_FUZZ_CORPUS names a folder");
    for (name, make) in parsers::PARSERS {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for seed in make().seeds {
            std::fs::write(folder.join(&seed.name), &seed.bytes).unwrap();
        }
    }
}

#[test]
fn the_peak_counts_every_thread() {
    let ((), peak) = peak_of_process(usize::MAX >> 1, || {
        let work = || drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        std::thread::spawn(work).join().unwrap();
    });
    assert!(peak >= 64 << 20, "{peak}");
}
