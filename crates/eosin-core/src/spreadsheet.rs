// SPDX-License-Identifier: MIT OR Apache-2.0

//! Text in CSV files that a spreadsheet would run as a formula.
//!
//! Every CSV file that is written goes through [`guard`], every one that is read through
//! [`unguard`], so that text comes back as it was and a file can be opened in a spreadsheet.

use std::borrow::Cow;

/// Text as a cell: an apostrophe stands before what a spreadsheet would take for a formula, and
/// before text that begins as a guarded cell does. Numbers stay as they are.
///
/// ```
/// use eosin_core::spreadsheet::{guard, unguard};
///
/// assert_eq!(guard("=1+1"), "'=1+1");
/// assert_eq!(guard("-5.5"), "-5.5");
/// assert_eq!(unguard(&guard("'=1+1")), "'=1+1");
/// ```
pub fn guard(text: &str) -> Cow<'_, str> {
    if is_formula(text.trim_start_matches('\'')) && !is_number(text) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text of a cell that [`guard`] wrote, or another program that guards in the same way.
pub fn unguard(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if is_formula(text.trim_start_matches('\'')) => text,
        _ => cell,
    }
}

/// What begins a formula, or what programs skip before one.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_guarded_and_come_back() {
        let guarded = ["=1", "+x", "-x", "@x", "\tx", "\r=1", "'=1", "''-2", "-inf", "+", "＝1"];
        for text in guarded {
            assert_eq!(guard(text), format!("'{text}"));
            assert_eq!(unguard(&guard(text)), text);
        }
    }

    #[test]
    fn numbers_and_words_stay() {
        for text in ["", "-5", "+5.5", "-1e-9", "a=1", "'", "'a", "it's", "a-b", "0"] {
            assert_eq!(guard(text), text);
            assert_eq!(unguard(text), text);
        }
    }
}
