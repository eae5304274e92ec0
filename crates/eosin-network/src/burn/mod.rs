// SPDX-License-Identifier: MIT OR Apache-2.0

//! Training on burn's backends. No tensor type leaves this module.

mod abmil;
mod fit;
mod mlp;
mod operator;
mod tensors;

#[cfg(test)]
mod tests;

pub(crate) use fit::train;
