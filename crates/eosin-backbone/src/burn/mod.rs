// SPDX-License-Identifier: MIT OR Apache-2.0

//! Networks on burn's backends. No tensor type leaves this module.

mod device;
mod efficientnet;
mod layers;
mod resnet;
mod vit;

pub(crate) use device::BurnDevice;
pub(crate) use efficientnet::EfficientNet;
pub(crate) use resnet::ResNet;
pub(crate) use vit::Vit;
