// SPDX-License-Identifier: MIT OR Apache-2.0

//! Data of other releases.

use std::path::Path;

use eosin_core::{EmbeddingStore, Error};
use eosin_store::ParquetStore;

#[test]
fn a_store_of_format_1_is_refused_with_what_to_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/store/format-1");
    let error = ParquetStore::open(root).unwrap().sets().unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error}");
    let said = format!("{error} {}", error.hint());
    for says in ["_log", "format 1", "0.1.0", "told apart", "embed again into another folder"] {
        assert!(said.contains(says), "{says}: {said}");
    }
}
