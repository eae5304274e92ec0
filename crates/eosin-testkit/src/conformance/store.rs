// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

use eosin_core::{
    Contract, EmbeddingBatch, EmbeddingStore, EmbeddingWriter, Error, Fingerprint, Matrix, Mpp,
    SetSummary, TileMeta,
};

use super::must;

const DIM: usize = 6;

/// Checks a store that is empty when it is passed; two sets are left in it.
///
/// # Panics
///
/// When a duty of [`EmbeddingStore`] or of its writer is broken.
pub fn embedding_store(store: &dyn EmbeddingStore) {
    assert!(must("sets", store.sets()).is_empty(), "sets: expected an empty store to test");
    let (ours, other) = (contract("first"), contract("second"));
    let (a, b) = (embedding_batch(&ours, 0, 5), embedding_batch(&ours, 5, 3));

    nothing_before_commit(store, &ours, &a);
    let mut writer = must("writer", store.writer(&ours));
    append(writer.as_mut(), &a);
    append(writer.as_mut(), &b);
    let first = must("commit", writer.commit());
    expect_rows(store, &ours, &[&a, &b], "two batches in one commit");
    let summary = summary(store, &ours);
    assert!(summary.contract == ours, "sets: expected the contract as it was written");
    assert!(summary.n_rows == 8, "sets: expected 8 rows, found {}", summary.n_rows);
    assert!(summary.n_shards >= 1, "sets: expected at least one shard, found none");
    assert!(
        summary.version == first,
        "commit: expected the version that `sets` tells, {}, found {first}",
        summary.version
    );

    foreign_rows_are_refused(store, &ours, &other, &[&a, &b]);
    let c = embedding_batch(&ours, 8, 4);
    append(writer.as_mut(), &c);
    expect_rows(store, &ours, &[&a, &b], "rows that were appended and not committed");
    let second = must("commit", writer.commit());
    assert!(second > first, "commit: expected a version above {first}, found {second}");
    expect_rows(store, &ours, &[&a, &b, &c], "a second commit of the same writer");
    must("commit of nothing", writer.commit());
    expect_rows(store, &ours, &[&a, &b, &c], "a commit of nothing");
    drop(writer);

    let d = embedding_batch(&other, 0, 2);
    let mut writer = must("writer", store.writer(&other));
    append(writer.as_mut(), &d);
    must("commit", writer.commit());
    expect_rows(store, &other, &[&d], "a second set");
    expect_rows(store, &ours, &[&a, &b, &c], "the first set beside a second");
    let sets = must("sets", store.sets());
    assert!(
        sets.len() == 2 && sets[0].fingerprint < sets[1].fingerprint,
        "sets: expected two, ordered by fingerprint, found {:?}",
        sets.iter().map(|s| s.fingerprint.as_str()).collect::<Vec<_>>()
    );
    equal_names_of_two_files_are_two_tiles(store, &other, &d);
    a_reader_sees_one_state(store, &ours, &[&a, &b, &c]);
    a_visitor_can_stop(store, &ours);
    unknown_set_lists_the_known(store);
}

/// A contract of [`embedding_batch`]'s dimension that differs from others by its backbone's name.
pub fn contract(backbone: &str) -> Contract {
    Contract {
        version: Contract::VERSION,
        backbone: backbone.into(),
        weights_sha256: "none".into(),
        architecture: BTreeMap::from([("width".into(), "1".into())]),
        input_px: 32,
        mean: [0.5; 3],
        std: [0.5; 3],
        resampling: "bicubic, antialias".into(),
        pooling: "mean".into(),
        dim: DIM as u32,
        precision: "f32".into(),
        tile_um: Some(112.0),
        tile_px: 224,
        mpp_policy: "exact".into(),
        reader: "synthetic 1".into(),
        view: "identity".into(),
    }
}

