// SPDX-License-Identifier: MIT OR Apache-2.0

//! Contracts, views and batches keep what their documentation promises.

use std::collections::BTreeMap;

use eosin_core::{
    Contract, Error, Fold, LabelledSet, Matrix, Mpp, Probabilities, RgbImage, TileUm, TrainBatch,
    TrainView, ViewBank,
};

fn contract() -> Contract {
    Contract {
        version: Contract::VERSION,
        backbone: "b".into(),
        weights_sha256: "00".into(),
        architecture: BTreeMap::from([("width".into(), "1".into())]),
        input_px: 224,
        mean: [0.5; 3],
        std: [0.5; 3],
        resampling: "bicubic antialias".into(),
        pooling: "average".into(),
        dim: 3,
        precision: "f32".into(),
        tile_um: Some(112.0),
        tile_px: 224,
        mpp_policy: "exact".into(),
        reader: "slide 1".into(),
        view: "identity".into(),
    }
}

fn set() -> LabelledSet {
    let rows: Vec<Vec<f32>> = (0..6).map(|i| vec![i as f32, -(i as f32)]).collect();
    LabelledSet::new(
        Matrix::from_rows(&rows).unwrap(),
        vec!["no".into(), "yes".into()],
        vec![0, 1, 0, 1, 0, 1],
        &["a", "a", "b", "b", "c", "c"],
    )
    .unwrap()
}

#[test]
fn every_field_changes_the_fingerprint() {
    let base = serde_json::to_value(contract()).unwrap();
    let changed = |field: &str, old: &serde_json::Value| match old {
        serde_json::Value::String(s) => serde_json::json!(format!("{s}x")),
        serde_json::Value::Number(n) => serde_json::json!(n.as_f64().unwrap() as u64 + 1),
        serde_json::Value::Array(_) => serde_json::json!([0.1, 0.2, 0.3]),
        serde_json::Value::Object(_) => serde_json::json!({"width": "2"}),
        other => panic!("{field} is {other}"),
    };
    for (field, old) in base.as_object().unwrap() {
        let mut other = base.clone();
        other[field] = changed(field, old);
        let other: Contract = serde_json::from_value(other).unwrap();
        assert_ne!(other.fingerprint(), contract().fingerprint(), "{field}");
        let Err(Error::Contract { differences, .. }) = contract().ensure_same(&other) else {
            panic!("{field} was not refused");
        };
        assert_eq!(differences.iter().map(|d| d.field.as_str()).collect::<Vec<_>>(), [field]);
    }
}

#[test]
fn the_fingerprint_survives_a_round_trip() {
    let again: Contract = serde_json::from_str(&contract().canonical()).unwrap();
    assert_eq!(again.fingerprint(), contract().fingerprint());
}

#[test]
fn a_group_on_both_sides_is_refused_with_its_name() {
    let set = set();
    let fold = Fold { train: vec![0, 1, 2], held_out: vec![3, 4, 5] };
    let error = TrainView::whole(&set).split(&fold).unwrap_err();
    assert!(error.to_string().contains("group b"), "{error}");
}

#[test]
fn a_position_out_of_range_or_taken_twice_is_refused() {
    let set = set();
    let view = TrainView::whole(&set);
    for train in [vec![0, 0], vec![6]] {
        assert!(view.split(&Fold { train, held_out: vec![4] }).is_err());
    }
}

#[test]
fn nested_splits_name_rows_of_the_set() {
    let set = set();
    let view = TrainView::whole(&set);
    let (outer, _) = view.split(&Fold { train: vec![2, 3, 4, 5], held_out: vec![0, 1] }).unwrap();
    let (inner, held_out) = outer.split(&Fold { train: vec![2, 3], held_out: vec![0, 1] }).unwrap();
    assert_eq!(inner.rows(), [4, 5]);
    assert_eq!(held_out.rows(), [2, 3]);
    assert_eq!(inner.features().row(1), [5.0, -5.0]);
}

#[test]
fn a_bank_serves_only_the_tiles_it_has() {
    let views = Matrix::new(4, 2, (0..8).map(|v| v as f32).collect()).unwrap();
    let set = set().with_bank(ViewBank::partial(2, views, &[1, 4], 6).unwrap()).unwrap();
    let view = TrainView::whole(&set);
    assert_eq!(view.bank_row(4, 1), Some(&[6.0, 7.0][..]));
    assert_eq!(view.bank_row(4, 2), None);
    assert_eq!(view.bank_row(0, 0), None);
}

#[test]
fn derived_rows_keep_parent_group_and_target() {
    let set = set();
    let batch = TrainBatch::from_view(&TrainView::whole(&set));
    let new =
        batch.derive(Matrix::new(2, 2, vec![9.0; 4]).unwrap(), &[3, 0], vec![0.5, 0.5]).unwrap();
    assert_eq!(new.parents(), [3, 0]);
    assert_eq!(new.groups(), [1, 0]);
    assert_eq!(new.labels(), [1, 0]);
}

#[test]
fn bad_values_are_refused() {
    let bad = Matrix::new(1, 2, vec![1.0, f32::NAN]).unwrap();
    assert!(LabelledSet::new(bad, vec!["a".into()], vec![0], &["g"]).is_err());
    let features = Matrix::new(1, 1, vec![1.0]).unwrap();
    assert!(LabelledSet::new(features, vec!["a".into()], vec![1], &["g"]).is_err());
    assert!(Mpp::new(0.0).is_err() && Mpp::new(f64::NAN).is_err() && TileUm::new(-1.0).is_err());
    assert!(RgbImage::new(2, 2, vec![0; 11]).is_err());
    assert!(Probabilities::new(2, vec![0.0; 3]).is_err());
}
