// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{EmbeddingBatch, EmbeddingStore, Error, Fingerprint, Matrix};
use eosin_store::{Dtype, MemoryStore, ParquetStore, RowKey, StoreExt, StoreOptions, TileKey};
use proptest::prelude::*;

use crate::support::{commit, contract, files, meta, rows, scan, value};

/// Batches of random sizes, slides and views, with values from anywhere in the range of halves.
fn batches(dim: usize) -> impl Strategy<Value = Vec<(String, u16, Vec<Vec<f32>>)>> {
    let row = prop::collection::vec(-60000.0_f32..60000.0, dim);
    let batch = ("[a-c]", 0_u16..3, prop::collection::vec(row, 0..7));
    prop::collection::vec(batch, 1..6)
}

fn round(value: f32, dtype: Dtype) -> f32 {
    match dtype {
        Dtype::F16 => half::f16::from_f32(value).to_f32(),
        Dtype::F32 => value,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_come_back_in_order_and_rounded(
        dim in prop::sample::select(vec![1_usize, 2, 9, 33]),
        f32_values in any::<bool>(),
        cold in any::<bool>(),
        all in (1_usize..34).prop_flat_map(batches),
        min_rows in 1_usize..9,
        max_rows in 1_usize..12,
    ) {
        let dtype = if f32_values { Dtype::F32 } else { Dtype::F16 };
        let options = StoreOptions { dtype, cold, min_shard_rows: min_rows, max_shard_rows: max_rows };
        let folder = tempfile::tempdir().unwrap();
        let parquet = ParquetStore::open_with(folder.path(), options).unwrap();
        let memory = MemoryStore::with_dtype(dtype);
        let contract = contract(dim as u32);
        let set = contract.fingerprint();
        let (mut metas, mut views, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (slide, view, batch) in &all {
            let fitted: Vec<Vec<f32>> =
                batch.iter().map(|r| (0..dim).map(|c| r[c % r.len()]).collect()).collect();
            let first = metas.len();
            let new: Vec<_> = (0..fitted.len()).map(|i| meta(slide, first + i)).collect();
            let batch = EmbeddingBatch::new(
                set.clone(),
                new.clone(),
                vec![*view; new.len()],
                Matrix::new(new.len(), dim, fitted.concat()).unwrap(),
            ).unwrap();
            commit(&parquet, &contract, batch.clone());
            commit(&memory, &contract, batch);
            views.extend(vec![*view; new.len()]);
            metas.extend(new);
            values.extend(fitted.concat().iter().map(|v| round(*v, dtype)));
        }
        if metas.is_empty() {
            prop_assert!(scan(&parquet, &set).is_err());
            return Ok(());
        }
        let expected =
            EmbeddingBatch::new(set.clone(), metas.clone(), views, Matrix::new(metas.len(), dim, values).unwrap())
                .unwrap();
        prop_assert_eq!(&scan(&parquet, &set).unwrap(), &expected);
        prop_assert_eq!(&scan(&memory, &set).unwrap(), &expected);
        prop_assert_eq!(&parquet.read_all(&set).unwrap(), &expected);
        prop_assert_eq!(&parquet.read_embeddings(&set).unwrap(), &expected.embeddings);
        let picked: Vec<u64> = (0..metas.len() as u64).rev().step_by(2).collect();
        let positions: Vec<usize> = picked.iter().map(|r| *r as usize).collect();
        prop_assert_eq!(parquet.read_rows(&set, &picked).unwrap(), expected.embeddings.select(&positions));
    }

    #[test]
    fn rows_are_read_by_a_condition(modulus in 1_i64..9, superseded in 0_usize..8) {
        let folder = tempfile::tempdir().unwrap();
        let store = ParquetStore::open(folder.path()).unwrap();
        let contract = contract(3);
        commit(&store, &contract, rows(&contract, "a", 0..8));
        // Another commit of the same tiles, in another place: the later decides and counts.
        let mut again = rows(&contract, "a", 0..superseded);
        again.metas.iter_mut().for_each(|m| m.x += 224);
        commit(&store, &contract, again);
        let set = contract.fingerprint();
        let wanted = |meta: &eosin_core::TileMeta, view: u16| view == 0 && (meta.x / 224) % modulus == 0;
        let found = store.read_where(&set, &wanted).unwrap();
        let all = store.read_all(&set).unwrap();
        let kept: Vec<usize> = (0..8).filter(|&i| wanted(&all.metas[i], 0)).collect();
        prop_assert_eq!(found.embeddings, all.embeddings.select(&kept));
        prop_assert!(found.metas.iter().eq(kept.iter().map(|&i| &all.metas[i])));
    }

    #[test]
    fn the_size_of_appended_batches_does_not_change_a_byte(cut in 1_usize..50, slides in 1_usize..4) {
        let contract = contract(5);
        let write = |step: usize| {
            let folder = tempfile::tempdir().unwrap();
            let options = StoreOptions { min_shard_rows: 20, max_shard_rows: 45, ..StoreOptions::default() };
            let store = ParquetStore::open_with(folder.path(), options).unwrap();
            let mut writer = store.writer(&contract).unwrap();
            for slide in 0..slides {
                for first in (0..50).step_by(step) {
                    writer.append(rows(&contract, &format!("s{slide}"), first..(first + step).min(50))).unwrap();
                }
            }
            writer.commit().unwrap();
            files(folder.path())
        };
        prop_assert_eq!(write(50), write(cut));
    }
}

#[test]
fn a_set_of_many_row_groups_reads_whole_and_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(3);
    let set = contract.fingerprint();
    let n = 20_000;
    commit(&store, &contract, rows(&contract, "a", 0..n));
    let all = store.read_all(&set).unwrap();
    assert_eq!(all.metas.len(), n);
    for i in [0, 8191, 8192, 16_383, 16_384, n - 1] {
        assert_eq!(all.metas[i], meta("a", i));
        assert_eq!(all.embeddings.row(i)[2].to_bits(), value("a", i, 2).to_bits());
    }
    let picked = store.read_rows(&set, &[19_999, 8192, 8191, 0, 8192]).unwrap();
    assert_eq!(picked, all.embeddings.select(&[19_999, 8192, 8191, 0, 8192]));
    assert_eq!(store.sets().unwrap()[0].n_rows, n as u64);
}

#[test]
fn tiles_are_read_in_the_order_asked_for_with_their_views_together() {
    let contract = contract(2);
    let set = contract.fingerprint();
    let folder = tempfile::tempdir().unwrap();
    let stores: [&dyn EmbeddingStore; 2] =
        [&MemoryStore::new(), &ParquetStore::open(folder.path()).unwrap()];
    for store in stores {
        let mut batch = rows(&contract, "a", 0..3);
        batch.views = vec![1; 3];
        commit(store, &contract, batch);
        commit(store, &contract, rows(&contract, "a", 0..3));
        let (third, first) = (TileKey::of(&meta("a", 2)), TileKey::of(&meta("a", 0)));
        let got = store.read_tiles(&set, &[third.clone(), first.clone()]).unwrap();
        let ids: Vec<&str> = got.metas.iter().map(|m| m.tile_id.as_str()).collect();
        let (a, b) = (third.tile_id.as_str(), first.tile_id.as_str());
        assert_eq!(ids, [a, a, b, b]);
        assert_eq!(got.views, [0, 1, 0, 1]);
        assert_eq!(got.embeddings.row(2)[1].to_bits(), value("a", 0, 1).to_bits());
        let missing =
            store.read_tiles(&set, &[third, TileKey::new("elsewhere", "digest of a")]).unwrap_err();
        assert!(missing.to_string().contains("elsewhere"), "{missing}");
    }
}

#[test]
fn what_is_committed_is_known_by_tile_view_and_digest_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(2);
    assert!(store.committed(&contract.fingerprint()).unwrap().is_empty());
    commit(&store, &contract, rows(&contract, "a", 0..2));
    let committed = store.committed(&contract.fingerprint()).unwrap();
    let key = RowKey::of(&meta("a", 1), 0);
    assert_eq!(committed.len(), 2);
    assert_eq!(&*committed[&key], "/slides/a.svs");
}

