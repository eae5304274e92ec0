// SPDX-License-Identifier: MIT OR Apache-2.0

use serde::{Deserialize, Serialize};

use crate::WeightMap;
use crate::native::{LayerNorm, Linear};

/// Name and shape of a tensor that a network needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// timm's name.
    pub name: String,
    /// Shape, as PyTorch orders it.
    pub shape: Vec<usize>,
}

/// What follows a convolution or linear layer, element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x · sigmoid(x), also called swish.
    Silu,
    /// x · Φ(x) with the exact normal distribution.
    Gelu,
    /// x · sigmoid(1.702 x), of CLIP.
    QuickGelu,
}

/// How a convolution's input is padded with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// (k − 1) / 2 on every side, as PyTorch's layers have it.
    Symmetric,
    /// TensorFlow's SAME: as much as ⌈n / stride⌉ outputs need, the odd pixel after.
    Same,
}

/// Sizes of a square 2-d convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step between outputs.
    pub stride: usize,
    /// Groups; `in_channels` for a depthwise convolution.
    pub groups: usize,
    /// Padding rule.
    pub padding: Padding,
}

/// A convolution with its batch norm folded in and the activation that follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Sizes.
    pub shape: ConvShape,
    /// out × in / groups × kernel × kernel.
    pub weight: Vec<f32>,
    /// One value per output channel.
    pub bias: Vec<f32>,
    /// What follows.
    pub activation: Activation,
}

/// A batch norm that is to be folded: its name and ε.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// Prefix of its four tensors.
    pub name: &'a str,
    /// Added to the variance.
    pub eps: f64,
}

/// Zeros before and after `n` pixels by TensorFlow's SAME rule.
///
/// With `n` = 224, kernel 3 and stride 2 that is (0, 1): PyTorch's symmetric padding would be
/// (1, 1) and shift every feature by a pixel.
pub fn same_padding(n: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let n_out = n.div_ceil(stride);
    let total = ((n_out - 1) * stride + kernel).saturating_sub(n);
    (total / 2, total - total / 2)
}

impl ConvShape {
    /// Zeros before and after a side of `n` pixels.
    pub fn pads(&self, n: usize) -> (usize, usize) {
        match self.padding {
            Padding::Symmetric => ((self.kernel - 1) / 2, (self.kernel - 1) / 2),
            Padding::Same => same_padding(n, self.kernel, self.stride),
        }
    }

    /// Number of outputs along a side of `n` pixels.
    pub fn n_out(&self, n: usize) -> usize {
        let (before, after) = self.pads(n);
        (n + before + after).saturating_sub(self.kernel) / self.stride + 1
    }

    /// Whether every channel is convolved by itself.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.in_channels && self.groups == self.out_channels
    }

    /// Shape of the weight, as PyTorch orders it.
    pub fn weight_shape(&self) -> [usize; 4] {
        [self.out_channels, self.in_channels / self.groups, self.kernel, self.kernel]
    }
}

impl Conv {
    /// Takes `name.weight` and folds `norm` into it, in `f64`.
    ///
    /// Where the weights hold `name.bias` instead of the norm they were folded before.
    pub fn take(
        weights: &mut WeightMap,
        name: &str,
        norm: BatchNorm,
        shape: ConvShape,
        activation: Activation,
    ) -> Self {
        let n = shape.out_channels;
        let mut weight = weights.take(&format!("{name}.weight"), &shape.weight_shape()).values;
        let norm_weight = format!("{}.weight", norm.name);
        let bias_name = format!("{name}.bias");
        if !weights.contains(&norm_weight) && weights.contains(&bias_name) {
            let bias = weights.take(&bias_name, &[n]).values;
            return Self { shape, weight, bias, activation };
        }
        let (scale, shift) = norm.take(weights, n);
        let per_channel = weight.len() / n.max(1);
        for (c, scale) in scale.iter().enumerate() {
            for w in &mut weight[c * per_channel..(c + 1) * per_channel] {
                *w = (f64::from(*w) * scale) as f32;
            }
        }
        Self { shape, weight, bias: shift.iter().map(|&b| b as f32).collect(), activation }
    }

