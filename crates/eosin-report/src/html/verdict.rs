// SPDX-License-Identifier: MIT OR Apache-2.0

use maud::{Markup, html};

use super::inline;
use crate::verdict::Verdict;

/// The sentence, its bullets, and the details folded away: the same on every page.
pub(super) fn verdict(verdict: &Verdict) -> Markup {
    html! {
        div class="verdict" {
            p { (inline(&verdict.sentence)) }
            @if !verdict.bullets.is_empty() {
                ul { @for bullet in &verdict.bullets { li { (inline(bullet)) } } }
            }
            @if !verdict.details.is_empty() { details {
                summary { "In detail" }
                ul { @for detail in &verdict.details { li { (inline(detail)) } } }
            } }
        }
    }
}
