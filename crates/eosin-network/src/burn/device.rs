// SPDX-License-Identifier: MIT OR Apache-2.0

use ::burn::DispatchDevice;
use eosin_core::{Error, Result};

use crate::{Compute, ENGINES};

/// The device that the options name.
pub(super) fn open(compute: &Compute) -> Result<DispatchDevice> {
    let index = compute.device;
    // Only engines with several devices read it.
    let _ = index;
    match compute.engine.as_str() {
        #[cfg(feature = "flex")]
        "flex" => Ok(::burn::backend::flex::FlexDevice.into()),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(::burn::backend::cuda::CudaDevice { index }.into()),
        #[cfg(feature = "tch")]
        "tch" => Ok(libtorch(index).into()),
        #[cfg(feature = "wgpu")]
        "wgpu" => Ok(wgpu(index).into()),
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

/// libtorch with CUDA where it has it, else its CPU.
#[cfg(feature = "tch")]
fn libtorch(index: usize) -> ::burn::backend::libtorch::LibTorchDevice {
    use ::burn::backend::libtorch::LibTorchDevice;
    if tch::Cuda::is_available() { LibTorchDevice::Cuda(index) } else { LibTorchDevice::Cpu }
}

#[cfg(feature = "wgpu")]
fn wgpu(index: usize) -> ::burn::backend::wgpu::WgpuDevice {
    use ::burn::backend::wgpu::WgpuDevice;
    if index == 0 { WgpuDevice::DefaultDevice } else { WgpuDevice::DiscreteGpu(index) }
}
