// SPDX-License-Identifier: MIT OR Apache-2.0

//! The commands that tell of backbones.

use crate::common::{card_of_the_program, eosin, root, text};

fn json(arguments: &[&str]) -> serde_json::Value {
    let output = eosin().args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn backbones_are_listed_with_their_licences() {
    let all = json(&["backbone", "ls", "--json"]);
    let all = all.as_array().unwrap();
    let card = |name: &str| all.iter().find(|card| card["name"] == name).unwrap();
    assert_eq!(card("efficientnet-lite0")["installed"], true);
    assert_eq!(card("uni")["licence"]["allows"], "non-commercial");
    let some = json(&["backbone", "ls", "--licence", "commercial", "--json"]);
    let some = some.as_array().unwrap();
    assert!(some.len() > 5 && some.len() < all.len());
    assert!(some.iter().all(|card| card["licence"]["allows"] == "commercial"));
    let shown = json(&["backbone", "show", "virchow2-cls-mean", "--json"]);
    assert_eq!((shown["dim"].as_u64(), &shown["pooling"]), (Some(2560), &"cls+mean".into()));
}

#[test]
fn weights_are_compared_with_a_cards_architecture() {
    let report = json(&["backbone", "check", "efficientnet-lite0", "--json"]);
    assert_eq!(report["missing"].as_array().unwrap().len(), 0);
    let weights = "crates/eosin-backbone/assets/efficientnet-lite0.f16.safetensors";
    let output = eosin()
        .args(["backbone", "check", "resnet18", "--weights", weights])
        .current_dir(root())
        .output()
        .unwrap();
    let told = text(&output);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("missing    layer1.0.conv1.weight"), "{told}");
    assert!(told.contains("unused     blocks.0.0.conv_dw.weight"), "{told}");
}

#[test]
fn the_doctor_compares_engines_with_the_golden_vectors() {
    let found =
        json(&["doctor", "efficientnet-lite0", "--engine", "native", "--engine", "onnx", "--json"]);
    assert_eq!(found[0]["agrees"], true);
    assert!(found[0]["cosine"].as_f64().unwrap() > 0.99999);
    assert!(found[0]["reference"].as_str().unwrap().contains("onnxruntime"));
    assert!(found[1]["hint"].as_str().unwrap().contains("efficientnet-lite0.onnx"), "{found}");
}

#[test]
fn fetching_without_a_hub_says_how_to_name_one() {
    let cache = tempfile::tempdir().unwrap();
    let fetch = |extra: &[&str]| {
        let output = eosin()
            .args(["backbone", "fetch", "phikon-v2", "--cache"])
            .arg(cache.path())
            .args(extra)
            .env_remove("HF_ENDPOINT")
            .env_remove("HF_HUB_OFFLINE")
            .current_dir(root())
            .output()
            .unwrap();
        (output.status.code(), text(&output))
    };
    let (code, told) = fetch(&[]);
    assert!(code == Some(2) && told.contains("--hub URL or HF_ENDPOINT"), "{told}");
    let (code, told) = fetch(&["--offline"]);
    assert!(code == Some(2) && told.contains("weights in owkin/phikon-v2"), "{told}");
}

#[test]
fn a_card_of_ones_own_takes_the_place_of_the_programs() {
    let folder = tempfile::tempdir().unwrap();
    let configs = folder.path().join("configs");
    let backbone = |arguments: &[&str]| {
        let mut command = eosin();
        command.arg("backbone").args(arguments).arg("--configs").arg(&configs);
        command.output().unwrap()
    };
    // Without any file the program's cards are there.
    let shown = backbone(&["show", "resnet18", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["input_px"], 224);
    std::fs::create_dir_all(configs.join("backbone")).unwrap();
    let own = card_of_the_program("resnet18").replace("input_px = 224", "input_px = 256");
    std::fs::write(configs.join("backbone/resnet18.toml"), &own).unwrap();
    let other = own.replace("\"resnet18\"", "\"own-resnet18\"");
    std::fs::write(configs.join("backbone/own-resnet18.toml"), other).unwrap();
    for name in ["resnet18", "own-resnet18"] {
        let shown = backbone(&["show", name, "--json"]);
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown["input_px"], 256, "{name}");
        let listed = backbone(&["ls", "--json"]);
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let of_name = |card: &&serde_json::Value| card["name"] == name;
        let found: Vec<_> = listed.as_array().unwrap().iter().filter(of_name).collect();
        assert_eq!((found.len(), &found[0]["input_px"]), (1, &256.into()), "{name}");
    }
    // A wrong name lists both kinds.
    let unknown = text(&backbone(&["show", "own-resnet"]));
    assert!(unknown.contains("own-resnet18") && unknown.contains("uni2-h"), "{unknown}");
    assert!(unknown.contains("did you mean `own-resnet18`?"), "{unknown}");
}
