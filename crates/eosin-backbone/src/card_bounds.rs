// SPDX-License-Identifier: MIT OR Apache-2.0

//! The numbers that an architecture may have: what a card says is multiplied, allocated and looped
//! over, so no number leaves its card without a bound.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::arch::TensorSpec;

/// Key and range of every number of a family's `[architecture]`; each number of a list must lie in
/// the range.
type Bounds = &'static [(&'static str, RangeInclusive<f64>)];

/// The most values of a network: above the largest published backbone, and what a file of weights
/// may hold.
const MAX_PARAMETERS: u64 = 1 << 32;
/// The most numbers of a list, one per stage of a network.
const MAX_STAGES: usize = 4;

/// Bounds of each family. Other families, such as those of plugins, bound their own.
const FAMILIES: [(&str, Bounds); 7] = [
    ("convnext", &[("depths", 1.0..=128.0), ("widths", 1.0..=4096.0)]),
    ("densenet", &[("layers", 1.0..=128.0), ("growth", 1.0..=256.0)]),
    ("efficientnet", &[("width", 0.1..=10.0), ("depth", 0.1..=10.0), ("norm_eps", 1e-15..=1.0)]),
    ("onnx", &[("prefix_tokens", 0.0..=4096.0)]),
    ("resnet", &[("layers", 1.0..=128.0)]),
    (
        "swin",
        &[
            ("width", 8.0..=4096.0),
            ("depths", 1.0..=128.0),
            ("heads", 1.0..=128.0),
            ("window", 1.0..=64.0),
        ],
    ),
    (
        "vit",
        &[
            ("patch", 1.0..=1024.0),
            ("width", 1.0..=16_384.0),
            ("depth", 1.0..=256.0),
            ("heads", 1.0..=256.0),
            ("mlp_ratio", 0.1..=64.0),
            ("registers", 0.0..=1024.0),
            ("pool_width", 0.0..=16_384.0),
            ("pool_heads", 0.0..=256.0),
            ("projection", 0.0..=65_536.0),
            ("norm_eps", 1e-15..=1.0),
            ("position_px", 1.0..=4096.0),
        ],
    ),
];

/// What is expected of a key of `[architecture]` that is not so.
pub(crate) fn expected_of(family: &str, key: &str, value: &Value) -> Option<String> {
    let (_, bounds) = FAMILIES.iter().find(|(name, _)| *name == family)?;
    let (_, range) = bounds.iter().find(|(known, _)| *known == key)?;
    let (least, most) = (range.start(), range.end());
    match value {
        Value::Array(numbers) => {
            let is_sound = (1..=MAX_STAGES).contains(&numbers.len())
                && numbers.iter().all(|number| is_within(number, range));
            (!is_sound).then(|| format!("one to {MAX_STAGES} numbers from {least} to {most}"))
        }
        number => (!is_within(number, range)).then(|| format!("a number from {least} to {most}")),
    }
}

/// Values of a network's tensors; none where they are more than any network has.
pub(crate) fn n_parameters(specs: &[TensorSpec]) -> Option<u64> {
    let values = |spec: &TensorSpec| {
        spec.shape.iter().try_fold(1_u64, |n, &side| n.checked_mul(side as u64))
    };
    let sum = specs.iter().try_fold(0_u64, |sum, spec| sum.checked_add(values(spec)?));
    sum.filter(|&n| n <= MAX_PARAMETERS)
}

/// What is no number at all is told by the type of the arguments.
fn is_within(value: &Value, range: &RangeInclusive<f64>) -> bool {
    match value {
        // A number that is none, such as `nan`: TOML has no null.
        Value::Null => false,
        other => other.as_f64().is_none_or(|number| range.contains(&number)),
    }
}
