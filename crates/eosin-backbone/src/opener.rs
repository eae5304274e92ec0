// SPDX-License-Identifier: MIT OR Apache-2.0

//! The engines of this crate as openers of backbones.

use std::sync::Arc;

use eosin_core::{Backbone, BackboneOpener, BackboneRequest, Error, Registry, Result};

use crate::engine::runs_on;
use crate::load::has_native;
use crate::{EngineOptions, LoadOptions, load};

/// Engines that `auto` asks, in this order, each with whether this build has it.
const OPENERS: [(&str, bool); 5] = [
    ("native", true),
    ("flex", cfg!(feature = "flex")),
    ("cuda", cfg!(feature = "cuda")),
    ("tch", cfg!(feature = "tch")),
    ("wgpu", cfg!(feature = "wgpu")),
];

/// The ending of weights that no engine of this crate reads.
const ONNX: &str = "onnx";

/// Adds every engine of this build.
pub fn register(registry: &mut Registry) {
    for (engine, is_built) in OPENERS {
        if is_built {
            registry.backbones.register(engine, Arc::new(EngineOpener { engine }));
        } else {
            registry.backbones.compiled_out(engine, engine);
        }
    }
}

/// Opens cards of the families that this crate has, on one engine.
struct EngineOpener {
    engine: &'static str,
}

impl BackboneOpener for EngineOpener {
    fn kind(&self) -> &'static str {
        self.engine
    }

    fn serves(&self, request: &BackboneRequest) -> bool {
        let has_family = match has_native(request.card) {
            Some(has_native) if self.engine == "native" => has_native,
            // Statistics of colours need no engine, so `native` alone has them.
            Some(_) => request.card.family != "colour-statistics",
            None => false,
        };
        has_family
            && request.weights_of(ONNX).is_none()
            && request.device.is_none_or(|device| runs_on(self.engine, device))
    }

    fn open(&self, request: &BackboneRequest) -> Result<Box<dyn Backbone>> {
        if request.weights_of(ONNX).is_some() {
            return Err(Error::input(
                format!("engine for card {}", request.card.name),
                "`auto` or `onnx`, since its weights are an ONNX file",
                format!("`{}`", self.engine),
                "choose engine `auto`",
            ));
        }
        let engine = EngineOptions { engine: self.engine.into(), device: request.device };
        let weights = request.weights.map(ToOwned::to_owned);
        load(request.card, &LoadOptions { engine, weights })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use eosin_core::{BackboneRequest, Card, Device, Registry};

    use super::register;
    use crate::builtin_card;

    fn serving(card: &Card, weights: Option<&str>, device: Option<Device>) -> Vec<String> {
        let mut registry = Registry::default();
        register(&mut registry);
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
