// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{Error, Result};

/// Refuses a file that needs a Cargo feature which this build leaves out.
pub(crate) fn require(is_built: bool, path: &Path, what: &str, feature: &str) -> Result<()> {
    if is_built {
        return Ok(());
    }
    Err(Error::unsupported(
        format!("{}: {what}, which this build leaves out", path.display()),
        &[],
        format!("build with the Cargo feature `{feature}`"),
    ))
}