/// Rows `first .. first + n` of an endless set; every value is exact in half precision, and every
/// second row has metadata that is not known.
pub fn embedding_batch(contract: &Contract, first: usize, n: usize) -> EmbeddingBatch {
    let value = |i: usize| (i as f32 * 7.0 % 61.0 - 30.0) / 8.0;
    let values = (first * DIM..(first + n) * DIM).map(value).collect();
    let batch = Matrix::new(n, DIM, values).and_then(|embeddings| {
        let metas = (first..first + n).map(meta).collect();
        let views = (first..first + n).map(|i| (i % 3) as u16).collect();
        EmbeddingBatch::new(contract.fingerprint(), metas, views, embeddings)
    });
    must("the suite's own batch", batch)
}

fn meta(i: usize) -> TileMeta {
    let known = i.is_multiple_of(2);
    TileMeta {
        tile_id: format!("slide-{}:{}:0:224", i / 4, i * 224),
        slide: format!("slide-{}", i / 4),
        group: format!("patient-{}", i / 8),
        centre: known.then(|| "Zürich, \"A\"".to_string()),
        scanner: known.then(|| "scanner".to_string()),
        x: i as i64 * 224,
        y: -(i as i64),
        size_level0_px: 224,
        requested_mpp: known.then(|| Mpp::new(0.5).ok()).flatten(),
        effective_mpp: known.then(|| Mpp::new(0.499).ok()).flatten(),
        tissue_fraction: 0.25 * (i % 5) as f32,
        source: format!("/slides/slide-{}.svs", i / 4),
        source_digest: format!("digest-{}", i / 4),
    }
}

fn nothing_before_commit(store: &dyn EmbeddingStore, ours: &Contract, batch: &EmbeddingBatch) {
    let mut writer = must("writer", store.writer(ours));
    append(writer.as_mut(), batch);
    for moment in ["before commit", "after a writer that was dropped without commit"] {
        let sets = must("sets", store.sets());
        assert!(sets.is_empty(), "{moment}: expected no set to be visible, found {}", sets.len());
        assert!(
            store.scan(&ours.fingerprint(), &mut |_| Ok(())).is_err(),
            "{moment}: expected a scan to be refused, found that it ran"
        );
        if moment.starts_with("before") {
            writer = must("writer", store.writer(ours));
        }
    }
    drop(writer);
}

fn foreign_rows_are_refused(
    store: &dyn EmbeddingStore,
    ours: &Contract,
    other: &Contract,
    committed: &[&EmbeddingBatch],
) {
    let mut writer = must("writer", store.writer(ours));
    assert!(
        writer.append(embedding_batch(other, 0, 2)).is_err(),
        "append: expected rows of another contract to be refused, found that they were taken"
    );
    let narrow = Matrix::new(2, DIM - 1, vec![0.0; 2 * (DIM - 1)]).and_then(|m| {
        EmbeddingBatch::new(ours.fingerprint(), vec![meta(0), meta(1)], vec![0, 0], m)
    });
    assert!(
        writer.append(must("the suite's own batch", narrow)).is_err(),
        "append: expected rows of another length to be refused, found that they were taken"
    );
    drop(writer);
    expect_rows(store, ours, committed, "after rows that were refused");
}

/// A tile of another file is another tile, whatever its name.
fn equal_names_of_two_files_are_two_tiles(
    store: &dyn EmbeddingStore,
    set: &Contract,
    rows: &EmbeddingBatch,
) {
    let mut twins = rows.clone();
    for meta in &mut twins.metas {
        meta.source = format!("/elsewhere{}", meta.source);
        meta.source_digest = format!("other {}", meta.source_digest);
    }
    let mut writer = must("writer", store.writer(set));
    append(writer.as_mut(), &twins);
    must("commit", writer.commit());
    expect_rows(store, set, &[rows, &twins], "tiles of equal names and other files");
}

/// A commit in the middle of a scan shows all of its rows to that scan, or none.
fn a_reader_sees_one_state(store: &dyn EmbeddingStore, set: &Contract, rows: &[&EmbeddingBatch]) {
    let before: usize = rows.iter().map(|b| b.metas.len()).sum();
    let added = embedding_batch(set, before, 3);
    let mut seen = 0;
    let mut waiting = Some(added.clone());
    let scanned = store.scan(&set.fingerprint(), &mut |batch| {
        seen += batch.metas.len();
        if let Some(added) = waiting.take() {
            let mut writer = store.writer(set)?;
            writer.append(added)?;
            writer.commit()?;
        }
        Ok(())
    });
    must("a commit during a scan", scanned);
    assert!(
        seen == before || seen == before + 3,
        "a commit during a scan: expected {before} rows or {}, found {seen}",
        before + 3
    );
    let all: Vec<&EmbeddingBatch> = rows.iter().copied().chain([&added]).collect();
    expect_rows(store, set, &all, "after a commit during a scan");
}

