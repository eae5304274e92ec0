// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_backbone::{builtin_card, builtin_cards, parse_card, read_card};
use eosin_backbone_burn::load;

use crate::support::{card_file, options, root};

fn refusal(name: &str, from: &str, to: &str) -> (String, String) {
    let path = card_file(name);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {name}");
    let card = parse_card(&text.replacen(from, to, 1), Path::new("card.toml"));
    let error = card.and_then(|card| load(&card, &options("auto")).map(|_| ())).unwrap_err();
    (error.to_string(), error.hint())
}

#[test]
fn every_card_is_built_in_and_named_as_its_file() {
    let mut files: Vec<String> = std::fs::read_dir(root().join("crates/eosin-backbone/cards"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let card = read_card(&path).unwrap();
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), card.name);
            card.name
        })
        .collect();
    files.sort();
    let mut builtin: Vec<String> = builtin_cards().unwrap().into_iter().map(|c| c.name).collect();
    builtin.sort();
    assert_eq!(files, builtin);
}

#[test]
fn a_card_survives_writing_and_reading() {
    for card in builtin_cards().unwrap() {
        let text = toml::to_string(&card).unwrap();
        assert_eq!(parse_card(&text, Path::new("again")).unwrap(), card);
    }
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let (error, hint) = refusal("efficientnet-lite0", "input_px", "inptu_px");
    assert!(error.starts_with("card.toml:") && error.contains("inptu_px"), "{error}");
    assert_eq!(hint, "did you mean `input_px`?");
    let (error, hint) = refusal("efficientnet-lite0", "norm_eps", "norm_epz");
    assert!(error.contains("[architecture]") && error.contains("norm_epz"), "{error}");
    assert_eq!(hint, "did you mean `norm_eps`?");
}

#[test]
fn values_that_cannot_be_are_refused() {
    for (from, to, part) in [
        ("input_px = 224", "input_px = 0", "input_px to be 1 to 4096, found 0"),
        ("dim = 1280", "dim = 1281", "expected 1280"),
        ("resampling = \"bicubic\"", "resampling = \"cubic\"", "one of nearest"),
        ("pooling = \"average\"", "pooling = \"cls\"", "known: average"),
        ("family = \"efficientnet\"", "family = \"efficientnot\"", "known: colour-statistics"),
        ("std = [0.50196", "std = [-0.50196", "three numbers above 0"),
        ("sha256 = \"5f", "sha256 = \"zz", "64 hexadecimal digits"),
        ("sha256 = \"5f", "sha256 = \"00", "expected SHA-256 00"),
        ("kind = \"embedded\"", "kind = \"embeded\"", "embeded"),
        ("width = 1.0", "width = 1.5", "mis-shaped"),
    ] {
        let (error, hint) = refusal("efficientnet-lite0", from, to);
        assert!(error.contains(part), "{to}: {error}");
        assert!(!error.contains('\n') && !hint.is_empty(), "{to}: {error}");
    }
}

#[test]
fn unknown_and_compiled_out_engines_are_named() {
    let card = builtin_card("efficientnet-lite0").unwrap();
    let error = load(&card, &options("flux")).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("known: flex, cuda"), "{error}");
    for engine in ["cuda", "tch", "wgpu"] {
        let built = match engine {
            "cuda" => cfg!(feature = "cuda"),
            "tch" => cfg!(feature = "tch"),
            _ => cfg!(feature = "wgpu"),
        };
        if !built {
            let error = load(&card, &options(engine)).map(|_| ()).unwrap_err();
            assert!(error.hint().contains(&format!("Cargo feature `{engine}`")), "{error}");
        }
    }
}

/// The table of backbones in use: a row's names, width and input. Two meanings of a name are two
/// rows.
#[test]
fn every_backbone_of_the_landscape_has_a_card() {
    let rows: [(&[&str], u32, u32); 43] = [
        (&["uni"], 1024, 224),
        (&["uni2-h"], 1536, 224),
        (&["virchow-cls"], 1280, 224),
        (&["virchow-cls-mean"], 2560, 224),
        (&["virchow2-cls"], 1280, 224),
        (&["virchow2-cls-mean"], 2560, 224),
        (&["prov-gigapath"], 1536, 224),
        (&["h-optimus-0", "h-optimus-1"], 1536, 224),
        (&["h0-mini-cls"], 768, 224),
        (&["h0-mini-cls-mean"], 1536, 224),
        (&["phikon"], 768, 224),
        (&["phikon-v2"], 1024, 224),
        (&["hibou-b"], 768, 224),
        (&["hibou-l"], 1024, 224),
        (&["kaiko-s8", "kaiko-s16"], 384, 224),
        (&["kaiko-b8", "kaiko-b16"], 768, 224),
        (&["kaiko-l14"], 1024, 224),
        (&["midnight-12k-cls"], 1536, 224),
        (&["midnight-12k-cls-mean"], 3072, 224),
        (&["openmidnight"], 1536, 224),
        (&["lunit-dino-s8", "lunit-dino-s16"], 384, 224),
        (&["lunit-rn50-bt", "lunit-rn50-swav", "lunit-rn50-moco"], 2048, 224),
        (&["gpfm"], 1024, 224),
        (&["ctranspath"], 768, 224),
        (&["retccl"], 2048, 224),
        (&["kimianet"], 1024, 224),
        (&["conch"], 512, 448),
        (&["musk"], 1024, 384),
        (&["plip"], 512, 224),
        (&["quiltnet-b32", "quiltnet-b16"], 512, 224),
        (&["dinov2-s", "dinov2-s-reg"], 384, 224),
        (&["dinov2-b", "dinov2-b-reg"], 768, 224),
        (&["dinov2-l", "dinov2-l-reg"], 1024, 224),
        (&["dinov2-g", "dinov2-g-reg"], 1536, 224),
        (&["resnet18"], 512, 224),
        (&["resnet50"], 2048, 224),
        (&["resnet50-trunc"], 1024, 224),
        (&["densenet121"], 1024, 224),
        (&["convnext-tiny", "swin-tiny"], 768, 224),
        (&["efficientnet-b0", "efficientnet-lite0"], 1280, 224),
        (&["efficientnet-lite1"], 1280, 240),
        (&["efficientnet-lite2"], 1280, 260),
        (&["open-nsfw"], 1024, 224),
    ];
    for (names, dim, px) in rows {
        for name in names {
            let card = builtin_card(name).unwrap();
            assert_eq!((card.dim, card.input_px), (dim, px), "{name}");
            // The arguments are those of a network of this width.
            if card.family != "onnx" {
                assert!(!eosin_backbone::tensors(&card).unwrap().is_empty(), "{name}");
            }
        }
    }
}
