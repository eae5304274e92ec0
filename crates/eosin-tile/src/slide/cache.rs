// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use eosin_core::{Result, RgbImage};

/// Level, column and row of a piece.
pub(crate) type Key = (usize, u32, u32);

/// Decoded pieces up to a number of bytes, those used last kept longest.
///
/// Threads that want the same piece wait for the one that decodes it; others go on.
#[derive(Debug)]
pub(crate) struct PieceCache {
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// What was decoded, by when it was last used; slides may hold very many small pieces.
    by_use: BTreeMap<u64, Key>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    slot: Arc<Slot>,
    bytes: usize,
    last_used: u64,
}

type Slot = Mutex<Piece>;

#[derive(Debug, Default)]
enum Piece {
    #[default]
    Undecoded,
    /// `None` for a piece that the file left out.
    Decoded(Option<Arc<RgbImage>>),
}

/// What a look for a piece gave without waiting.
#[derive(Debug)]
pub(crate) enum Found {
    /// As [`PieceCache::get`] gives it.
    Piece(Option<Arc<RgbImage>>),
    /// Another thread has it in hand.
    Busy,
}

impl PieceCache {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, state: Mutex::default() }
    }

    /// The piece, decoded now if it is not there. A failure is not kept: it is met again.
    pub(crate) fn get(
        &self,
        key: Key,
        decode: impl FnOnce() -> Result<Option<RgbImage>>,
    ) -> Result<Option<Arc<RgbImage>>> {
        let slot = self.slot(key);
        self.fill(key, lock(&slot), decode)
    }

    /// As [`PieceCache::get`], but for a piece that another thread decodes at the moment.
    pub(crate) fn get_unless_busy(
        &self,
        key: Key,
        decode: impl FnOnce() -> Result<Option<RgbImage>>,
    ) -> Result<Found> {
        let slot = self.slot(key);
        let piece = match slot.try_lock() {
            Ok(piece) => piece,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(Found::Busy),
        };
        self.fill(key, piece, decode).map(Found::Piece)
    }

    fn fill(
        &self,
        key: Key,
        mut piece: MutexGuard<'_, Piece>,
        decode: impl FnOnce() -> Result<Option<RgbImage>>,
    ) -> Result<Option<Arc<RgbImage>>> {
        if let Piece::Decoded(piece) = &*piece {
            return Ok(piece.clone());
        }
        let decoded = decode()?.map(Arc::new);
        *piece = Piece::Decoded(decoded.clone());
        drop(piece);
        self.account(key, decoded.as_ref().map_or(0, |image| image.data().len()));
        Ok(decoded)
    }

    fn slot(&self, key: Key) -> Arc<Slot> {
        let mut state = lock(&self.state);
        let State { entries, by_use, clock, .. } = &mut *state;
        *clock += 1;
        let entry = entries.entry(key).or_insert_with(|| Entry {
            slot: Arc::default(),
            bytes: 0,
            last_used: *clock,
        });
        if by_use.remove(&entry.last_used).is_some() {
            by_use.insert(*clock, key);
        }
        entry.last_used = *clock;
        Arc::clone(&entry.slot)
    }

    fn account(&self, key: Key, bytes: usize) {
        // The entry itself costs something too, so that sparse slides stay bounded.
        let bytes = bytes + 256;
        let mut state = lock(&self.state);
        let state = &mut *state;
        if let Some(entry) = state.entries.get_mut(&key) {
            let before = std::mem::replace(&mut entry.bytes, bytes);
            state.bytes = state.bytes + bytes - before;
            state.by_use.insert(entry.last_used, key);
        }
        while state.bytes > self.max_bytes {
            let oldest = state.by_use.iter().find(|(_, other)| **other != key);
            let Some((&used, &oldest)) = oldest else { break };
            state.by_use.remove(&used);
            let Some(entry) = state.entries.remove(&oldest) else { break };
            state.bytes -= entry.bytes;
        }
    }
}

/// A lock that was poisoned by a panic elsewhere guards nothing half-written here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(value: u8) -> RgbImage {
        RgbImage::filled(10, 10, [value; 3])
    }

    #[test]
    fn a_piece_is_decoded_once_and_the_oldest_goes_first() {
        let cache = PieceCache::new(3 * (300 + 256));
        let mut decoded = Vec::new();
        for column in [0, 1, 0, 2, 3, 0, 1] {
            cache
                .get((0, column, 0), || {
                    decoded.push(column);
                    Ok(Some(piece(column as u8)))
                })
                .unwrap();
        }
        // 1 was the oldest when 3 came; 0 had been used since.
        assert_eq!(decoded, [0, 1, 2, 3, 1]);
        assert!(lock(&cache.state).bytes <= cache.max_bytes);
    }

    #[test]
    fn a_failure_is_met_again() {
        let cache = PieceCache::new(1 << 20);
        let fail = || Err(eosin_core::Error::input("a", "b", "c", "d"));
        assert!(cache.get((0, 0, 0), fail).is_err());
        assert!(cache.get((0, 0, 0), || Ok(Some(piece(1)))).unwrap().is_some());
    }

    #[test]
    fn threads_that_want_one_piece_decode_it_once() {
        let cache = PieceCache::new(1 << 20);
        let count = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    cache.get((0, 0, 0), || {
                        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(5));
                        Ok(Some(piece(1)))
                    })
                });
            }
        });
        assert_eq!(count.into_inner(), 1);
    }

    #[test]
    fn a_piece_in_hand_is_busy_and_another_is_not() {
        let cache = PieceCache::new(1 << 20);
        let nested = || {
            let own = cache.get_unless_busy((0, 0, 0), || Ok(Some(piece(2))))?;
            assert!(matches!(own, Found::Busy));
            let other = cache.get_unless_busy((0, 1, 0), || Ok(Some(piece(3))))?;
            assert!(matches!(other, Found::Piece(Some(_))));
            Ok(Some(piece(1)))
        };
        assert!(cache.get((0, 0, 0), nested).unwrap().is_some());
    }
}
