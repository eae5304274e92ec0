// SPDX-License-Identifier: MIT OR Apache-2.0

//! The engine of this crate as an opener of backbones.

use std::sync::Arc;

use eosin_core::{Backbone, BackboneOpener, BackboneRequest, Error, Registry, Result};

use crate::engine::NATIVE;
use crate::load::serves;
use crate::{EngineOptions, LoadOptions, load};

/// The ending of weights that no engine for these families reads.
pub const ONNX: &str = "onnx";

/// Adds the engine `native`.
pub fn register(registry: &mut Registry) {
    registry.backbones.register(NATIVE, Arc::new(NativeOpener));
}

/// Opens cards of the families that run on the engine of this crate.
struct NativeOpener;

impl BackboneOpener for NativeOpener {
    fn kind(&self) -> &'static str {
        NATIVE
    }

    fn serves(&self, request: &BackboneRequest) -> bool {
        serves(request.card, request.device) && request.weights_of(ONNX).is_none()
    }

    fn open(&self, request: &BackboneRequest) -> Result<Box<dyn Backbone>> {
        refuse_onnx(request, NATIVE)?;
        let engine = EngineOptions { engine: NATIVE.into(), device: request.device };
        let weights = request.weights.map(ToOwned::to_owned);
        load(request.card, &LoadOptions { engine, weights })
    }
}

/// Refuses weights that are a graph of their own, for an engine that takes tensors.
pub fn refuse_onnx(request: &BackboneRequest, engine: &str) -> Result<()> {
    if request.weights_of(ONNX).is_none() {
        return Ok(());
    }
    Err(Error::input(
        format!("engine for card {}", request.card.name),
        "`auto` or `onnx`, since its weights are an ONNX file",
        format!("`{engine}`"),
        "choose engine `auto`",
    ))
}
