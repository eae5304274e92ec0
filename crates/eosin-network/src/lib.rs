// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(feature = "burn"),
    expect(dead_code, reason = "what prepares training has no one to hand it to")
)]

mod compute;
mod dense;
mod random;
mod schedule;
mod standardize;

mod abmil;
mod mean_pool;
mod mlp;
mod operator;
mod register;

#[cfg(feature = "burn")]
mod burn;
#[cfg(not(feature = "burn"))]
#[path = "no_burn.rs"]
mod burn;

pub use abmil::{AbmilHead, AbmilTrainer};
pub use compute::Compute;
pub use mean_pool::{MeanPoolHead, MeanPoolTrainer};
pub use mlp::{MlpHead, MlpTrainer};
pub use operator::{FittedOperator, LearnedOperator, OperatorSkill};
pub use register::register;
pub use schedule::{ClassBalance, TrainingLog};