#[test]
fn a_row_that_is_committed_again_supersedes_the_first() {
    let contract = contract(2);
    let set = contract.fingerprint();
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    commit(&store, &contract, rows(&contract, "a", 0..3));
    let mut newer = rows(&contract, "a", 1..2);
    newer.embeddings = Matrix::new(1, 2, vec![5.0, 6.0]).unwrap();
    commit(&store, &contract, newer);
    assert_eq!(scan(&store, &set).unwrap().metas.len(), 4);
    let all = store.read_all(&set).unwrap();
    assert_eq!(all.metas.len(), 3);
    assert_eq!(all.embeddings.row(1), [5.0, 6.0]);
}

#[test]
fn rows_of_another_contract_are_refused_with_the_fields_that_differ() {
    let folder = tempfile::tempdir().unwrap();
    let ours = contract(2);
    let mut theirs = contract(2);
    theirs.pooling = "cls".into();
    let stores: [&dyn EmbeddingStore; 2] =
        [&MemoryStore::new(), &ParquetStore::open(folder.path()).unwrap()];
    for store in stores {
        let mut writer = store.writer(&ours).unwrap();
        let unknown = writer.append(rows(&theirs, "a", 0..1)).unwrap_err();
        assert!(matches!(unknown, Error::Input { .. }), "{unknown}");
        commit(store, &theirs, rows(&theirs, "a", 0..1));
        let known = writer.append(rows(&theirs, "a", 0..1)).unwrap_err();
        assert!(known.to_string().contains("pooling (\"mean\" and \"cls\")"), "{known}");
    }
}

