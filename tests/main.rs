// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cross-crate tests of Eosin.
