// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};

/// Names and bytes of the weights that are part of the program.
#[cfg(feature = "embedded-weights")]
const FILES: &[(&str, &[u8])] = &[(
    "efficientnet-lite0.f16.safetensors",
    include_bytes!("../assets/efficientnet-lite0.f16.safetensors"),
)];
#[cfg(not(feature = "embedded-weights"))]
const FILES: &[(&str, &[u8])] = &[];

/// Whether this build has the embedded file.
pub fn is_embedded(file: &str) -> bool {
    FILES.iter().any(|(name, _)| *name == file)
}

/// The bytes of an embedded file.
pub fn embedded(file: &str) -> Result<&'static [u8]> {
    if let Some((_, bytes)) = FILES.iter().find(|(name, _)| *name == file) {
        return Ok(bytes);
    }
    let known: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
    let hint = if cfg!(feature = "embedded-weights") {
        "give the weights as a file: kind = \"file\" in the card"
    } else {
        "build with the Cargo feature `embedded-weights`, or give the weights as a file"
    };
    Err(Error::unsupported(format!("embedded weights file {file}"), &known, hint))
}
