// SPDX-License-Identifier: MIT OR Apache-2.0

use ::burn::tensor::{Tensor, TensorData};
use ::burn::{Dispatch, DispatchDevice};
use eosin_core::{Error, Result};

pub(super) type Tensor1 = Tensor<Dispatch, 1>;
pub(super) type Tensor2 = Tensor<Dispatch, 2>;

/// Copies values to a device.
pub(super) fn tensor(
    values: Vec<f32>,
    rows: usize,
    cols: usize,
    device: &DispatchDevice,
) -> Tensor2 {
    Tensor::from_data(TensorData::new(values, [rows, cols]), device)
}

/// Copies values from a device.
pub(super) fn values<const D: usize>(tensor: Tensor<Dispatch, D>) -> Result<Vec<f32>> {
    tensor.into_data().convert::<f32>().to_vec::<f32>().map_err(|e| {
        Error::unsupported(
            format!("reading the device's result ({e:?})"),
            &[],
            "choose engine `flex` and report this",
        )
    })
}

/// The sum of weighted cross-entropies: −Σ targets ⊙ log softmax(logits), each row of targets
/// scaled by its weight.
pub(super) fn cross_entropy(logits: Tensor2, weighted_targets: Tensor2) -> Tensor1 {
    let log_p = ::burn::tensor::activation::log_softmax(logits, 1);
    log_p.mul(weighted_targets).sum().neg()
}
