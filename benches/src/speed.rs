// SPDX-License-Identifier: MIT OR Apache-2.0

//! How much faster a cached frozen backbone is than one that is trained, or embeds anew.

mod arms;
mod linear;
mod tiles;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use eosin::crates::backbone::{EngineOptions, LoadOptions, builtin_card};
use eosin::crates::backbone_burn::load;
use eosin::crates::core::Card;

use self::arms::{Curve, FrozenArm, Reached};
use self::tiles::Tiles;
use crate::Options;
use crate::table::{Figures, Measurement, Series};

const THREADS: usize = 2;

/// Settings that every arm searches; a slow arm runs the middle one, times their number.
const N_SETTINGS: usize = 5;
/// Step sizes of AdamW for the whole network.
const TUNED_RATES: [f64; N_SETTINGS] = [1e-3, 3e-4, 1e-4, 3e-5, 1e-5];
/// Step sizes of AdamW for a linear layer on embeddings.
const HEAD_RATES: [f64; N_SETTINGS] = [3e-2, 1e-2, 3e-3, 1e-3, 3e-4];
/// L2 penalties of the exact head.
const PENALTIES: [f64; N_SETTINGS] = [1e4, 1e3, 1e2, 1e1, 1e0];

/// Cases, numbered so that they stand in this order.
const HEAD_ONLY: &str = "1 head only, 5 settings (one trial x 5)";
const WITH_EXTRACTION: &str = "2 with extraction, 5 settings (one trial x 5)";

/// Options of the bench `speed` alone.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of speed")]
pub struct SpeedOptions {
    /// A folder of labelled tiles; without it, the demo draws some.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The list of tiles, relative to the folder.
    #[arg(long, default_value = "manifest.csv")]
    manifest: PathBuf,
    /// Column of the class [default: label, or h_density for synthetic tiles].
    #[arg(long)]
    label: Option<String>,
    /// Column of the group that the split keeps together.
    #[arg(long, default_value = "group")]
    group: String,
    /// Tiles that are drawn of the list; 0 takes all.
    #[arg(long, default_value_t = 240)]
    tiles: usize,
    /// Passes over the training tiles that a trial may take.
    #[arg(long, default_value_t = 6)]
    epochs: usize,
    /// Tiles per step.
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// How often the arms run that take minutes: fine-tuning, and embedding in every pass.
    #[arg(long, default_value_t = 1)]
    slow_repeats: usize,
    /// Tasks over which extraction is amortised.
    #[arg(long, default_value_t = 10)]
    tasks: usize,
    /// Trials of each of these tasks.
    #[arg(long, default_value_t = 20)]
    trials: usize,
    /// The backbone of all arms.
    #[arg(long, default_value = "efficientnet-lite0")]
    card: String,
    /// The engine of the frozen arms.
    #[arg(long, default_value = "auto")]
    engine: String,
    /// The engine that trains.
    #[arg(long, default_value = "flex")]
    train_engine: String,
    /// Seed of draw, split, order and poses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What is the same for every arm.
pub(crate) struct Work<'a> {
    tiles: &'a Tiles,
    card: &'a Card,
    epochs: usize,
    batch: usize,
    seed: u64,
}

/// Seconds of the four ways to a classifier: fine-tuning end to end; a frozen backbone that embeds
/// in every pass; cached embeddings with a head by SGD; cached embeddings with exact heads.
///
/// A trial is one setting of the search. It counts until validation F1 (mean over classes, the most
/// probable class called, classes weighing alike in training) is first within 0.01 of the best of
/// the trial's budget; hindsight flatters every arm alike. Reading, resampling, augmentation,
/// validation, writing and reading the cache are in the figures; the page cache is warm for all.
pub fn measure(options: &Options) -> Result<Vec<Measurement>> {
    let own = &options.speed;
    let (n, epochs, repeats) = if options.quick {
        (own.tiles.clamp(1, 48), own.epochs.min(2), options.repeats.min(2))
    } else {
        (own.tiles, own.epochs, options.repeats)
    };
    ensure!(
        epochs > 0 && own.batch > 0 && repeats > 0 && own.slow_repeats > 0,
        "--epochs, --batch, --repeats and --slow-repeats are at least 1"
    );
    ensure!(own.tasks > 0 && own.trials > 0, "--tasks and --trials are at least 1");
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global()?;
    let card = builtin_card(&own.card)?;
    let tiles = Tiles::open(own, n, &card)?;
    eprintln!("{}", tiles.describe());
    tiles.warm()?;
    let work = Work { tiles: &tiles, card: &card, epochs, batch: own.batch, seed: own.seed };
    let on = |engine: &str| LoadOptions {
        engine: EngineOptions { engine: engine.into(), device: None },
        ..LoadOptions::default()
    };
    let backbone = load(&card, &on(&own.engine))?;
    let middle = N_SETTINGS / 2;

    let mut sheet = Sheet::new(own, &tiles);
    let mut slow = Vec::new();
    for repeat in 0..own.slow_repeats {
        let curve = arms::fine_tuned(&work, &on(&own.train_engine), TUNED_RATES[middle])?;
        tell(&format!("fine-tuning, step size {:e}", TUNED_RATES[middle]), repeat, &curve);
        slow.push((format!("fine-tuning on {}", own.train_engine), curve.reached()));
        let curve = arms::uncached(&work, backbone.as_ref(), HEAD_RATES[middle])?;
        tell(&format!("frozen without cache, step size {:e}", HEAD_RATES[middle]), repeat, &curve);
        slow.push(("frozen without cache".into(), curve.reached()));
    }
    for (system, reached) in &slow {
        sheet.slow_arm(system, reached);
    }
    for repeat in 0..repeats {
        let cache = arms::cache(&work, backbone.as_ref())?;
        eprintln!(
            "repeat {repeat}: {} tiles embedded to a store in {:.2} s, read in {:.4} s",
            tiles.len(),
            cache.extraction,
            cache.reading
        );
        let sgd = arms::sgd_head(&work, &cache.features, &HEAD_RATES)?;
        let exact = arms::exact_heads(&work, &cache.features, &PENALTIES)?;
        for (system, arm) in [("eosin, SGD head", &sgd), ("eosin", &exact)] {
            eprintln!("repeat {repeat}: {system}: F1 {:.3?} by setting", arm.scores);
            sheet.cached_arm(system, arm, cache.extraction, cache.reading, &slow);
        }
    }
    Ok(sheet.figures.into_measurements())
}

