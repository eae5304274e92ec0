// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reads tiles from slides and folders at an exact resolution and finds tissue.
