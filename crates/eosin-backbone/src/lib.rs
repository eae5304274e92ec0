// SPDX-License-Identifier: MIT OR Apache-2.0

//! Turns tile batches into embeddings on the compute backend chosen by feature and device.
