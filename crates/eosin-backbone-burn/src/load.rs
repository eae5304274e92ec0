// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_backbone::{EngineCheck, EngineOptions, LoadOptions, doctor_with};
use eosin_core::{Backbone, Card, Result};

/// The engines of [`load`]: `native` is that of `eosin-backbone`, `auto` is `native` where that
/// has the card's family and precision, else `flex`.
pub const ENGINES: [&str; 6] = ["auto", "native", "flex", "cuda", "tch", "wgpu"];

/// Makes the backbone that a card describes ready to run, on any of [`ENGINES`].
pub fn load(card: &Card, options: &LoadOptions) -> Result<Box<dyn Backbone>> {
    let EngineOptions { engine, device } = &options.engine;
    let is_native = match engine.as_str() {
        "native" => true,
        "auto" => eosin_backbone::serves(card, *device),
        _ => false,
    };
    // A card of no family of ours is refused there, by the name of its family.
    if is_native || !eosin_backbone::has_family(card) {
        let engine = EngineOptions { engine: "native".into(), device: *device };
        return eosin_backbone::load(card, &LoadOptions { engine, ..options.clone() });
    }
    let engine = if engine == "auto" { "flex" } else { engine };
    on_burn(card, options, engine)
}

#[cfg(feature = "burn")]
pub(crate) fn on_burn(
    card: &Card,
    options: &LoadOptions,
    engine: &str,
) -> Result<Box<dyn Backbone>> {
    let device = eosin_burn::BurnDevice::open(engine, options.engine.device)?;
    eosin_backbone::load_on(card, options.weights.as_deref(), &crate::engine::BurnEngine(device))
}

#[cfg(not(feature = "burn"))]
pub(crate) fn on_burn(
    _card: &Card,
    _options: &LoadOptions,
    engine: &str,
) -> Result<Box<dyn Backbone>> {
    Err(eosin_burn::compiled_out(engine))
}

/// Runs the golden tiles through a card's backbone on every engine and compares; see
/// [`doctor_with`].
///
/// The embedded backbone is compared with golden vectors, a card in another precision than f32
/// with f32, and any other with the first engine that runs it. Engines that this build or machine
/// does not have stand there with their reason.
pub fn doctor(card: &Card, options: &LoadOptions) -> Vec<EngineCheck> {
    let engines: Vec<&str> = ENGINES.into_iter().filter(|engine| *engine != "auto").collect();
    doctor_with(card, &engines, |card, engine| {
        let engine = EngineOptions { engine: engine.into(), device: options.engine.device };
        load(card, &LoadOptions { engine, ..options.clone() })
    })
}
