// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

#[cfg(feature = "burn")]
mod device;

use eosin_core::{Device, Error};

#[cfg(feature = "burn")]
pub use device::BurnDevice;

/// Every engine of burn that Eosin has names for, each also a Cargo feature.
///
/// | engine | device | needs |
/// |---|---|---|
/// | `flex` | CPU | feature `flex` |
/// | `cuda` | NVIDIA GPU | feature `cuda`, a driver and the CUDA toolkit's nvrtc at run time |
/// | `tch` | CPU or NVIDIA GPU | feature `tch` and libtorch when building and running |
/// | `wgpu` | any GPU | feature `wgpu` and a Vulkan, Metal or DirectX driver |
pub const ENGINES: [&str; 4] = ["flex", "cuda", "tch", "wgpu"];

/// Whether this build has the engine.
pub fn is_built(engine: &str) -> bool {
    match engine {
        "flex" => cfg!(feature = "flex"),
        "cuda" => cfg!(feature = "cuda"),
        "tch" => cfg!(feature = "tch"),
        "wgpu" => cfg!(feature = "wgpu"),
        _ => false,
    }
}

/// Whether an engine computes on a device.
pub fn runs_on(engine: &str, device: Device) -> bool {
    match engine {
        "flex" => device == Device::Cpu,
        "cuda" => matches!(device, Device::Cuda(_)),
        "tch" => !matches!(device, Device::Vulkan(_)),
        "wgpu" => matches!(device, Device::Vulkan(_) | Device::Mps),
        _ => false,
    }
}

/// The error of an engine that this build has not, or that nobody knows.
pub fn compiled_out(engine: &str) -> Error {
    if ENGINES.contains(&engine) {
        let feature = format!("build with the Cargo feature `{engine}`, or choose another engine");
        return Error::unsupported(format!("engine `{engine}` in this build"), &[], feature);
    }
    Error::unsupported(format!("engine `{engine}`"), &ENGINES, "choose one of these")
}
