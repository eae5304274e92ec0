// SPDX-License-Identifier: MIT OR Apache-2.0

//! Fits and applies small heads, one or thousands.
