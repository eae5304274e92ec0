// SPDX-License-Identifier: MIT OR Apache-2.0

//! The families of `eosin-backbone` on burn's backends. No tensor type leaves this module.

mod convnext;
mod densenet;
mod efficientnet;
#[cfg(feature = "fine-tune")]
mod fine_tune;
mod layers;
#[cfg(feature = "fine-tune")]
mod parameters;
mod resnet;
mod swin;
mod vit;

pub(crate) use convnext::ConvNext;
pub(crate) use densenet::DenseNet;
pub(crate) use efficientnet::EfficientNet;
#[cfg(feature = "fine-tune")]
pub(crate) use fine_tune::fine_tune;
pub(crate) use resnet::ResNet;
pub(crate) use swin::Swin;
pub(crate) use vit::Vit;
