// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Where numbers are computed, for engines of backbones and for heads that are trained alike.
///
/// ```
/// use eosin_core::Device;
/// assert_eq!("cuda:1".parse::<Device>()?, Device::Cuda(1));
/// assert_eq!("cuda".parse::<Device>()?.to_string(), "cuda:0");
/// assert!("abacus".parse::<Device>().is_err());
/// # Ok::<(), eosin_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU by its number.
    Cuda(usize),
    /// The GPU of an Apple computer.
    Mps,
    /// A GPU by its number among those that have a Vulkan driver.
    Vulkan(usize),
}

/// The largest number of a device.
const MAX_NUMBER: usize = 255;

impl Device {
    /// The number among several of its kind.
    pub fn number(self) -> usize {
        match self {
            Self::Cuda(number) | Self::Vulkan(number) => number,
            Self::Cpu | Self::Mps => 0,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Mps => f.write_str("mps"),
            Self::Vulkan(number) => write!(f, "vulkan:{number}"),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => {
                (name, number.parse().ok().filter(|&n: &usize| n <= MAX_NUMBER))
            }
            None => (text, Some(0)),
        };
        match (name, number) {
            ("cpu", Some(0)) => Ok(Self::Cpu),
            ("cuda", Some(number)) => Ok(Self::Cuda(number)),
            ("mps", Some(0)) => Ok(Self::Mps),
            ("vulkan", Some(number)) => Ok(Self::Vulkan(number)),
            _ => Err(Error::input(
                "device",
                format!("cpu, cuda:N, mps or vulkan:N with N from 0 to {MAX_NUMBER}"),
                format!("`{text}`"),
                "leave it out for the engine's usual device",
            )),
        }
    }
}

impl TryFrom<String> for Device {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Device;

    #[test]
    fn a_device_survives_writing_and_reading() {
        for device in
            [Device::Cpu, Device::Cuda(0), Device::Cuda(7), Device::Mps, Device::Vulkan(2)]
        {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
            let json = serde_json::to_string(&device).unwrap();
            assert_eq!(serde_json::from_str::<Device>(&json).unwrap(), device);
        }
        assert_eq!("vulkan".parse::<Device>().unwrap(), Device::Vulkan(0));
    }

    #[test]
    fn what_is_no_device_is_refused_with_what_is() {
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:256", "cpu:1", "mps:1", "CPU", "vulkan:x"]
        {
            let error = text.parse::<Device>().unwrap_err().to_string();
            assert!(error.contains("cuda:N") && error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
