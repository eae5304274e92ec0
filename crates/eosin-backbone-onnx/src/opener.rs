// SPDX-License-Identifier: MIT OR Apache-2.0

use std::sync::Arc;

use eosin_core::{
    Backbone, BackboneOpener, BackboneRequest, Card, Device, Error, Registry, Result, WeightsSource,
};

use crate::{OnnxArgs, OnnxOptions, load};

const KIND: &str = "onnx";

/// Adds engine `onnx`.
pub fn register(registry: &mut Registry) {
    registry.backbones.register(KIND, Arc::new(OnnxOpener));
}

/// Opens cards whose weights are an ONNX file, of whatever family.
struct OnnxOpener;

impl BackboneOpener for OnnxOpener {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn serves(&self, request: &BackboneRequest) -> bool {
        let runs_on = |device| matches!(device, Device::Cpu | Device::Cuda(_));
        (request.weights_of(KIND).is_some() || request.card.family == KIND)
            && request.device.is_none_or(runs_on)
    }

    fn open(&self, request: &BackboneRequest) -> Result<Box<dyn Backbone>> {
        let BackboneRequest { card, device, library, .. } = *request;
        if let Some(device @ (Device::Mps | Device::Vulkan(_))) = device {
            return Err(Error::input(
                "device of engine `onnx`",
                "cpu or cuda:N",
                device.to_string(),
                "leave the device out, or name another engine",
            ));
        }
        let file = request.weights_of(KIND).ok_or_else(|| no_file(card))?;
        // Another family's arguments describe its architecture, which the file already has.
        let is_own = card.family == KIND;
        let args = if is_own { card.arguments()? } else { OnnxArgs::default() };
        let sha256 = match &card.weights {
            WeightsSource::File { sha256, .. } if is_own => sha256.clone(),
            source => source.pinned_sha256().map(str::to_string),
        };
        let library = library.map(ToOwned::to_owned);
        let options = OnnxOptions { sha256, args, library, device, ..OnnxOptions::new(file) };
        Ok(Box::new(load(card.info(String::new(), 0, String::new()), &options)?))
    }
}

fn no_file(card: &Card) -> Error {
    let from = match &card.weights {
        WeightsSource::File { source, .. } | WeightsSource::Hub { source, .. } => {
            format!(" from {source}")
        }
        _ => String::new(),
    };
    Error::input(
        format!("card {}, weights for engine `onnx`", card.name),
        "an ONNX file",
        "none",
        format!("get it{from}, or export it, and name it by --weights as {}.onnx", card.name),
    )
}
