// SPDX-License-Identifier: MIT OR Apache-2.0

/// An image beside the tissue: a label, macro photograph or thumbnail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociatedImage {
    /// Its name, `label`, `macro` and `thumbnail` where the format has these.
    pub name: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}