fn tell(arm: &str, repeat: usize, curve: &Curve) {
    let points: Vec<String> =
        curve.points().iter().map(|(s, f1)| format!("{f1:.3} at {s:.1} s")).collect();
    eprintln!("repeat {repeat}: {arm}: F1 {}", points.join(", "));
}

/// The four numbers of every arm.
struct Sheet {
    figures: Figures,
    /// What every case begins with.
    what: String,
    n_tasks: f64,
    n_trials: f64,
}

impl Sheet {
    fn new(own: &SpeedOptions, tiles: &Tiles) -> Self {
        Self {
            figures: Figures::default(),
            what: format!("{}, {}", tiles.describe_short(), own.card),
            n_tasks: own.tasks as f64,
            n_trials: own.trials as f64,
        }
    }

    fn add(&mut self, case: &str, system: &str, unit: &str, value: f64) {
        let series = Series {
            case: format!("{}: {case}", self.what),
            threads: THREADS,
            system: system.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            unit: unit.into(),
            higher_is_better: unit == "F1",
        };
        self.figures.add(series, value);
    }

    fn amortised(&self) -> String {
        format!("3 per trial, {} tasks x {} trials", self.n_tasks, self.n_trials)
    }

    /// Nothing of a slow arm is shared by trials, so that one trial tells all.
    fn slow_arm(&mut self, system: &str, reached: &Reached) {
        let system = &format!("{system}, one trial");
        let search = N_SETTINGS as f64 * reached.seconds;
        self.add("0 best F1", system, "F1", reached.best);
        self.add(HEAD_ONLY, system, "s", search);
        self.add(WITH_EXTRACTION, system, "s", search);
        self.add(&self.amortised(), system, "s", reached.seconds);
    }

    fn cached_arm(
        &mut self,
        system: &str,
        arm: &FrozenArm,
        extraction: f64,
        reading: f64,
        slow: &[(String, Reached)],
    ) {
        let (n_tasks, n_trials) = (self.n_tasks, self.n_trials);
        let trial = arm.seconds / N_SETTINGS as f64;
        let all = extraction + n_tasks * (reading + n_trials * trial);
        let best = arm.scores.iter().copied().fold(0.0, f64::max);
        self.add("0 best F1", system, "F1", best);
        self.add(HEAD_ONLY, system, "s", reading + arm.seconds);
        self.add(WITH_EXTRACTION, system, "s", extraction + reading + arm.seconds);
        self.add(&self.amortised(), system, "s", all / (n_tasks * n_trials));
        for (other, reached) in slow {
            match break_even(extraction + reading, trial, reached.seconds) {
                Some(trials) => {
                    let case = format!("4 break-even with {other}");
                    self.add(&case, system, "trials", trials);
                }
                None => eprintln!("{system} never breaks even with {other}"),
            }
        }
    }
}

/// The least number of trials from which on `once` and `cached` for each trial cost no more than
/// `slow` for each.
fn break_even(once: f64, cached: f64, slow: f64) -> Option<f64> {
    (slow > cached).then(|| (once / (slow - cached)).ceil().max(1.0))
}

#[cfg(test)]
mod tests {
    use super::break_even;

    #[test]
    fn caching_pays_from_the_trial_on_that_saves_its_cost() {
        // After two trials 10 + 2 · 1 = 12 is still above 2 · 5 = 10, after three 13 below 15.
        assert_eq!(break_even(10.0, 1.0, 5.0), Some(3.0));
        assert_eq!(break_even(8.0, 1.0, 5.0), Some(2.0));
        assert_eq!(break_even(0.1, 1.0, 5.0), Some(1.0));
        assert_eq!(break_even(0.1, 5.0, 5.0), None);
    }
}
