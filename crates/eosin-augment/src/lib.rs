// SPDX-License-Identifier: MIT OR Apache-2.0

//! Transforms embeddings in feature space.
