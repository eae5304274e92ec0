// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cards, weights and forward passes against figures that other programs made.

mod support;

#[path = "backbone/batches.rs"]
mod batches;
#[path = "backbone/cards.rs"]
mod cards;
#[path = "backbone/colour.rs"]
mod colour;
#[path = "backbone/efficientnet.rs"]
mod efficientnet;
#[path = "backbone/names.rs"]
mod names;
#[path = "backbone/parity.rs"]
mod parity;
#[path = "backbone/weights.rs"]
mod weights;
