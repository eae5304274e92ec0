// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Mutex;

use eosin::crates::core::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws a bar per stage on standard error; silent when that is no terminal.
pub struct Bars {
    quiet: bool,
    current: Mutex<Option<ProgressBar>>,
}

impl Bars {
    pub fn new(quiet: bool) -> Self {
        Self { quiet, current: Mutex::new(None) }
    }

    fn with_current(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        // A poisoned lock means another thread died while drawing; drawing on is harmless.
        let mut current = self.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        act(&mut current);
    }
}

impl Progress for Bars {
    fn start(&self, stage: &str, total: u64) {
        self.finish();
        let target =
            if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template(
            "{msg:32} [{bar:30}] {pos}/{len}  {per_sec}  {elapsed} + {eta}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style);
        bar.set_message(stage.to_string());
        self.with_current(|current| *current = Some(bar));
    }

    fn advance(&self, steps: u64) {
        self.with_current(|current| {
            if let Some(bar) = current {
                bar.inc(steps);
            }
        });
    }

    fn finish(&self) {
        self.with_current(|current| {
            if let Some(bar) = current.take() {
                bar.finish();
            }
        });
    }
}
