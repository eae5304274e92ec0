// SPDX-License-Identifier: MIT OR Apache-2.0

//! Networks on burn's backends. No tensor type leaves this module.

mod device;
mod efficientnet;
mod layers;

pub(crate) use device::BurnDevice;
pub(crate) use efficientnet::EfficientNet;
