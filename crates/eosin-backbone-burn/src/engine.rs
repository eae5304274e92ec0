// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_backbone::native::Input;
use eosin_backbone::{Layers, Network, NetworkEngine};
use eosin_burn::BurnDevice;
use eosin_core::{Card, Result};

use crate::networks::{ConvNext, DenseNet, EfficientNet, ResNet, Swin, Vit};

/// A backend of burn as an engine: it has every family.
pub(crate) struct BurnEngine(pub(crate) BurnDevice);

impl NetworkEngine for BurnEngine {
    fn name(&self) -> String {
        self.0.name()
    }

    fn in_precision(&self, precision: &str) -> Option<Box<dyn NetworkEngine>> {
        Some(Box::new(Self(self.0.in_precision(precision)?)))
    }

    fn build(&self, layers: Layers, _card: &Card, input: &Input) -> Result<Box<dyn Network>> {
        let (device, Input { px, mean, std, .. }) = (self.0.clone(), *input);
        Ok(match layers {
            Layers::EfficientNet(weights) => {
                Box::new(EfficientNet::new(weights, mean, std, device))
            }
            Layers::ResNet(weights) => Box::new(ResNet::new(weights, mean, std, device)),
            Layers::DenseNet(weights) => Box::new(DenseNet::new(weights, mean, std, device)),
            Layers::ConvNext(weights) => Box::new(ConvNext::new(weights, mean, std, device)),
            Layers::Swin(weights) => Box::new(Swin::new(weights, px, mean, std, device)),
            Layers::Vit(weights) => Box::new(Vit::new(weights, mean, std, device)),
        })
    }
}
