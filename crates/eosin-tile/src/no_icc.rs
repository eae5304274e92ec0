// SPDX-License-Identifier: MIT OR Apache-2.0

//! In place of `icc` where this build leaves it out.

use eosin_core::{Result, RgbImage};

use crate::codec::Fault;

/// A conversion, of which this build has none.
#[derive(Clone, Debug)]
pub(crate) enum ToSrgb {}

impl ToSrgb {
    pub(crate) fn new(_: &[u8]) -> Result<Self, Fault> {
        Err("an ICC profile, which this build leaves out".into())
    }

    pub(crate) fn apply(&self, _: &mut RgbImage) -> Result<()> {
        match *self {}
    }
}
