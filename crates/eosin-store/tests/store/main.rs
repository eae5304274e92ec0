// SPDX-License-Identifier: MIT OR Apache-2.0

//! The store as its users see it, and what is left of it after a crash.

mod cache;
mod commit;
mod crash;
mod damage;
mod formats;
mod interop;
mod maintenance;
mod mirror;
mod readers;
mod round_trip;
mod supersede;
mod support;
