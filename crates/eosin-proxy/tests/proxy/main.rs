// SPDX-License-Identifier: MIT OR Apache-2.0

//! Probes and rankings against independent results and by their properties.

mod agreement;
mod probes;
mod proxies;
mod ranking;
mod scores;
mod support;
mod truth;
