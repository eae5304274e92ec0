// SPDX-License-Identifier: MIT OR Apache-2.0

//! Self-contained HTML reports and plots.
