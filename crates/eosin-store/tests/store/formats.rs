// SPDX-License-Identifier: MIT OR Apache-2.0

//! Data of other releases.

use std::path::Path;

use eosin_core::{EmbeddingStore, NoProgress};
use eosin_store::ParquetStore;

use crate::support::scan;

/// As pyarrow reads the file.
const IDS: [&str; 3] = [
    "cmu-1-small-region:801:0:802",
    "cmu-1-small-region:801:801:802",
    "cmu-1-small-region:801:1603:802",
];
const FIRST: [f32; 4] = [0.8125, 0.208_740_23, 0.356_933_6, 0.698_242_2];
const LAST: [f32; 4] = [0.632_812_5, 0.210_449_22, 0.254_882_8, 0.482_421_88];

#[test]
fn a_store_of_the_first_release_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/store/format-1");
    let store = ParquetStore::open(root).unwrap();
    let sets = store.sets().unwrap();
    assert_eq!(sets.len(), 1);
    assert_eq!((sets[0].contract.backbone.as_str(), sets[0].n_rows), ("colour-statistics", 3));
    let set = &sets[0].fingerprint;
    assert!(store.verify(set, &NoProgress).unwrap().is_clean());
    let all = scan(&store, set).unwrap();
    let ids: Vec<_> = all.metas.iter().map(|m| m.tile_id.as_str()).collect();
    assert_eq!(ids, IDS);
    assert_eq!(all.embeddings.row(0)[..4], FIRST);
    assert_eq!(all.embeddings.row(2)[..4], LAST);
}
