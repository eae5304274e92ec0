// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

pub mod backbones;
pub mod config;
pub mod dataset;
pub mod embed;
mod embed_pipeline;
pub mod embed_plan;
pub mod embed_stats;
pub mod evaluate;
pub mod exports;
pub mod figures;
pub mod imported;
pub mod input;
pub mod leakage;
pub mod limits;
pub mod opened;
pub mod prevalence;
pub mod registry;
pub mod rehearsal;
pub mod session;
pub mod toml_file;
pub mod writable;

pub use backbones::{Places, find_weights, is_installed, open_card, serving};
pub use config::{
    AugmentConfig, ComponentConfig, EngineConfig, EvaluationConfig, HoldOut, ImportedConfig,
    LicenceFilter, LoadedRun, RunConfig, SelectionConfig, TaskConfig, TrainingConfig, read_tiling,
};
pub use dataset::{Dataset, TaskRows};
pub use embed::{EmbedOptions, EmbedOutcome, Skipped, contract, embed};
pub use embed_stats::{EmbedStats, StageTime};
pub use evaluate::{Metric, Scored};
pub use exports::{Exports, FoldRows, Predictions, RowName};
pub use figures::Figures;
pub use imported::{ImportOptions, ImportOutcome, import_rows};
pub use input::{Geometry, open_input};
pub use leakage::{check_embedded, check_leakage};
pub use limits::{Limit, limit};
pub use prevalence::Shares;
pub use registry::{Registry, RegistryExt};
pub use rehearsal::{rehearse, unreadable};
pub use session::{Embedded, Session, SessionOptions, find_card, load_backbone};
pub use writable::require_writable;
