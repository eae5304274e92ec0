// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

#[test]
fn units_are_told_apart() {
    assert_eq!(um_per("µm"), um_per("\u{3bc}m"));
    assert_eq!(um_per("mm"), Some(1000.0));
    assert_eq!(um_per("furlong"), None);
}
