// SPDX-License-Identifier: MIT OR Apache-2.0

use ::burn::DispatchDevice;
use eosin_core::{Device, Error, Result};

use crate::{Compute, ENGINES};

/// The device that the options name.
pub(super) fn open(compute: &Compute) -> Result<DispatchDevice> {
    let on = compute.device;
    if let Some(device) = on.filter(|&device| !runs_on(&compute.engine, device)) {
        return Err(Error::input(
            format!("device for training on engine `{}`", compute.engine),
            "a device that it computes on",
            device.to_string(),
            "leave the device out, or name another engine",
        ));
    }
    match compute.engine.as_str() {
        #[cfg(feature = "flex")]
        "flex" => Ok(::burn::backend::flex::FlexDevice.into()),
        #[cfg(feature = "cuda")]
        "cuda" => {
            Ok(::burn::backend::cuda::CudaDevice { index: on.map_or(0, Device::number) }.into())
        }
        #[cfg(feature = "tch")]
        "tch" => Ok(libtorch(on).into()),
        #[cfg(feature = "wgpu")]
        "wgpu" => Ok(wgpu(on.map_or(0, Device::number)).into()),
        name if ENGINES.contains(&name) => Err(Error::unsupported(
            format!("training on engine `{name}` in this build"),
            &[],
            format!("build with the Cargo feature `{name}`, or choose another engine"),
        )),
        other => Err(Error::unsupported(
            format!("engine `{other}`"),
            &ENGINES,
            "choose one of these, or leave it out for `flex`",
        )),
    }
}

/// Whether an engine trains on a device; of an unknown engine that is not asked.
fn runs_on(engine: &str, device: Device) -> bool {
    match engine {
        "flex" => device == Device::Cpu,
        "cuda" => matches!(device, Device::Cuda(_)),
        "tch" => !matches!(device, Device::Vulkan(_)),
        "wgpu" => matches!(device, Device::Vulkan(_) | Device::Mps),
        _ => true,
    }
}

/// The device of libtorch; without one named CUDA where it has it, else its CPU.
#[cfg(feature = "tch")]
fn libtorch(on: Option<Device>) -> ::burn::backend::libtorch::LibTorchDevice {
    use ::burn::backend::libtorch::LibTorchDevice;
    match on {
        Some(Device::Cuda(index)) => LibTorchDevice::Cuda(index),
        Some(Device::Mps) => LibTorchDevice::Mps,
        None if tch::Cuda::is_available() => LibTorchDevice::Cuda(0),
        _ => LibTorchDevice::Cpu,
    }
}

#[cfg(feature = "wgpu")]
fn wgpu(index: usize) -> ::burn::backend::wgpu::WgpuDevice {
    use ::burn::backend::wgpu::WgpuDevice;
    if index == 0 { WgpuDevice::DefaultDevice } else { WgpuDevice::DiscreteGpu(index) }
}
