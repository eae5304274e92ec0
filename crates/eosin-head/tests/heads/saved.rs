// SPDX-License-Identifier: MIT OR Apache-2.0

//! A saved head checks the contract of what it is applied to.

use std::collections::BTreeMap;

use eosin_core::{Contract, EmbeddingBatch, HeadTrainer, Licence, TrainBatch, TrainView, Use};
use eosin_head::{
    Decision, HeadFile, LogisticTrainer, SavedHead, TrainedOn, save_head, training_digest,
};
use eosin_testkit::conformance::{contract, embedding_batch};
use eosin_testkit::synthetic::Gaussian;

/// A head for embeddings of the contract, in a file.
fn save(folder: &std::path::Path, contract: &Contract) -> std::path::PathBuf {
    let dim = contract.dim as usize;
    let set = Gaussian { dim, shares: vec![0.5, 0.5], ..Gaussian::default() }.build().unwrap();
    let view = TrainView::whole(&set);
    let head = LogisticTrainer::default().fit(&TrainBatch::from_view(&view), 1.0).unwrap();
    let file = HeadFile {
        record: head.record(),
        contract: contract.clone(),
        threshold: Some(0.5),
        decision: Decision::default(),
        penalty: Some(1.0),
        metrics: BTreeMap::new(),
        training_digest: training_digest(&view),
        trained_on: TrainedOn::default(),
        licence: Licence { name: "any".into(), allows: Use::Commercial },
        eosin_version: "0.1.0".into(),
    };
    let path = folder.join("head.safetensors");
    save_head(&path, &file).unwrap();
    path
}

#[test]
fn one_call_loads_checks_and_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let ours = contract("ours");
    let head = SavedHead::load(save(folder.path(), &ours)).unwrap();
    let batch = embedding_batch(&ours, 0, 5);
    let found = head.predict(&batch).unwrap();
    assert_eq!((found.probabilities.n_rows(), found.called.len()), (5, 5));
    for row in 0..5 {
        let called = u32::from(found.probabilities.row(row)[1] >= 0.5);
        assert_eq!(found.called[row], Some(called));
    }
}

#[test]
fn embeddings_of_another_contract_are_refused_by_the_fields_that_differ() {
    let folder = tempfile::tempdir().unwrap();
    let ours = contract("ours");
    let head = SavedHead::load(save(folder.path(), &ours)).unwrap();
    let theirs = Contract { tile_px: 256, resampling: "nearest".into(), ..ours.clone() };
    let alone = embedding_batch(&theirs, 0, 5);
    let refused = |batch: &EmbeddingBatch| head.predict(batch).unwrap_err().to_string();
    // Rows that carry no contract are refused as well, by what they have.
    let told = refused(&alone);
    assert!(told.contains("fingerprint"), "{told}");
    let told = refused(&alone.with_contract(&theirs));
    for part in ["tile_px", "256", "224", "resampling", "nearest"] {
        assert!(told.contains(part), "no {part} in {told}");
    }
    assert!(!told.contains("pooling"), "{told}");
}
