// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Head, HeadRecord, Result};

use crate::linear::LinearHead;
use crate::neighbours::{knn_from_record, nearest_mean_from_record};

/// The kinds that [`head_from_record`] knows.
pub const KINDS: [&str; 7] =
    ["logistic", "linfa-logistic", "ridge", "lda", "linear-svm", "knn", "nearest-mean"];

/// Makes a head again from what it was made of; it predicts the same bits.
pub fn head_from_record(record: &HeadRecord) -> Result<Box<dyn Head>> {
    if let Some((name, _)) =
        record.tensors.iter().find(|(_, t)| !t.values.iter().all(|v| v.is_finite()))
    {
        return Err(Error::input(
            format!("array {name} of the head"),
            "finite values",
            "NaN or infinity",
            "the head is damaged; train it again",
        ));
    }
    match record.kind.as_str() {
        "logistic" | "linfa-logistic" | "ridge" | "lda" | "linear-svm" => {
            Ok(Box::new(LinearHead::from_record(record)?))
        }
        "knn" => knn_from_record(record),
        "nearest-mean" => nearest_mean_from_record(record),
        kind => Err(Error::unsupported(
            format!("a head of kind {kind}"),
            &KINDS,
            "use the release that trained it, or register its plugin",
        )),
    }
}
