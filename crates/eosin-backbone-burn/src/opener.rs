// SPDX-License-Identifier: MIT OR Apache-2.0

//! The engines of burn as openers of backbones.

use std::sync::Arc;

use eosin_backbone::{EngineOptions, LoadOptions, ONNX, has_family, refuse_onnx};
use eosin_core::{Backbone, BackboneOpener, BackboneRequest, Registry, Result};

use crate::load::on_burn;

/// Adds every engine of this build, in the order in which `auto` asks them.
pub fn register(registry: &mut Registry) {
    for engine in eosin_burn::ENGINES {
        if eosin_burn::is_built(engine) {
            registry.backbones.register(engine, Arc::new(BurnOpener { engine }));
        } else {
            registry.backbones.compiled_out(engine, engine);
        }
    }
}

/// Opens cards of the families of `eosin-backbone` on one engine.
struct BurnOpener {
    engine: &'static str,
}

impl BackboneOpener for BurnOpener {
    fn kind(&self) -> &'static str {
        self.engine
    }

    fn serves(&self, request: &BackboneRequest) -> bool {
        has_family(request.card)
            && request.weights_of(ONNX).is_none()
            && request.device.is_none_or(|device| eosin_burn::runs_on(self.engine, device))
    }

    fn open(&self, request: &BackboneRequest) -> Result<Box<dyn Backbone>> {
        refuse_onnx(request, self.engine)?;
        let engine = EngineOptions { engine: self.engine.into(), device: request.device };
        let weights = request.weights.map(ToOwned::to_owned);
        on_burn(request.card, &LoadOptions { engine, weights }, self.engine)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use eosin_backbone::builtin_card;
    use eosin_core::{BackboneRequest, Card, Device, Registry};

    fn serving(card: &Card, weights: Option<&str>, device: Option<Device>) -> Vec<String> {
        let mut registry = Registry::default();
        eosin_backbone::register(&mut registry);
        super::register(&mut registry);
        let weights = weights.map(Path::new);
        let request = BackboneRequest { card, weights, device, library: None };
        let serves = registry.backbones.values().filter(|opener| opener.serves(&request));
        serves.map(|opener| opener.kind().to_string()).take(2).collect()
    }

    fn flex_after(first: &[&str]) -> Vec<String> {
        let flex = cfg!(feature = "flex").then_some("flex");
        first.iter().copied().chain(flex).map(str::to_string).collect()
    }

    #[test]
    fn the_first_that_serves_is_the_fastest_that_has_the_family() {
        let lite = builtin_card("efficientnet-lite0").unwrap();
        assert_eq!(serving(&lite, None, None), flex_after(&["native"]));
        assert_eq!(serving(&lite, None, Some(Device::Cpu)), flex_after(&["native"]));
        let half = Card { precision: "f16".into(), ..lite.clone() };
        assert_eq!(serving(&half, None, None).first(), flex_after(&[]).first());
        let dense = builtin_card("densenet121").unwrap();
        assert_eq!(serving(&dense, None, None).first(), flex_after(&[]).first());
        let colours = builtin_card("colour-statistics").unwrap();
        assert_eq!(serving(&colours, None, None), ["native"]);
    }

    #[test]
    fn cards_of_others_and_devices_that_an_engine_has_not_are_left_to_others() {
        let lite = builtin_card("efficientnet-lite0").unwrap();
        assert!(serving(&lite, Some("graph.onnx"), None).is_empty());
        let foreign = Card { family: "palette".into(), ..lite.clone() };
        assert!(serving(&foreign, None, None).is_empty());
        let on_gpu = serving(&lite, None, Some(Device::Cuda(0)));
        assert!(on_gpu.iter().all(|engine| engine == "cuda" || engine == "tch"), "{on_gpu:?}");
    }
}
