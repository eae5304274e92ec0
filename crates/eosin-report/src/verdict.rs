// SPDX-License-Identifier: MIT OR Apache-2.0

//! What was found, in words: never more than the intervals allow.

use serde::{Deserialize, Serialize};

mod run;

pub use run::run_verdict;

/// Bullets that a reader meets before the details.
const BULLETS: usize = 3;

/// One plain sentence, at most three things to know with it, and the rest for who asks.
///
/// Markdown's backticks mark names. Pages and terminals draw every verdict by the same two
/// functions, whatever made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The answer.
    pub sentence: String,
    /// What must stand beside it.
    pub bullets: Vec<String>,
    /// All else, folded away on a page and not printed in a terminal.
    pub details: Vec<String>,
}

impl Verdict {
    /// A verdict with `beside` in the order of what matters: what is no bullet is a detail.
    pub fn new(sentence: String, mut beside: Vec<String>, details: Vec<String>) -> Self {
        let folded = beside.split_off(beside.len().min(BULLETS));
        Self { sentence, bullets: beside, details: folded.into_iter().chain(details).collect() }
    }

    /// Sentence and bullets line by line, as a terminal prints them.
    pub fn lines(&self) -> Vec<String> {
        let bullets = self.bullets.iter().map(|b| format!("- {b}"));
        let all = std::iter::once(self.sentence.clone()).chain(bullets);
        all.map(|line| line.replace('`', "")).collect()
    }

    /// Sentence, bullets and details.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let rest = self.bullets.iter().chain(&self.details);
        std::iter::once(&self.sentence).chain(rest).map(String::as_str)
    }
}
