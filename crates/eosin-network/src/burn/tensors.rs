// SPDX-License-Identifier: MIT OR Apache-2.0

use ::burn::tensor::backend::Backend;
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

/// Copies values from a device, once all that was queued for them is done.
pub(super) fn values<const D: usize>(tensor: Tensor<Dispatch, D>) -> Result<Vec<f32>> {
    let device = tensor.device();
    // wgpu's read does not tell that an operation before it failed, for want of memory say: what
    // is read then was never written.
    Dispatch::sync(&device)
        .and_then(|()| tensor.try_into_data())
        .map_err(|e| e.to_string())
        .and_then(|data| data.convert::<f32>().to_vec().map_err(|e| format!("{e:?}")))
        .map_err(|reason| Error::device(Dispatch::name(&device), reason))
}

/// The sum of weighted cross-entropies: −Σ targets ⊙ log softmax(logits), each row of targets
/// scaled by its weight.
pub(super) fn cross_entropy(logits: Tensor2, weighted_targets: Tensor2) -> Tensor1 {
    let log_p = ::burn::tensor::activation::log_softmax(logits, 1);
    log_p.mul(weighted_targets).sum().neg()
}
