// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every number of a backbone card has a range; one outside is an error that names file, key, range
//! and what was found, before anything is made of it.

use std::process::Output;

use crate::common::{card_of_the_program, eosin, root, text};

fn check(card: &str) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own-card.toml");
    std::fs::write(&path, card).unwrap();
    let mut command = eosin();
    command.args(["backbone", "check"]).arg(&path).current_dir(root());
    let output = command.output().unwrap();
    let told = text(&output);
    (output, told)
}

/// A shipped card whose weights are drawn, so that a card without a fault would be loaded.
fn card(name: &str) -> String {
    let text = card_of_the_program(name);
    let (before, _) = text.split_once("[weights]").unwrap();
    format!("{before}[weights]\nkind = \"random\"\nseed = 1\n")
}

#[test]
fn a_number_outside_of_its_range_is_told() {
    let huge = "1000000000000000000";
    let vit = [
        ("input_px = 224", "input_px", "4097", "1 to 4096"),
        ("input_px = 224", "input_px", "0", "1 to 4096"),
        ("dim = 384", "dim", "0", "1 to 65536"),
        ("dim = 384", "dim", "65537", "1 to 65536"),
        ("mean = [", "mean", "[nan, 0.5, 0.5]", "three numbers"),
        ("mean = [", "mean", "[0.5, inf, 0.5]", "three numbers"),
        ("mean = [", "mean", "[0.5, 1e30, 0.5]", "three numbers"),
        ("std = [", "std", "[0.5, 0.5, 0.0]", "three numbers above 0"),
        ("std = [", "std", "[0.5, 0.5, nan]", "three numbers above 0"),
        ("std = [", "std", "[1e-300, 0.5, 0.5]", "three numbers above 0"),
        ("patch = 16", "architecture.patch", "0", "a number from 1 to 1024"),
        ("width = 384", "architecture.width", huge, "a number from 1 to 16384"),
        ("width = 384", "architecture.width", "-8", "a number from 1 to 16384"),
        ("width = 384", "architecture.width", "nan", "a number from 1 to 16384"),
        ("depth = 12", "architecture.depth", huge, "a number from 1 to 256"),
        ("heads = 6", "architecture.heads", "0", "a number from 1 to 256"),
        ("heads = 6", "architecture.heads", huge, "a number from 1 to 256"),
        ("mlp_ratio = 4.0", "architecture.mlp_ratio", "1e300", "a number from 0.1 to 64"),
        ("mlp_ratio = 4.0", "architecture.mlp_ratio", "inf", "a number from 0.1 to 64"),
        ("norm_eps = 1e-6", "architecture.norm_eps", "-1.0", "a number from 0.00"),
        ("norm_eps = 1e-6", "architecture.norm_eps", "nan", "a number from 0.00"),
        ("position_px = 224", "architecture.position_px", huge, "a number from 1 to 4096"),
        ("norm_eps = 1e-6", "architecture.registers", huge, "a number from 0 to 1024"),
        ("norm_eps = 1e-6", "architecture.projection", huge, "a number from 0 to 65536"),
        ("norm_eps = 1e-6", "architecture.pool_width", huge, "a number from 0 to 16384"),
        ("norm_eps = 1e-6", "architecture.pool_heads", huge, "a number from 0 to 256"),
    ];
    for (line, key, value, range) in vit {
        refuse("kaiko-s16", line, key, value, range);
    }
    for (name, line, key, value, range) in [
        ("efficientnet-b0", "width = ", "architecture.width", "1e18", "a number from 0.1 to 10"),
        ("efficientnet-b0", "depth = ", "architecture.depth", huge, "a number from 0.1 to 10"),
        ("efficientnet-b0", "norm_eps = ", "architecture.norm_eps", "0.0", "a number from 0.00"),
        ("resnet18", "layers = ", "architecture.layers", "[2, 2, 2, 1000]", "from 1 to 128"),
        ("resnet18", "layers = ", "architecture.layers", "[1, 1, 1, 1, 1]", "one to 4 numbers"),
        ("densenet121", "growth = ", "architecture.growth", huge, "a number from 1 to 256"),
        ("densenet121", "layers = ", "architecture.layers", "[]", "one to 4 numbers"),
        ("convnext-tiny", "widths = ", "architecture.widths", "[96, 192, 0, 768]", "1 to 4096"),
        ("convnext-tiny", "depths = ", "architecture.depths", "[3, 3, 9, -3]", "1 to 128"),
        ("swin-tiny", "width = ", "architecture.width", huge, "a number from 8 to 4096"),
        ("swin-tiny", "window = ", "architecture.window", huge, "a number from 1 to 64"),
        ("swin-tiny", "heads = ", "architecture.heads", "[0, 6, 12, 24]", "from 1 to 128"),
    ] {
        refuse(name, line, key, value, range);
    }
}

/// Puts a value in the place of a line, and expects file, key, range and value in the error.
#[track_caller]
fn refuse(name: &str, line: &str, key: &str, value: &str, range: &str) {
    let card = card(name);
    assert!(card.lines().any(|l| l.starts_with(line)), "no {line} in {name}");
    let plain = key.trim_start_matches("architecture.");
    let own = line.split(' ').next().unwrap();
    let change = |l: &str| match l.starts_with(line) {
        true if own == plain => format!("{plain} = {value}"),
        // A key that the card leaves out comes after another.
        true => format!("{l}\n{plain} = {value}"),
        false => l.to_string(),
    };
    let (output, told) = check(&card.lines().map(change).collect::<Vec<_>>().join("\n"));
    assert_eq!(output.status.code(), Some(3), "{name}, {key} = {value}: {told}");
    for part in ["own-card.toml", &format!("expected {key} to be "), range, "hint: "] {
        assert!(told.contains(part), "{name}, {key} = {value}: no {part:?} in\n{told}");
    }
    assert!(told.contains("found "), "{told}");
}

#[test]
fn numbers_that_are_sound_alone_and_too_many_together_are_told() {
    let deep = card("kaiko-s16")
        .replace("width = 384", "width = 16384")
        .replace("dim = 384", "dim = 16384")
        .replace("heads = 6", "heads = 128")
        .replace("depth = 12", "depth = 256");
    let (output, told) = check(&deep);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("at most 2^32 values"), "{told}");
    // A position for every pixel of a large image.
    let fine = card("kaiko-s16")
        .replace("patch = 16", "patch = 1")
        .replace("input_px = 224", "input_px = 4096");
    let (output, told) = check(&fine);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("positions"), "{told}");
    let stages = card("convnext-tiny").replace("depths = [3, 3, 9, 3]", "depths = [3, 3]");
    let (output, told) = check(&stages);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("a depth and a width for each stage"), "{told}");
}

#[test]
fn a_sound_card_with_drawn_weights_fits() {
    for name in ["resnet18", "efficientnet-b0"] {
        let (output, told) = check(&card(name));
        assert!(output.status.success() && told.contains(" fit;"), "{name}: {told}");
    }
}

#[test]
fn a_card_is_a_small_file() {
    let (output, told) = check(&format!("# {}\n{}", "x".repeat(2 << 20), card("resnet18")));
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("a backbone card of at most"), "{told}");
}
