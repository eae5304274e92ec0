// SPDX-License-Identifier: MIT OR Apache-2.0

//! Architectures as plain data: what a card's arguments mean, which tensors a network needs, and
//! those tensors in the order in which every engine applies them.
//!
//! Tensor names are timm's; weights that come under other names are renamed before they get here.
//! Batch norms are folded into the convolution before them, so an engine knows none.

mod conv;
mod efficientnet;

pub use conv::{Activation, BatchNorm, Conv, ConvShape, Padding, TensorSpec, same_padding};
pub use efficientnet::{
    EfficientNetArch, EfficientNetArgs, EfficientNetWeights, MbConv, MbConvWeights, SqueezeExcite,
};
