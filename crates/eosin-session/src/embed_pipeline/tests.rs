// SPDX-License-Identifier: MIT OR Apache-2.0

//! Every stage fails and panics, and the pipeline ends with the reason.

use std::time::Duration;

use eosin_core::{EmbeddingStore, Error, NoProgress, Result, TileSource};
use eosin_store::MemoryStore;
use eosin_testkit::conformance::contract;
use eosin_testkit::faults::{Fault, Faulty, GreyBackbone, GreySource, within};

use super::{EmbedPipeline, Embedded, Prepared};
use crate::embed::Skipped;

/// Batches of two tiles, so that commits come every four batches.
const BATCH: usize = 2;
const N_TILES: usize = 60;
/// A pipeline that works takes milliseconds.
const LIMIT: Duration = Duration::from_mins(1);

fn embed(
    source: &(impl TileSource + 'static),
    backbone: &Faulty<GreyBackbone>,
    store: &dyn EmbeddingStore,
    n_views: usize,
) -> Result<Embedded> {
    let contract = eosin_core::Contract { dim: 2, ..contract("grey") };
    let batches: Vec<Vec<usize>> =
        (0..N_TILES).collect::<Vec<_>>().chunks(BATCH).map(<[_]>::to_vec).collect();
    let prepare = |index: usize| -> Prepared {
        match source.read(index) {
            Ok(tile) => Ok(vec![tile; n_views]),
            Err(e) => Err(Skipped { tile: index.to_string(), reason: e.to_string() }),
        }
    };
    let pipeline = EmbedPipeline {
        batches: &batches,
        prepare: &prepare,
        backbone,
        set: &contract.fingerprint(),
        batch_size: BATCH,
        commit_rows: 4 * BATCH,
        progress: &NoProgress,
    };
    pipeline.run(store.writer(&contract)?.as_mut())
}

fn sound_backbone() -> Faulty<GreyBackbone> {
    Faulty::new(GreyBackbone::new(), usize::MAX, Fault::Error)
}

fn sound_source() -> Faulty<GreySource> {
    Faulty::new(GreySource::new(N_TILES), usize::MAX, Fault::Error)
}

/// Views of every tile that are in the store, by tile.
fn views_of_tiles(store: &MemoryStore) -> Vec<usize> {
    let mut views = std::collections::BTreeMap::new();
    for set in store.sets().unwrap() {
        store
            .scan(&set.fingerprint, &mut |batch| {
                for meta in batch.metas {
                    *views.entry(meta.tile_id).or_insert(0) += 1;
                }
                Ok(())
            })
            .unwrap();
    }
    views.into_values().collect()
}

fn error_of(result: Result<Embedded>) -> (String, Error) {
    let error = result.err().expect("an error");
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    (format!("{error}; {cause}"), error)
}

const FAULTS: [Fault; 3] = [Fault::Error, Fault::Panic, Fault::PanicInPool];

#[test]
fn an_engine_that_fails_or_panics_ends_it_and_keeps_whole_tiles() {
    for fault in FAULTS {
        for at in [0, 1, 12, 29] {
            for n_views in [1, 3] {
                let store = MemoryStore::new();
                let kept = store.clone();
                let text = within(LIMIT, move || {
                    let backbone = Faulty::new(GreyBackbone::new(), at, fault);
                    error_of(embed(&sound_source(), &backbone, &kept, n_views)).0
                });
                assert!(text.contains("made to fail"), "{text}");
                let views = views_of_tiles(&store);
                assert!(views.iter().all(|&n| n == n_views), "{fault:?} at {at}: torn {views:?}");
                // Passes before the fault that end a batch are there.
                assert_eq!(views.len(), at / n_views * BATCH, "{fault:?} at {at}");
            }
        }
    }
}

#[test]
fn a_writer_that_fails_or_panics_ends_it() {
    for fault in FAULTS {
        for (commits, at) in [(false, 0), (false, 9), (false, 29), (true, 0), (true, 2)] {
            let store = MemoryStore::new();
            let kept = store.clone();
            let text = within(LIMIT, move || {
                let store = Faulty::new(kept, at, fault);
                let store = if commits { store.at_commits() } else { store };
                error_of(embed(&sound_source(), &sound_backbone(), &store, 1)).0
            });
            assert!(text.contains("made to fail"), "{text}");
            // Four batches of two tiles make a commit.
            let expected = if commits { at * 8 } else { at / 4 * 8 };
            assert_eq!(views_of_tiles(&store).len(), expected, "{fault:?} at {at}: {commits}");
        }
    }
}

#[test]
fn a_reader_that_fails_leaves_a_tile_out_and_one_that_panics_ends_it() {
    for at in [0, 17, N_TILES - 1] {
        let store = MemoryStore::new();
        let kept = store.clone();
        let skipped = within(LIMIT, move || {
            let source = Faulty::new(GreySource::new(N_TILES), at, Fault::Error);
            embed(&source, &sound_backbone(), &kept, 2).unwrap().skipped
        });
        assert_eq!(skipped.len(), 1);
        assert_eq!(views_of_tiles(&store), [2; N_TILES - 1]);
        for fault in [Fault::Panic, Fault::PanicInPool] {
            let store = MemoryStore::new();
            let kept = store.clone();
            let text = within(LIMIT, move || {
                let source = Faulty::new(GreySource::new(N_TILES), at, fault);
                error_of(embed(&source, &sound_backbone(), &kept, 1)).0
            });
            assert!(
                text.contains("read tiles for grey") && text.contains("made to fail"),
                "{text}"
            );
            // What was read before is embedded and committed.
            assert_eq!(views_of_tiles(&store).len(), at / BATCH * BATCH);
        }
    }
}

#[test]
fn values_that_cannot_be_kept_name_tile_and_backbone() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 70000.0, -70000.0] {
        let store = MemoryStore::new();
        let kept = store.clone();
        let (text, error) = within(LIMIT, move || {
            let backbone = Faulty::new(GreyBackbone::new(), 13, Fault::Value(value));
            error_of(embed(&sound_source(), &backbone, &kept, 1))
        });
        assert!(matches!(error, Error::Data { .. }), "{error:?}");
        assert!(text.contains("tile 0026") && text.contains("grey"), "{text}");
        assert_eq!(views_of_tiles(&store).len(), 24, "earlier commits stay");
    }
}
