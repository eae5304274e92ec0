// SPDX-License-Identifier: MIT OR Apache-2.0

//! Architectures as plain data: what a card's arguments mean, which tensors a network needs, and
//! those tensors in the order in which every engine applies them.
//!
//! Tensor names are timm's; weights that come under other names are renamed before they get here.
//! Batch norms are folded into the convolution before them and layer scales into the layer before
//! them, so an engine knows none.

mod attention_pool;
mod conv;
mod convnext;
mod densenet;
mod efficientnet;
mod positions;
mod resnet;
mod swin;
mod vit;

pub use attention_pool::{AttentionPool, Tail};
pub use conv::{Activation, BatchNorm, Conv, ConvShape, Padding, TensorSpec, same_padding};
pub use convnext::{ConvNextArch, ConvNextArgs, ConvNextBlock, ConvNextStage, ConvNextWeights};
pub use densenet::{DenseBlockWeights, DenseNetArch, DenseNetArgs, DenseNetWeights};
pub use efficientnet::{
    EfficientNetArch, EfficientNetArgs, EfficientNetWeights, MapPooling, MbConv, MbConvWeights,
    SqueezeExcite,
};
pub use resnet::{
    ResNetArch, ResNetArgs, ResNetBlock, ResNetWeights, ResidualBlock, ResidualBlockWeights,
};
pub use swin::{SwinArch, SwinArgs, SwinStage, SwinWeights};
pub use vit::{Mlp, VitArch, VitArgs};
