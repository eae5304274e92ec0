// SPDX-License-Identifier: MIT OR Apache-2.0

use burn::Dispatch;
use burn::tensor::backend::Backend;
use burn::tensor::module::{conv2d, linear};
use burn::tensor::ops::ModuleOps;
use burn::tensor::ops::{PadMode, PaddedConvOptions};
use burn::tensor::{FloatDType, Tensor, TensorData, TensorPrimitive, activation};
use eosin_core::{Error, Result};

use eosin_backbone::arch::{Activation, Conv, ConvShape};
use eosin_backbone::native::{LayerNorm, Linear};
use eosin_burn::BurnDevice;

/// Names the fields of a type that hold what training moves: `parameters!(Block: norm, layer);`.
macro_rules! parameters {
    ($of:ty: $($field:ident),+) => {
        #[cfg(feature = "fine-tune")]
        impl super::parameters::Parameters for $of {
            fn visit(&mut self, visitor: &mut impl super::parameters::Visitor) {
                $(super::parameters::Parameters::visit(&mut self.$field, visitor);)+
            }
        }
    };
}
pub(super) use parameters;

pub(super) type Tensor2 = Tensor<Dispatch, 2>;
pub(super) type Tensor3 = Tensor<Dispatch, 3>;
pub(super) type Tensor4 = Tensor<Dispatch, 4>;

/// Copies values to a device, in its precision.
pub(super) fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &BurnDevice,
) -> Tensor<Dispatch, D> {
    let tensor = Tensor::from_data(TensorData::new(values, shape), device.device());
    match device.dtype() {
        FloatDType::F32 => tensor,
        dtype => tensor.cast(dtype),
    }
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

/// Brings bytes to N × 3 × px × px and normalises them.
pub(super) fn input(
    pixels: &[u8],
    n_tiles: usize,
    px: usize,
    mean: [f64; 3],
    std: [f64; 3],
    device: &BurnDevice,
) -> Tensor4 {
    let plane = px * px;
    // A table per channel: 256 values are all there are.
    let tables: [Vec<f32>; 3] = std::array::from_fn(|c| {
        (0..=255).map(|v| ((f64::from(v) / 255.0 - mean[c]) / std[c]) as f32).collect()
    });
    let mut planes = vec![0.0; n_tiles * 3 * plane];
    for (tile, planes) in pixels.chunks_exact(plane * 3).zip(planes.chunks_exact_mut(plane * 3)) {
        for (c, (plane, table)) in planes.chunks_exact_mut(plane).zip(&tables).enumerate() {
            for (value, byte) in plane.iter_mut().zip(tile.iter().skip(c).step_by(3)) {
                *value = table[usize::from(*byte)];
            }
        }
    }
    tensor(planes, [n_tiles, 3, px, px], device)
}

/// A convolution with bias and activation.
pub(super) struct ConvLayer {
    shape: ConvShape,
    weight: Tensor4,
    bias: Tensor<Dispatch, 1>,
    activation: Activation,
}

impl ConvLayer {
    pub(super) fn new(conv: Conv, device: &BurnDevice) -> Self {
        let n = conv.shape.out_channels;
        Self {
            shape: conv.shape,
            weight: tensor(conv.weight, conv.shape.weight_shape(), device),
            bias: tensor(conv.bias, [n], device),
            activation: conv.activation,
        }
    }

    pub(super) fn forward(&self, x: Tensor4) -> Tensor4 {
        let (mut before, mut after) = self.shape.pads(x.dims()[2]);
        let mut x = x;
        let dtype = FloatDType::from(x.dtype());
        if before != after && dtype != FloatDType::F32 {
            // burn makes the border in f32 whatever the tensor is; zeros are the same in both.
            let sides = (before, after, before, after);
            x = x.cast(FloatDType::F32).pad(sides, PadMode::Constant(0.0)).cast(dtype);
            (before, after) = (0, 0);
        }
        let stride = [self.shape.stride; 2];
        let options = PaddedConvOptions::asymmetric(
            stride,
            [before; 2],
            [after; 2],
            [1, 1],
            self.shape.groups,
        );
        let x = conv2d(x, self.weight.clone(), Some(self.bias.clone()), options);
        activate(x, self.activation)
    }
}

/// A linear layer.
pub(super) struct LinearLayer {
    /// Input × output, which is the transpose of PyTorch's.
    weight: Tensor2,
    bias: Tensor<Dispatch, 1>,
}

impl LinearLayer {
    pub(super) fn new(layer: Linear, device: &BurnDevice) -> Self {
        let Linear { n_in, n_out, weight, bias } = layer;
        // Transposed here once: on the device it would stay a view that every product copies.
        let transposed: Vec<f32> =
            (0..n_in).flat_map(|i| weight.iter().skip(i).step_by(n_in).copied()).collect();
        let weight = tensor(transposed, [n_in, n_out], device);
        Self { weight, bias: tensor(bias, [n_out], device) }
    }

    pub(super) fn forward(&self, x: Tensor3) -> Tensor3 {
        linear(x, self.weight.clone(), Some(self.bias.clone()))
    }
}

/// A layer norm over the last dimension.
pub(super) struct NormLayer {
    weight: Tensor<Dispatch, 1>,
    bias: Tensor<Dispatch, 1>,
    eps: f64,
}

impl NormLayer {
    pub(super) fn new(norm: LayerNorm, eps: f32, device: &BurnDevice) -> Self {
        let n = norm.weight.len();
        let (weight, bias) = (tensor(norm.weight, [n], device), tensor(norm.bias, [n], device));
        Self { weight, bias, eps: f64::from(eps) }
    }

    pub(super) fn forward(&self, x: Tensor3) -> Tensor3 {
        Tensor::from_primitive(TensorPrimitive::Float(Dispatch::layer_norm(
            x.into_primitive().tensor(),
            self.weight.clone().into_primitive().tensor(),
            Some(self.bias.clone().into_primitive().tensor()),
            self.eps,
        )))
    }
}

parameters!(ConvLayer: weight, bias);
parameters!(LinearLayer: weight, bias);
parameters!(NormLayer: weight, bias);

/// Applies an activation.
pub(super) fn activate<const D: usize>(
    x: Tensor<Dispatch, D>,
    activation: Activation,
) -> Tensor<Dispatch, D> {
    match activation {
        Activation::None => x,
        Activation::Relu => activation::relu(x),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Silu => activation::silu(x),
        Activation::Gelu => activation::gelu(x),
        Activation::QuickGelu => x.clone() * activation::sigmoid(x * 1.702),
    }
}

/// A map as tokens: N × C × H × W to N × H · W × C.
pub(super) fn to_tokens(x: Tensor4) -> Tensor3 {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h * w]).swap_dims(1, 2)
}

/// Tokens as a map of `height` rows: N × H · W × C to N × C × H × W.
pub(super) fn from_tokens(x: Tensor3, height: usize) -> Tensor4 {
    let [n, n_tokens, c] = x.dims();
    x.swap_dims(1, 2).reshape([n, c, height, n_tokens / height])
}

/// Averages over all positions: N × C × H × W to N × C.
pub(super) fn average_pool(x: Tensor4) -> Tensor2 {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h * w]).mean_dim(2).reshape([n, c])
}
