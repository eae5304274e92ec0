// SPDX-License-Identifier: MIT OR Apache-2.0

//! Synthetic slides and tasks, and one conformance suite per trait, for tests and the demo.
