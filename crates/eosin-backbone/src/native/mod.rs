// SPDX-License-Identifier: MIT OR Apache-2.0

//! A fused, inference-only engine for CPUs in f32.
//!
//! Weights are packed once into the layout of the machine's kernel, which is chosen at run time
//! (AVX-512, AVX2 with FMA, NEON, or a portable one); activations stay channels-last, so that a
//! convolution is a matrix product over strided rows with bias, residual and activation applied
//! while the result is still in registers.
//! Every output is summed in one fixed order, so results do not depend on threads or batch size.

mod attention;
mod buffer;
mod conv;
mod depthwise;
mod efficientnet;
mod image;
mod kernel;
mod linear;
mod peak;
mod pool;
mod resnet;
mod vit;
mod vit_weights;
mod winograd;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_vit;

pub use efficientnet::EfficientNet;
pub use image::{Input, Precision};
pub use kernel::Isa;
pub use peak::gemm_peak;
pub use resnet::ResNet;
pub use vit::Vit;
pub use vit_weights::{
    LayerNorm, Linear, MlpActivation, TokenPooling, VitBlockWeights, VitWeights,
};
