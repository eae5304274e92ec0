// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Device, Error, Result};

/// Every engine's name, each also its Cargo feature but for `auto` and `native`.
///
/// | engine | device | needs |
/// |---|---|---|
/// | `auto` | CPU | nothing: `native` where it has the family, else `flex` |
/// | `native` | CPU | nothing, always there |
/// | `flex` | CPU | feature `flex` |
/// | `cuda` | NVIDIA GPU | feature `cuda`, a driver and the CUDA toolkit's nvrtc at run time |
/// | `tch` | CPU or NVIDIA GPU | feature `tch` and libtorch when building and running |
/// | `wgpu` | any GPU | feature `wgpu` and a Vulkan, Metal or DirectX driver |
/// | `onnx` | CPU or NVIDIA GPU | crate eosin-backbone-onnx, onnxruntime at run time, an ONNX file |
pub const ENGINES: [&str; 7] = ["auto", "native", "flex", "cuda", "tch", "wgpu", "onnx"];

/// Which engine computes on which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// One of [`ENGINES`].
    pub engine: String,
    /// Where to compute; the engine's usual device where absent.
    pub device: Option<Device>,
}

/// An engine that this build has.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    /// The pure-Rust engine of this crate.
    Native,
    /// A backend of burn.
    #[cfg(feature = "burn")]
    Burn(crate::burn::BurnDevice),
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { engine: "auto".into(), device: None }
    }
}

impl Engine {
    /// Engine and device, as reports show them.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Native => "native".into(),
            #[cfg(feature = "burn")]
            Self::Burn(device) => device.name(),
        }
    }

    /// The engine with weights and arithmetic in `f16` or `bf16`, where its device has them.
    #[cfg(feature = "burn")]
    pub(crate) fn in_half(&self, precision: &str) -> Option<Self> {
        match self {
            Self::Native => None,
            Self::Burn(device) => device.in_precision(precision).map(Self::Burn),
        }
    }

    #[cfg(not(feature = "burn"))]
    #[expect(clippy::unused_self, reason = "the same call with and without burn")]
    pub(crate) fn in_half(&self, _precision: &str) -> Option<Self> {
        None
    }

    /// The engine that the options name; `auto` becomes `native` where `has_native`.
    pub(crate) fn choose(options: &EngineOptions, has_native: bool) -> Result<Self> {
        let (engine, device) = (options.engine.as_str(), options.device);
        let has_native =
            has_native && (engine == "native" || device.is_none_or(|d| runs_on("native", d)));
        let engine = match engine {
            "auto" | "native" if has_native => "native",
            "auto" => "flex",
            named => named,
        };
        if let Some(device) = device.filter(|&d| ENGINES.contains(&engine) && !runs_on(engine, d)) {
            return Err(Error::input(
                format!("device of engine `{engine}`"),
                "a device that it computes on",
                device.to_string(),
                "leave the device out, or name another engine",
            ));
        }
        match engine {
            "native" if has_native => Ok(Self::Native),
            "native" => Err(Error::unsupported(
                "engine `native` for this architecture family",
                &ENGINES,
                "choose engine `auto` or `flex`",
            )),
            name if ENGINES.contains(&name) => Self::burn(name, device),
            other => Err(Error::unsupported(
                format!("engine `{other}`"),
                &ENGINES,
                "choose one of these, or `auto`",
            )),
        }
    }

    #[cfg(feature = "burn")]
    fn burn(name: &str, device: Option<Device>) -> Result<Self> {
        crate::burn::BurnDevice::open(name, device)
            .map(Self::Burn)
            .ok_or_else(|| compiled_out(name))
    }

    #[cfg(not(feature = "burn"))]
    fn burn(name: &str, _device: Option<Device>) -> Result<Self> {
        Err(compiled_out(name))
    }
}

/// Whether an engine of this crate computes on a device.
pub(crate) fn runs_on(engine: &str, device: Device) -> bool {
    match engine {
        "native" | "flex" => device == Device::Cpu,
        "cuda" => matches!(device, Device::Cuda(_)),
        "tch" => !matches!(device, Device::Vulkan(_)),
        "wgpu" => matches!(device, Device::Vulkan(_) | Device::Mps),
        _ => false,
    }
}

fn compiled_out(name: &str) -> Error {
    Error::unsupported(
        format!("engine `{name}` in this build"),
        &[],
        format!("build with the Cargo feature `{name}`, or choose engine `auto`"),
    )
}
