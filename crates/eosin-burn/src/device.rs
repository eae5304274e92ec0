// SPDX-License-Identifier: MIT OR Apache-2.0

use burn::tensor::FloatDType;
use burn::tensor::backend::Backend;
use burn::{Dispatch, DispatchDevice};
use eosin_core::{Device, Error, Result};

use crate::{ENGINES, compiled_out, runs_on};

/// A device of one of burn's backends that this build has.
#[derive(Clone, Debug)]
pub struct BurnDevice {
    device: DispatchDevice,
    name: &'static str,
    index: usize,
    /// Of weights and arithmetic.
    dtype: FloatDType,
}

impl BurnDevice {
    /// The device of an engine, its usual one where none is named.
    ///
    /// An engine that was compiled out, one that is unknown, and a device that the engine does not
    /// compute on are errors that say so.
    pub fn open(name: &str, on: Option<Device>) -> Result<Self> {
        if let Some(device) = on.filter(|&device| ENGINES.contains(&name) && !runs_on(name, device))
        {
            return Err(Error::input(
                format!("device of engine `{name}`"),
                "a device that it computes on",
                device.to_string(),
                "leave the device out, or name another engine",
            ));
        }
        let index = on.map_or(0, Device::number);
        let (device, name): (DispatchDevice, &'static str) = match name {
            #[cfg(feature = "flex")]
            "flex" => (burn::backend::flex::FlexDevice.into(), "flex"),
            #[cfg(feature = "cuda")]
            "cuda" => (burn::backend::cuda::CudaDevice { index }.into(), "cuda"),
            #[cfg(feature = "tch")]
            "tch" => (libtorch(on).into(), "tch"),
            #[cfg(feature = "wgpu")]
            "wgpu" => (wgpu(index).into(), "wgpu"),
            name => return Err(compiled_out(name)),
        };
        Ok(Self { device, name, index, dtype: FloatDType::F32 })
    }

    /// The same device, with operations recorded for a backward pass.
    #[cfg(feature = "autodiff")]
    pub fn tracked(&self) -> Self {
        Self { device: DispatchDevice::autodiff(self.device.clone()), ..self.clone() }
    }

    /// The same device for weights and arithmetic in `f16` or `bf16`; none where it has them not.
    pub fn in_precision(&self, precision: &str) -> Option<Self> {
        let dtype = match precision {
            "f16" => FloatDType::F16,
            "bf16" => FloatDType::BF16,
            _ => return None,
        };
        Dispatch::supports_dtype(&self.device, dtype.into()).then(|| Self { dtype, ..self.clone() })
    }

    /// Type of every tensor.
    pub fn dtype(&self) -> FloatDType {
        self.dtype
    }

    /// burn's own device.
    pub fn device(&self) -> &DispatchDevice {
        &self.device
    }

    /// Engine and device, as reports show them.
    pub fn name(&self) -> String {
        if self.name == "flex" { "flex".into() } else { format!("{}:{}", self.name, self.index) }
    }
}

/// The device of libtorch; without one named CUDA where it has it, else its CPU.
#[cfg(feature = "tch")]
fn libtorch(on: Option<Device>) -> burn::backend::libtorch::LibTorchDevice {
    use burn::backend::libtorch::LibTorchDevice;
    match on {
        Some(Device::Cuda(index)) => LibTorchDevice::Cuda(index),
        Some(Device::Mps) => LibTorchDevice::Mps,
        None if tch::Cuda::is_available() => LibTorchDevice::Cuda(0),
        _ => LibTorchDevice::Cpu,
    }
}

#[cfg(feature = "wgpu")]
fn wgpu(index: usize) -> burn::backend::wgpu::WgpuDevice {
    use burn::backend::wgpu::WgpuDevice;
    if index == 0 { WgpuDevice::DefaultDevice } else { WgpuDevice::DiscreteGpu(index) }
}
