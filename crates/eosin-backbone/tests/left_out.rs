// SPDX-License-Identifier: MIT OR Apache-2.0

//! A build without the embedded weights knows their card and says how to get them.
//! `cargo xtask ci --full --only combinations` runs this.

#![cfg(not(feature = "embedded-weights"))]

use eosin_backbone::{LoadOptions, builtin_card, is_embedded, load};

#[test]
fn weights_that_are_left_out_name_their_feature() {
    let card = builtin_card("efficientnet-lite0").unwrap();
    let error = load(&card, &LoadOptions::default()).map(|_| ()).unwrap_err();
    assert!(error.hint().contains("Cargo feature `embedded-weights`"), "{}", error.hint());
    assert!(!is_embedded("efficientnet-lite0.f16.safetensors"));
}
