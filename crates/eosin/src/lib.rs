// SPDX-License-Identifier: MIT OR Apache-2.0

//! Registry, typed configuration and the pipeline over every Eosin crate.
