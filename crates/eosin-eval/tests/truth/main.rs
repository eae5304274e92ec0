// SPDX-License-Identifier: MIT OR Apache-2.0

//! How often what is said is true, on patients of unequal size and prevalence.
//!
//! Each simulation has a small size that runs with the other tests and a full one that
//! `cargo xtask bench truth` runs; both print a line per case that begins with `truth: `.

mod arms;
mod fixed;

/// Draws of a small run, whose bars have room for chance, or of a full one.
#[derive(Clone, Copy)]
struct Size {
    draws: u64,
    full: bool,
}

const SMALL: Size = Size { draws: 100, full: false };
const FULL: Size = Size { draws: 1000, full: true };

impl Size {
    /// Prints a rate with its bar, and checks it where the number of draws can tell.
    #[track_caller]
    fn at_most(self, what: &str, rate: f64, bar: f64) {
        self.print(what, rate, &format!("at most {bar}"));
        assert!(self.full || rate <= bar + self.chance(bar), "{what}: {rate} above {bar}");
    }

    #[track_caller]
    fn at_least(self, what: &str, rate: f64, bar: f64) {
        self.print(what, rate, &format!("at least {bar}"));
        assert!(self.full || rate >= bar - self.chance(bar), "{what}: {rate} below {bar}");
    }

    fn print(self, what: &str, value: f64, bar: &str) {
        println!(
            "truth: {{\"case\": \"{what}\", \"value\": {value:.4}, \"bar\": \"{bar}\", \"draws\": {}}}",
            self.draws
        );
    }

    /// Three standard errors of a rate at the bar.
    fn chance(self, bar: f64) -> f64 {
        3.0 * (bar * (1.0 - bar) / self.draws as f64).sqrt()
    }
}
