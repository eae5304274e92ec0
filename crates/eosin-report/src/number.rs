// SPDX-License-Identifier: MIT OR Apache-2.0

//! Numbers as a reader wants them; an undefined one is a dash.

const UNDEFINED: &str = "–";

/// Three decimals.
pub(crate) fn score(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { UNDEFINED.into() }
}

/// Three decimals with the sign.
pub(crate) fn signed(value: f64) -> String {
    if value.is_finite() { format!("{value:+.3}") } else { UNDEFINED.into() }
}

/// `[lower, upper]`, or nothing where there is no interval.
pub(crate) fn interval(lower: f64, upper: f64) -> String {
    if lower.is_finite() && upper.is_finite() {
        format!("[{lower:.3}, {upper:.3}]")
    } else {
        String::new()
    }
}

/// A share as percent with the sign.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:+.1} %", share * 100.0) } else { UNDEFINED.into() }
}

/// A share as percent.
pub(crate) fn percent_of(share: f64) -> String {
    if share.is_finite() { format!("{:.0} %", share * 100.0) } else { UNDEFINED.into() }
}

/// Thousands parted by thin spaces.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}
