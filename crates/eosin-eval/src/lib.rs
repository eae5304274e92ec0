// SPDX-License-Identifier: MIT OR Apache-2.0

//! Metrics with intervals, grouped splits, leakage check and paired tests.
