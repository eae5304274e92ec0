// SPDX-License-Identifier: MIT OR Apache-2.0

//! Scores and ranks backbones by proxy tasks.
