// SPDX-License-Identifier: MIT OR Apache-2.0

//! A row depends on its tile alone: not on the batch, its order, or the number of threads.

use eosin_core::{Backbone, Card};

use crate::support::{batch, engines, network_on, random_card, worst_row};

/// A network of every family, and one for each way in which the native engine shares work between
/// tiles; convolutional ones on small tiles, of which they take any.
const NETWORKS: [(&str, u32); 10] = [
    ("efficientnet-lite0", 160),
    ("efficientnet-b0", 64),
    ("resnet18", 64),
    ("resnet50", 64),
    ("densenet121", 64),
    ("convnext-tiny", 64),
    ("swin-tiny", 224),
    ("test-vit-swiglu", 112),
    ("test-vit-clip", 224),
    ("test-vit-attention", 96),
];

/// Asks that `check`, which gives the largest difference of two rows over the row's length, finds
/// less than 1e-6 on every network and engine.
fn for_each(check: impl Fn(&dyn Backbone, &str, u32) -> f64) {
    let mut failed = Vec::new();
    for (name, input_px) in NETWORKS {
        let card = Card { input_px, ..random_card(name, 3) };
        for engine in engines() {
            let Some(network) = network_on(&card, engine) else { continue };
            let difference = check(&*network, engine, input_px);
            println!("{name} {engine}: {difference:.1e}");
            if difference >= 1e-6 {
                failed.push(format!("{name} on {engine}: {difference:.1e}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join(", "));
}

#[test]
fn rows_depend_neither_on_batch_size_nor_on_order() {
    for_each(|network, _, px| {
        let embed = |numbers: &[i64]| network.embed(&batch(numbers.iter().copied(), px)).unwrap();
        let whole = embed(&[0, 1, 2, 3, 4, 5, 6]);
        let many: Vec<i64> = (0..32).map(|i| i % 7).collect();
        let backwards: Vec<i64> = (0..7).rev().collect();
        let mut batches = vec![many, backwards];
        batches.extend((0..7).map(|number| vec![number]));
        let difference = |numbers: &Vec<i64>| {
            let positions: Vec<usize> = numbers.iter().map(|&n| n as usize).collect();
            worst_row(&embed(numbers), &whole.select(&positions))
        };
        batches.iter().map(difference).fold(0.0, f64::max)
    });
}

#[test]
fn rows_do_not_depend_on_the_number_of_threads() {
    for_each(|network, engine, px| {
        let on = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| network.embed(&batch(0..3, px)).unwrap())
        };
        let one = on(1);
        let differences = [2, 5].map(|n_threads| {
            let found = on(n_threads);
            // The native engine adds in the same order whoever does it.
            assert!(engine != "native" || found == one, "{n_threads} threads");
            worst_row(&found, &one)
        });
        differences.into_iter().fold(0.0, f64::max)
    });
}
