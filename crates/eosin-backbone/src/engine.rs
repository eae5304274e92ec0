// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Card, Device, Error, Result};

use crate::native::{self, Input};
use crate::network::{Layers, Network};

/// Name of the engine of this crate.
pub(crate) const NATIVE: &str = "native";

/// Which engine computes on which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// `auto`, `native`, or an engine of another crate, such as eosin-backbone-burn.
    pub engine: String,
    /// Where to compute; the engine's usual device where absent.
    pub device: Option<Device>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { engine: "auto".into(), device: None }
    }
}

/// What runs the networks of this crate's families: [`load_on`](crate::load_on) reads a card's
/// weights and hands them to it layer by layer.
pub trait NetworkEngine: Send + Sync {
    /// Engine and device, as reports show them.
    fn name(&self) -> String;

    /// The same engine with weights and arithmetic in `f16` or `bf16`; none where its device has
    /// them not.
    fn in_precision(&self, precision: &str) -> Option<Box<dyn NetworkEngine>>;

    /// Makes a network of its layers, for square images of `input.px`.
    ///
    /// An engine that lacks the family is an error of kind unsupported.
    fn build(&self, layers: Layers, card: &Card, input: &Input) -> Result<Box<dyn Network>>;
}

/// The pure-Rust engine of this crate.
pub(crate) struct NativeEngine;

impl NetworkEngine for NativeEngine {
    fn name(&self) -> String {
        NATIVE.into()
    }

    fn in_precision(&self, _precision: &str) -> Option<Box<dyn NetworkEngine>> {
        None
    }

    fn build(&self, layers: Layers, card: &Card, input: &Input) -> Result<Box<dyn Network>> {
        Ok(match layers {
            Layers::EfficientNet(weights) => Box::new(native::EfficientNet::new(&weights, input)?),
            Layers::ResNet(weights) => Box::new(native::ResNet::new(&weights, input)?),
            Layers::Vit(weights) => Box::new(native::Vit::new(&weights, input)?),
            Layers::DenseNet(_) | Layers::ConvNext(_) | Layers::Swin(_) => {
                return Err(no_family(&format!("card {}", card.name)));
            }
        })
    }
}

/// Refuses options that name another engine or a device that this one does not compute on.
pub(crate) fn require_native(options: &EngineOptions, has_native: bool) -> Result<()> {
    if !["auto", NATIVE].contains(&options.engine.as_str()) {
        return Err(Error::unsupported(
            format!("engine `{}` in crate eosin-backbone", options.engine),
            &["auto", NATIVE],
            "eosin-backbone-burn has the others",
        ));
    }
    if let Some(device) = options.device.filter(|&device| device != Device::Cpu) {
        return Err(Error::input(
            format!("device of engine `{NATIVE}`"),
            "a device that it computes on",
            device.to_string(),
            "leave the device out, or name another engine",
        ));
    }
    if has_native { Ok(()) } else { Err(no_family("this architecture family")) }
}

fn no_family(what: &str) -> Error {
    Error::unsupported(
        format!("engine `{NATIVE}` for {what}"),
        &[],
        "choose engine `auto` or `flex`",
    )
}
