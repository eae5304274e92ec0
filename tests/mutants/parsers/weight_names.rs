// SPDX-License-Identifier: MIT OR Apache-2.0

//! The names that programs give to tensors, and how they become timm's.

use std::collections::BTreeMap;

use eosin::crates::backbone::{builtin_card, check_tensors};
use eosin::crates::core::{Card, Error, Result};
use eosin_testkit::mutants::{Alphabet, MutantParser, Seed};
use serde::Deserialize;

use super::fixtures::root;
use super::weights::weight_map;

/// One program's names, as `names.py` collected them.
#[derive(Deserialize)]
struct Program {
    card: Option<String>,
    tensors: BTreeMap<String, Vec<usize>>,
}

/// Values of all tensors at most; a mutant of more is no question of names.
const MAX_VALUES: usize = 1 << 24;
/// The width to which networks are scaled.
const WIDTH: usize = 16;

/// A line `card I`, then lines of a name and the sides of a tensor.
pub fn names() -> MutantParser {
    let text = std::fs::read_to_string(root("tests/golden/backbone/names.json")).unwrap();
    let programs: Vec<Program> = serde_json::from_str(&text).unwrap();
    let (mut cards, mut seeds) = (Vec::new(), Vec::new());
    for program in programs {
        let Some(card) = program.card.and_then(|name| small(&name)) else { continue };
        let (card, width) = card;
        let scaled = program.tensors.iter().map(|(name, shape)| {
            let shape = shape.iter().map(|&n| scale(n, width).to_string()).collect::<Vec<_>>();
            format!("{name} {}", shape.join(" "))
        });
        let lines: Vec<String> = scaled.collect();
        let text = format!("card {}\n{}\n", cards.len(), lines.join("\n"));
        seeds.push(Seed::new(format!("{}.txt", cards.len()), text));
        cards.push(card);
    }
    MutantParser {
        alphabet: Alphabet::Text,
        words: &[
            b"blocks.0.attn.q.bias",
            b"blocks.0.attn.qkv.weight",
            b"attn.in_proj_bias",
            b".q.",
            b".k.",
            b".v.",
            b".transposed",
            b"proj",
            b"pos_embed",
            b"cls_token",
            b"positional_embedding",
            b"class_embedding",
            b"encoder.embed_positions.A.weight",
            b"module.",
            b"vision_model.",
            b"\n",
            b" 0",
            b" 1",
            b".from_2",
        ],
        seeds,
        read: Box::new(move |_, text| read(&cards, &String::from_utf8_lossy(text))),
    }
}

fn read(cards: &[Card], text: &str) -> Result<()> {
    let refuse = |found: &str| Error::input("names of a mutant", "names and sides", found, "none");
    let (mut card, mut tensors, mut n) = (&cards[0], Vec::new(), 0_usize);
    for line in text.lines() {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let sides: std::result::Result<Vec<usize>, _> =
            words.filter(|word| !word.is_empty()).map(str::parse).collect();
        let sides = sides.map_err(|e| refuse(&e.to_string()))?;
        if name == "card" {
            card =
                sides.first().and_then(|&i| cards.get(i)).ok_or_else(|| refuse("another card"))?;
            continue;
        }
        let values = sides.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
        n = values
            .and_then(|v| v.checked_add(n))
            .filter(|&n| n <= MAX_VALUES)
            .ok_or_else(|| refuse("more"))?;
        tensors.push((name.to_string(), sides));
    }
    check_tensors(card, weight_map(&tensors)).map(drop)
}

/// A built-in card of a transformer, made small, with its width before.
fn small(name: &str) -> Option<(Card, usize)> {
    let mut card = builtin_card(name).expect("a built-in card");
    let width = card.architecture.get("width")?.as_u64()? as usize;
    // Families of stages, such as Swin, have a list of heads, and are taken as they are.
    card.architecture.get("heads")?.as_u64()?;
    let mut set = |key: &str, value: i64| {
        if card.architecture.get(key).is_some() {
            let known = std::mem::take(&mut card.architecture);
            card.architecture = known.with(key, value).expect("a number");
        }
    };
    set("width", WIDTH as i64);
    set("heads", 2);
    set("depth", 2);
    for key in ["pool_width", "projection"] {
        set(key, WIDTH as i64);
    }
    set("pool_heads", 2);
    check_tensors(&card, weight_map(&[])).expect("a card that can be small");
    Some((card, width))
}

/// Words that the text towers beside image towers know at least.
const VOCABULARY: usize = 30_000;

/// Sides that are multiples of the width go with it, and vocabularies are short.
fn scale(side: usize, width: usize) -> usize {
    if side > VOCABULARY {
        return WIDTH;
    }
    if side >= width && side.is_multiple_of(width) { side / width * WIDTH } else { side }
}
