// SPDX-License-Identifier: MIT OR Apache-2.0

//! Probes and rankings against independent results and by their properties.

mod probes;
mod ranking;
mod support;
