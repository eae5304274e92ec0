// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keeps embeddings in Parquet under an atomic log.
