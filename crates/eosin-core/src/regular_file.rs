// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::Metadata;

/// What stands where a regular file is expected, in words; nothing for a regular file.
///
/// Only regular files are opened: a pipe would wait for its writer, and a device never ends. The
/// caller asks before opening, since opening is what waits, and again of the open file, which may
/// have been replaced meanwhile.
pub fn irregularity(metadata: &Metadata) -> Option<&'static str> {
    if metadata.is_file() {
        None
    } else if metadata.is_dir() {
        Some("a folder")
    } else {
        Some("a pipe, socket or device")
    }
}