    /// Takes `name.weight` and, where `has_bias`, `name.bias`; no norm follows.
    pub fn take_plain(
        weights: &mut WeightMap,
        name: &str,
        has_bias: bool,
        shape: ConvShape,
        activation: Activation,
    ) -> Self {
        let n = shape.out_channels;
        let weight = weights.take(&format!("{name}.weight"), &shape.weight_shape()).values;
        let bias = if has_bias {
            weights.take(&format!("{name}.bias"), &[n]).values
        } else {
            vec![0.0; n]
        };
        Self { shape, weight, bias, activation }
    }
}

impl BatchNorm<'_> {
    /// Takes its four tensors and makes them a factor and a summand per channel.
    fn take(&self, weights: &mut WeightMap, n: usize) -> (Vec<f64>, Vec<f64>) {
        let mut part = |part: &str| weights.take(&format!("{}.{part}", self.name), &[n]).values;
        let (gamma, beta) = (part("weight"), part("bias"));
        let (mean, variance) = (part("running_mean"), part("running_var"));
        let scale = gamma.iter().zip(&variance);
        let scale: Vec<f64> =
            scale.map(|(&g, &v)| f64::from(g) / (f64::from(v) + self.eps).sqrt()).collect();
        let shift = beta.iter().zip(&mean).zip(&scale);
        let shift = shift.map(|((&b, &m), s)| f64::from(b) - f64::from(m) * s).collect();
        (scale, shift)
    }

    /// Takes its four tensors as a depthwise 1 × 1 convolution, for a norm that stands before the
    /// convolution and cannot be folded.
    pub fn take_alone(&self, weights: &mut WeightMap, n: usize, activation: Activation) -> Conv {
        let (scale, shift) = self.take(weights, n);
        let shape = ConvShape {
            in_channels: n,
            out_channels: n,
            kernel: 1,
            stride: 1,
            groups: n,
            padding: Padding::Symmetric,
        };
        let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
        Conv { shape, weight: narrow(scale), bias: narrow(shift), activation }
    }
}

/// The names and shapes of a convolution without bias and of the batch norm after it.
pub(super) fn conv_norm_specs(conv: &str, shape: &ConvShape, norm: &str) -> Vec<TensorSpec> {
    let mut specs = vec![conv_spec(conv, shape)];
    specs.extend(norm_specs(norm, shape.out_channels));
    specs
}

/// The name and shape of a convolution's weight.
pub(super) fn conv_spec(conv: &str, shape: &ConvShape) -> TensorSpec {
    TensorSpec { name: format!("{conv}.weight"), shape: shape.weight_shape().to_vec() }
}

/// The names and shapes of a batch norm.
pub(super) fn norm_specs(norm: &str, n: usize) -> Vec<TensorSpec> {
    let spec = |part| TensorSpec { name: format!("{norm}.{part}"), shape: vec![n] };
    ["weight", "bias", "running_mean", "running_var"].map(spec).to_vec()
}

/// The names and shapes of a layer's weight and bias: a layer norm's or a linear layer's.
pub(super) fn pair_specs(name: &str, shape: &[usize]) -> [TensorSpec; 2] {
    [
        TensorSpec { name: format!("{name}.weight"), shape: shape.to_vec() },
        TensorSpec { name: format!("{name}.bias"), shape: vec![shape[0]] },
    ]
}

/// Takes a layer norm.
pub(super) fn take_layer_norm(weights: &mut WeightMap, name: &str, width: usize) -> LayerNorm {
    LayerNorm {
        weight: weights.take(&format!("{name}.weight"), &[width]).values,
        bias: weights.take(&format!("{name}.bias"), &[width]).values,
    }
}

/// Takes a linear layer.
pub(super) fn take_linear(
    weights: &mut WeightMap,
    name: &str,
    n_out: usize,
    n_in: usize,
) -> Linear {
    Linear {
        n_in,
        n_out,
        weight: weights.take(&format!("{name}.weight"), &[n_out, n_in]).values,
        bias: weights.take(&format!("{name}.bias"), &[n_out]).values,
    }
}
