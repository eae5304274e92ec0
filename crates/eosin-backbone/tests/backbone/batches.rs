// SPDX-License-Identifier: MIT OR Apache-2.0

//! A row depends on its tile alone: not on the batch, its order, or the number of threads.

use eosin_backbone::{Card, load};
use eosin_core::Matrix;

use crate::support::{batch, engines, options, random_card, worst_row};

/// A network of every family, and one for each way in which the native engine shares work between
/// tiles; convolutional ones on small tiles, of which they take any.
const NETWORKS: [(&str, u32); 10] = [
    ("efficientnet-lite0", 224),
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

#[test]
fn rows_depend_neither_on_batch_size_nor_on_order() {
    for (name, input_px) in NETWORKS {
        let card = Card { input_px, ..random_card(name, 3) };
        for engine in engines() {
            let Ok(network) = load(&card, &options(engine)) else {
                assert_eq!(engine, "native", "{name}");
                continue;
            };
            let embed =
                |numbers: &[i64]| network.embed(&batch(numbers.iter().copied(), input_px)).unwrap();
            let whole = embed(&[0, 1, 2, 3, 4, 5, 6]);
            let same = |numbers: &[i64], found: &Matrix, what: &str| {
                let positions: Vec<usize> = numbers.iter().map(|&n| n as usize).collect();
                let difference = worst_row(found, &whole.select(&positions));
                assert!(difference < 1e-6, "{name}, {engine}: {what} differs by {difference:.1e}");
            };
            for number in 0..7 {
                same(&[number], &embed(&[number]), "a tile alone");
            }
            let many: Vec<i64> = (0..32).map(|i| i % 7).collect();
            same(&many, &embed(&many), "a batch of 32");
            let backwards: Vec<i64> = (0..7).rev().collect();
            same(&backwards, &embed(&backwards), "the batch reversed");
        }
    }
}

#[test]
fn rows_do_not_depend_on_the_number_of_threads() {
    for (name, input_px) in NETWORKS {
        let card = Card { input_px, ..random_card(name, 3) };
        for engine in engines() {
            let Ok(network) = load(&card, &options(engine)) else {
                assert_eq!(engine, "native", "{name}");
                continue;
            };
            let on = |n_threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                pool.install(|| network.embed(&batch(0..3, input_px)).unwrap())
            };
            let one = on(1);
            for n_threads in [2, 5] {
                let found = on(n_threads);
                let difference = worst_row(&found, &one);
                assert!(difference < 1e-6, "{name}, {engine}, {n_threads}: {difference:.1e}");
                // The native engine adds in the same order whoever does it.
                assert!(engine != "native" || found == one, "{name}, {n_threads} threads");
            }
        }
    }
}
