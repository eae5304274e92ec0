// SPDX-License-Identifier: MIT OR Apache-2.0

//! A head whose file was changed by one bit is refused, not asked for other scores.

use std::path::{Path, PathBuf};
use std::process::Output;

use crate::common::{Bench, eosin, text};

/// Trains a linear head, a network and a head of slides on the demo's tiles.
fn trained(bench: &Bench) -> Vec<PathBuf> {
    bench.write_run("");
    // Tiles of one place and class stand for a slide.
    bench.edit_manifest(|lines| {
        let header: Vec<&str> = lines[0].split(',').collect();
        let at = |name: &str| header.iter().position(|c| *c == name).unwrap();
        let (label, group, slide) = (at("label"), at("group"), at("slide"));
        let with_slide = |line: &String| {
            let mut cells: Vec<String> = line.split(',').map(str::to_string).collect();
            cells[slide] = format!("{}-{}", cells[group], cells[label]);
            cells.join(",")
        };
        std::iter::once(lines[0].clone()).chain(lines[1..].iter().map(with_slide)).collect()
    });
    let kinds = [
        ("logistic-tiny", "kind = \"logistic\"\n"),
        ("mlp-tiny", "kind = \"mlp\"\noptions = { hidden = 4, epochs = 2, penalties = [0.01] }\n"),
        (
            "abmil-tiny",
            "kind = \"abmil\"\n\
             options = { hidden = 4, attention = 4, epochs = 2, penalties = [0.01] }\n",
        ),
    ];
    let mut arguments = vec!["--no-augment", "--backbone", "colour-statistics"];
    for (name, config) in kinds {
        std::fs::write(bench.path(&format!("configs/head/{name}.toml")), config).unwrap();
        arguments.extend(["--head", name]);
    }
    let output = bench.train(&arguments);
    assert!(output.status.success(), "{}", text(&output));
    let file = |name: &str| {
        let file = format!("demo-microcalcification-{name}-colour-statistics.safetensors");
        bench.path("out/heads").join(file)
    };
    kinds.map(|(name, _)| file(name)).to_vec()
}

fn predict(bench: &Bench, head: &Path) -> Output {
    let mut command = eosin();
    command.arg("predict").arg(bench.path("tiles/manifest.csv")).arg("--head").arg(head);
    command.arg("--out").arg(bench.path("scores.csv")).arg("--store").arg(bench.path("out/store"));
    command.arg("--configs").arg(bench.path("configs")).output().unwrap()
}

/// Metadata and the rest of a head's file.
fn parts(head: &Path) -> (serde_json::Value, Vec<u8>) {
    let bytes = std::fs::read(head).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec())
}

#[test]
fn a_head_with_a_flipped_bit_is_refused() {
    let bench = Bench::new();
    for head in trained(&bench) {
        let output = predict(&bench, &head);
        assert!(output.status.success(), "{}", text(&output));
        let whole = std::fs::read(&head).unwrap();
        let damaged = bench.path("damaged.safetensors");
        let bits = whole.len() * 8;
        // The last are of the arrays: the sign, exponent and fraction of numbers.
        let some = (0..30).map(|i| i * bits / 30).chain((1..=64).step_by(7).map(|i| bits - i));
        for bit in some {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&damaged, flipped).unwrap();
            let output = eosin().args(["head", "card"]).arg(&damaged).output().unwrap();
            assert_eq!(output.status.code(), Some(3), "{}: bit {bit}", text(&output));
        }
        let output = predict(&bench, &damaged);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        for part in ["damaged.safetensors", "checksum", "hint: train the head again"] {
            assert!(text(&output).contains(part), "no {part} in {}", text(&output));
        }
    }
}

#[test]
fn a_head_of_an_older_release_is_read_with_a_warning() {
    let bench = Bench::new();
    let head = trained(&bench).remove(0);
    let (mut header, arrays) = parts(&head);
    let entry: serde_json::Value =
        serde_json::from_str(header["__metadata__"]["eosin-head"].as_str().unwrap()).unwrap();
    let mut write = |version: u32| {
        let mut metadata = entry["head"].clone();
        metadata["version"] = version.into();
        header["__metadata__"]["eosin-head"] = metadata.to_string().into();
        let json = header.to_string().into_bytes();
        let length = (json.len() as u64).to_le_bytes();
        let path = bench.path("old.safetensors");
        std::fs::write(&path, [&length[..], &json, &arrays].concat()).unwrap();
        path
    };
    let scores = |head: &Path| {
        let output = predict(&bench, head);
        assert!(output.status.success(), "{}", text(&output));
        (std::fs::read(bench.path("scores.csv")).unwrap(), text(&output))
    };
    let (new, said) = scores(&head);
    assert!(!said.contains("checksum"), "{said}");
    let (old, said) = scores(&write(2));
    assert!(said.contains("WARN") && said.contains("no checksum"), "{said}");
    assert_eq!(new, old);
    // What says that it has a checksum must have one.
    let output = predict(&bench, &write(3));
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
}

#[test]
fn the_same_training_gives_the_same_bytes() {
    let (first, second) = (Bench::new(), Bench::new());
    let bytes = |bench: &Bench| -> Vec<Vec<u8>> {
        trained(bench).iter().map(|head| std::fs::read(head).unwrap()).collect()
    };
    assert!(bytes(&first) == bytes(&second));
}
