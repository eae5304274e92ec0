// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod apply;
mod backbones;
mod config;
mod cut;
mod cut_folder;
mod dataset;
mod embed;
mod embed_pipeline;
mod embed_plan;
mod embed_stats;
mod evaluate;
mod evaluation;
mod exports;
mod figures;
mod imported;
mod input;
mod inspect;
mod leakage;
mod limits;
mod opened;
mod parts;
mod predict;
mod prevalence;
mod registry;
mod rehearsal;
mod run;
mod select;
mod session;
mod study;
mod summary;
mod toml_file;
mod train;
mod train_many;
mod train_slides;
mod writable;

pub use apply::ApplyOptions;
pub use backbones::{Places, find_weights, is_installed, open_card, serving};
pub use config::{
    AugmentConfig, ComponentConfig, EngineConfig, EvaluationConfig, HoldOut, ImportedConfig,
    LicenceFilter, LoadedRun, RunConfig, SelectionConfig, TaskConfig, TrainingConfig, read_tiling,
};
pub use cut::{
    CutOptions, CutOutcome, Overview, RefusedSlide, check_cut_folder, cut, draw, open_slide,
    write_png,
};
pub use dataset::{Dataset, TaskRows};
pub use embed::{EmbedOptions, EmbedOutcome, Skipped, contract, embed};
pub use embed_stats::{EmbedStats, StageTime};
pub use evaluate::{Metric, Scored};
pub use evaluation::{
    EvaluateOptions, EvaluateOutcome, LabelOptions, PlannedEvaluation, check_evaluate, evaluate,
};
pub use exports::{Exports, FoldRows, Predictions, RowName};
pub use figures::Figures;
pub use imported::{ImportOptions, ImportOutcome, import_rows};
pub use input::{Geometry, open_input};
pub use inspect::{Inspection, inspect};
pub use leakage::{check_embedded, check_leakage};
pub use limits::{Limit, limit};
pub use parts::{
    PartSize, PlannedFolds, TaskSizes, run_sizes, select_sizes, study_sizes, train_sizes,
};
pub use predict::{PredictOptions, PredictOutcome, check_predict, predict};
pub use prevalence::Shares;
pub use registry::{Registry, RegistryExt, default_registry};
pub use rehearsal::{rehearse, unreadable};
pub use run::{RunOutcome, run};
pub use select::{
    Arms, Candidate, CandidateSet, Column, Compared, Density, FewShotKind, FolderCache,
    InvarianceKind, Labelled, LeftOut, Magnification, Nuisance, NuisanceOf, Probe, ProxyAgreement,
    ProxyKind, ProxyProblem, ProxyRanking, Reads, Role, RunSelection, SelectInput, SelectOptions,
    SelectTask, Selection, Spatial, embed_arms, gather, is_control, probes, select, select_arms,
    select_run,
};
pub use session::{Embedded, Session, SessionOptions, find_card, load_backbone};
pub use study::{
    ArmConfig, CurveConfig, PermutedConfig, StrengthConfig, StudyConfig, StudyDesign, StudyInput,
    StudyOutcome, StudySet, check_arms, study, study_sets,
};
pub use train::{FittedArm, embed_views, fit_arm, labelled, save};
pub use train_many::{Measured, TrainOutcome, TrainPlan, TrainedFile, TrainedHead, train_many};
pub use writable::require_writable;

/// The crates underneath, each usable alone.
pub mod crates {
    pub use eosin_augment as augment;
    pub use eosin_backbone as backbone;
    pub use eosin_core as core;
    pub use eosin_eval as eval;
    pub use eosin_head as head;
    #[cfg(feature = "hub")]
    pub use eosin_hub as hub;
    pub use eosin_network as network;
    pub use eosin_proxy as proxy;
    #[cfg(feature = "sql")]
    pub use eosin_query as query;
    pub use eosin_report as report;
    pub use eosin_store as store;
    pub use eosin_tile as tile;
}
