// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{EmbeddingBatch, EmbeddingStore, Matrix, TileKey};
use eosin_store::{MemoryStore, ParquetStore, StoreOptions};
use eosin_testkit::conformance;

use super::gather;

#[test]
fn of_rows_that_are_there_twice_the_latest_counts_as_in_all_reading() {
    let parquet = ParquetStore::in_memory(StoreOptions::default()).unwrap();
    let stores: [&dyn EmbeddingStore; 2] = [&MemoryStore::new(), &parquet];
    for store in stores {
        let contract = conformance::contract("any");
        let set = contract.fingerprint();
        let first = conformance::embedding_batch(&contract, 0, 4);
        let first = EmbeddingBatch { views: vec![0; 4], ..first };
        let (n_rows, n_cols) = (first.embeddings.n_rows(), first.embeddings.n_cols());
        let later = Matrix::new(n_rows, n_cols, vec![0.5; n_rows * n_cols]).unwrap();
        let later = EmbeddingBatch { embeddings: later, ..first.clone() };
        let mut writer = store.writer(&contract).unwrap();
        for batch in [&first, &later] {
            writer.append(batch.clone()).unwrap();
            writer.commit().unwrap();
        }
        let tiles: Vec<TileKey> = first.metas.iter().map(TileKey::of).collect();
        let (matrix, metas) = gather(store, &set, &tiles, 1).unwrap();
        assert_eq!((matrix, metas), (later.embeddings.clone(), later.metas.clone()));
        assert_eq!(store.read_tiles(&set, &tiles).unwrap(), later);
        assert_eq!(store.read_all(&set).unwrap(), later);
    }
}
