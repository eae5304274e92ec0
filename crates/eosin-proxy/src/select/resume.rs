// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Fold, ProxyScores, ProxyTask, Result, TrainView};

/// Keeps the scores of repeats that are done, so that an interrupted selection goes on.
///
/// The caller gives keys that name everything that the scores depend on: the set's fingerprint,
/// the proxy, the probe with its options, the seed. The implementer stores a repeat as a whole.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
/// use eosin_core::{ProxyScores, Result};
/// use eosin_proxy::select::ScoreCache;
///
/// #[derive(Default)]
/// struct Memory(Mutex<BTreeMap<(String, usize), ProxyScores>>);
/// impl ScoreCache for Memory {
///     fn load(&self, key: &str, repeat: usize) -> Result<Option<ProxyScores>> {
///         Ok(self.0.lock().ok().and_then(|m| m.get(&(key.to_string(), repeat)).cloned()))
///     }
///     fn store(&self, key: &str, repeat: usize, scores: &ProxyScores) -> Result<()> {
///         if let Ok(mut map) = self.0.lock() { map.insert((key.to_string(), repeat), scores.clone()); }
///         Ok(())
///     }
/// }
/// ```
pub trait ScoreCache: Sync {
    /// The scores of a repeat that is done.
    fn load(&self, key: &str, repeat: usize) -> Result<Option<ProxyScores>>;
    /// Keeps the scores of a repeat.
    fn store(&self, key: &str, repeat: usize, scores: &ProxyScores) -> Result<()>;
}

/// Scores `folds` repeat by repeat, taking from the cache what is there and keeping what is new.
///
/// `folds_per_repeat` folds are one repeat, as [`eosin_eval::splits::repeated`] orders them. The
/// result is that of one call of `probe.score` on all folds, since a score belongs to its fold.
pub fn score_repeats(
    probe: &dyn ProxyTask,
    train: &TrainView,
    folds: &[Fold],
    folds_per_repeat: usize,
    cache: &dyn ScoreCache,
    key: &str,
) -> Result<ProxyScores> {
    if folds_per_repeat == 0 || !folds.len().is_multiple_of(folds_per_repeat) {
        return Err(Error::input(
            "folds of a repeat",
            format!("a number that divides {}", folds.len()),
            folds_per_repeat.to_string(),
            "pass the k of the k-fold split",
        ));
    }
    let mut all: Option<ProxyScores> = None;
    for (repeat, folds) in folds.chunks(folds_per_repeat).enumerate() {
        let cached = cache.load(key, repeat)?.filter(|s| s.folds.len() == folds.len());
        let scores = if let Some(scores) = cached {
            scores
        } else {
            let scores = probe.score(train, folds)?;
            cache.store(key, repeat, &scores)?;
            scores
        };
        match &mut all {
            Some(all) => all.folds.extend(scores.folds),
            None => all = Some(scores),
        }
    }
    match all {
        Some(scores) => Ok(scores),
        None => probe.score(train, folds),
    }
}