#[test]
fn an_unknown_set_is_answered_with_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let store = ParquetStore::open(folder.path()).unwrap();
    let contract = contract(2);
    commit(&store, &contract, rows(&contract, "a", 0..1));
    let other = Fingerprint::parse(&"0".repeat(32)).unwrap();
    let error = scan(&store, &other).unwrap_err().to_string();
    assert!(error.contains(contract.fingerprint().as_str()), "{error}");
}

#[test]
fn values_that_halves_cannot_hold_are_refused_and_name_the_tile() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(2);
    for (value, says) in [(f32::NAN, "finite"), (70_000.0, "f16 can hold")] {
        let mut batch = rows(&contract, "a", 0..3);
        batch.embeddings.row_mut(1)[1] = value;
        let stores: [&dyn EmbeddingStore; 2] =
            [&MemoryStore::new(), &ParquetStore::open(folder.path()).unwrap()];
        for store in stores {
            let error = store.writer(&contract).unwrap().append(batch.clone()).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&meta("a", 1).tile_id) && text.contains(says), "{text}");
        }
        let wide = StoreOptions { dtype: Dtype::F32, ..StoreOptions::default() };
        let store = ParquetStore::open_with(folder.path().join("wide"), wide).unwrap();
        let accepted = store.writer(&contract).unwrap().append(batch);
        assert_eq!(accepted.is_ok(), value.is_finite());
    }
}

#[test]
fn a_set_keeps_its_number_type() {
    let folder = tempfile::tempdir().unwrap();
    let contract = contract(1);
    commit(&ParquetStore::open(folder.path()).unwrap(), &contract, rows(&contract, "a", 0..1));
    let wide = StoreOptions { dtype: Dtype::F32, ..StoreOptions::default() };
    let store = ParquetStore::open_with(folder.path(), wide).unwrap();
    let mut batch = rows(&contract, "b", 0..1);
    batch.embeddings = Matrix::new(1, 1, vec![0.1]).unwrap();
    commit(&store, &contract, batch);
    let all = scan(&store, &contract.fingerprint()).unwrap();
    assert_eq!(all.embeddings.row(1), [half::f16::from_f32(0.1).to_f32()]);
}

#[test]
fn both_stores_pass_the_suite_of_their_trait() {
    let folder = tempfile::tempdir().unwrap();
    eosin_testkit::conformance::embedding_store(&MemoryStore::new());
    eosin_testkit::conformance::embedding_store(&ParquetStore::open(folder.path()).unwrap());
}

#[test]
fn rows_of_a_store_carry_their_contract() {
    let folder = tempfile::tempdir().unwrap();
    let parquet = ParquetStore::open(folder.path()).unwrap();
    let memory = MemoryStore::new();
    let contract = contract(3);
    let set = contract.fingerprint();
    for store in [&parquet as &dyn EmbeddingStore, &memory] {
        commit(store, &contract, rows(&contract, "a", 0..4));
        // The first row again: it supersedes.
        commit(store, &contract, rows(&contract, "a", 0..1));
        let all = store.read_all(&set).unwrap();
        assert_eq!((all.metas.len(), all.contract.as_deref()), (4, Some(&contract)));
        let tiles = [TileKey::of(&all.metas[2])];
        let some = store.read_tiles(&set, &tiles).unwrap();
        assert_eq!((some.metas.len(), some.contract.as_deref()), (1, Some(&contract)));
    }
    let own = [
        parquet.read_all(&set).unwrap(),
        parquet.read_tiles(&set, &[TileKey::of(&meta("a", 1))]).unwrap(),
        parquet.read_where(&set, &|_, _| true).unwrap(),
    ];
    assert!(own.iter().all(|batch| batch.contract.as_deref() == Some(&contract)));
}