fn a_visitor_can_stop(store: &dyn EmbeddingStore, set: &Contract) {
    let stopped = store.scan(&set.fingerprint(), &mut |_| {
        Err(Error::input("the visitor", "nothing", "a row", "none"))
    });
    assert!(
        matches!(&stopped, Err(Error::Input { subject, .. }) if subject == "the visitor"),
        "scan: expected the visitor's own error back, found {stopped:?}"
    );
}

fn unknown_set_lists_the_known(store: &dyn EmbeddingStore) {
    let unknown = contract("never written").fingerprint();
    let Err(error) = store.scan(&unknown, &mut |_| Ok(())) else {
        panic!("unknown set: expected an error, found that the scan ran")
    };
    let told = format!("{error} {}", error.hint());
    for set in must("sets", store.sets()) {
        assert!(
            told.contains(set.fingerprint.as_str()),
            "unknown set: expected an error that lists {}, found \"{told}\"",
            set.fingerprint
        );
    }
}

fn expect_rows(
    store: &dyn EmbeddingStore,
    set: &Contract,
    expected: &[&EmbeddingBatch],
    what: &str,
) {
    let (metas, views, rows) = scan(store, &set.fingerprint());
    let expected_metas: Vec<&TileMeta> = expected.iter().flat_map(|b| &b.metas).collect();
    assert!(
        metas.len() == expected_metas.len(),
        "{what}: expected {} rows, found {}",
        expected_metas.len(),
        metas.len()
    );
    for (i, (found, expected)) in metas.iter().zip(&expected_metas).enumerate() {
        assert!(
            found == *expected,
            "{what}: expected row {i} in the order of commits to be {expected:?}, found {found:?}"
        );
    }
    let expected_views: Vec<u16> = expected.iter().flat_map(|b| b.views.clone()).collect();
    assert!(views == expected_views, "{what}: expected views {expected_views:?}, found {views:?}");
    let expected_rows: Vec<f32> =
        expected.iter().flat_map(|b| b.embeddings.values().to_vec()).collect();
    assert!(
        rows == expected_rows,
        "{what}: expected values that half precision can hold to come back exactly"
    );
    let told = summary(store, set).n_rows;
    assert!(
        told == metas.len() as u64,
        "{what}: expected `sets` to tell {} rows, found {told}",
        metas.len()
    );
}

fn scan(store: &dyn EmbeddingStore, set: &Fingerprint) -> (Vec<TileMeta>, Vec<u16>, Vec<f32>) {
    let (mut metas, mut views, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let scanned = store.scan(set, &mut |batch| {
        assert!(
            batch.fingerprint == *set,
            "scan: expected batches of set {set}, found one of {}",
            batch.fingerprint
        );
        assert!(
            batch.embeddings.n_cols() == DIM && batch.embeddings.n_rows() == batch.metas.len(),
            "scan: expected batches of {DIM} columns and a row per meta"
        );
        metas.extend(batch.metas);
        views.extend(batch.views);
        rows.extend(batch.embeddings.into_values());
        Ok(())
    });
    must("scan", scanned);
    (metas, views, rows)
}

fn summary(store: &dyn EmbeddingStore, set: &Contract) -> SetSummary {
    let fingerprint = set.fingerprint();
    let sets = must("sets", store.sets());
    match sets.into_iter().find(|s| s.fingerprint == fingerprint) {
        Some(summary) => summary,
        None => panic!("sets: expected {fingerprint} after its commit, found it missing"),
    }
}

fn append(writer: &mut dyn EmbeddingWriter, batch: &EmbeddingBatch) {
    must("append", writer.append(batch.clone()));
}
