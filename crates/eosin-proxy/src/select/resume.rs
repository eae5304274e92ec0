// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Fold, ProxyScores, ProxyTask, Result, TrainView};
use serde::{Deserialize, Serialize};

use crate::probe::score_calls;

/// What a probe found on some folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitScores {
    /// A score per fold.
    pub scores: ProxyScores,
}

/// Keeps the scores of repeats that are done, so that an interrupted selection goes on.
///
/// The caller gives keys that name everything that the scores depend on: the set's fingerprint,
/// the proxy, the probe with its options, the seed. The implementer stores a repeat as a whole.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
/// use eosin_core::Result;
/// use eosin_proxy::select::{ScoreCache, UnitScores};
///
/// #[derive(Default)]
/// struct Memory(Mutex<BTreeMap<(String, usize), UnitScores>>);
/// impl ScoreCache for Memory {
///     fn load(&self, key: &str, repeat: usize) -> Result<Option<UnitScores>> {
///         Ok(self.0.lock().ok().and_then(|m| m.get(&(key.to_string(), repeat)).cloned()))
///     }
///     fn store(&self, key: &str, repeat: usize, scores: &UnitScores) -> Result<()> {
///         if let Ok(mut map) = self.0.lock() { map.insert((key.to_string(), repeat), scores.clone()); }
///         Ok(())
///     }
/// }
/// ```
pub trait ScoreCache: Sync {
    /// The scores of a repeat that is done.
    fn load(&self, key: &str, repeat: usize) -> Result<Option<UnitScores>>;
    /// Keeps the scores of a repeat.
    fn store(&self, key: &str, repeat: usize, scores: &UnitScores) -> Result<()>;
}

/// A cache that keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCache;

impl ScoreCache for NoCache {
    fn load(&self, _key: &str, _repeat: usize) -> Result<Option<UnitScores>> {
        Ok(None)
    }

    fn store(&self, _key: &str, _repeat: usize, _scores: &UnitScores) -> Result<()> {
        Ok(())
    }
}

/// Scores `folds` repeat by repeat, taking from the cache what is there and keeping what is new.
///
/// `folds_per_repeat` folds are one repeat, as [`eosin_eval::splits::repeated`] orders them. The
/// result is that of one call of `probe.score` on all folds, since a score belongs to its fold.
/// A probe whose folds share work scores all missing repeats in one call.
pub fn score_repeats(
    probe: &dyn ProxyTask,
    train: &TrainView,
    folds: &[Fold],
    folds_per_repeat: usize,
    cache: &dyn ScoreCache,
    key: &str,
) -> Result<UnitScores> {
    if folds_per_repeat == 0 || folds.is_empty() || !folds.len().is_multiple_of(folds_per_repeat) {
        return Err(Error::input(
            "folds of a repeat",
            format!("a number that divides {}, the number of folds", folds.len()),
            folds_per_repeat.to_string(),
            "pass the k of the k-fold split",
        ));
    }
    let repeats: Vec<&[Fold]> = folds.chunks(folds_per_repeat).collect();
    let mut found: Vec<Option<UnitScores>> = Vec::new();
    for (repeat, folds) in repeats.iter().enumerate() {
        let sound = |unit: &UnitScores| unit.scores.folds.len() == folds.len();
        found.push(cache.load(key, repeat)?.filter(sound));
    }
    let missing: Vec<usize> = (0..repeats.len()).filter(|&r| found[r].is_none()).collect();
    let at_once = if probe.shares_work() { missing.len().max(1) } else { 1 };
    for together in missing.chunks(at_once) {
        let asked: Vec<Fold> = together.iter().flat_map(|&r| repeats[r].iter().cloned()).collect();
        let units = score_units(probe, train, &asked, folds_per_repeat)?;
        for (&repeat, unit) in together.iter().zip(units) {
            cache.store(key, repeat, &unit)?;
            found[repeat] = Some(unit);
        }
    }
    let mut units = found.into_iter().flatten();
    let mut all = units.next().ok_or_else(|| {
        Error::input("folds", "at least one repeat", "none", "ask for one repeat or more")
    })?;
    for unit in units {
        all.scores.folds.extend(unit.scores.folds);
    }
    Ok(all)
}

/// Scores folds that are no repeats, such as those within training parts, in one unit.
pub fn score_folds(
    probe: &dyn ProxyTask,
    train: &TrainView,
    folds: &[Fold],
    cache: &dyn ScoreCache,
    key: &str,
) -> Result<ProxyScores> {
    Ok(score_repeats(probe, train, folds, folds.len(), cache, key)?.scores)
}

/// Scores the folds of one or more repeats, a unit per repeat.
fn score_units(
    probe: &dyn ProxyTask,
    train: &TrainView,
    folds: &[Fold],
    folds_per_repeat: usize,
) -> Result<Vec<UnitScores>> {
    if let Some(calls) = probe.classify(train, folds)? {
        let repeats = folds.chunks(folds_per_repeat).zip(calls.chunks(folds_per_repeat));
        return repeats
            .map(|(folds, calls)| {
                let scores = score_calls(probe.kind(), train, folds, calls)?;
                Ok(UnitScores { scores })
            })
            .collect();
    }
    let scores = probe.score(train, folds)?;
    let unit = |values: &[f64]| UnitScores {
        scores: ProxyScores { folds: values.to_vec(), ..scores.clone() },
    };
    Ok(scores.folds.chunks(folds_per_repeat).map(unit).collect())
}
