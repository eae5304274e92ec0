// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod apply;
mod cut;
mod cut_folder;
mod evaluation;
mod inspect;
mod inspect_annotations;
mod parts;
mod predict;
mod predict_folder;
mod registry;
mod run;
mod summary;
mod train;
mod train_many;
mod train_slides;

pub use apply::ApplyOptions;
pub use cut::{
    CutOptions, CutOutcome, Overview, RefusedSlide, check_cut_folder, cut, draw, open_slide,
    write_png,
};
pub use eosin_select::{
    Arms, Candidate, CandidateSet, Column, Compared, Density, FewShotKind, FolderCache,
    InvarianceKind, Labelled, LeftOut, Magnification, Nuisance, NuisanceOf, Probe, ProxyAgreement,
    ProxyKind, ProxyProblem, ProxyRanking, Reads, Role, RunSelection, SelectInput, SelectOptions,
    SelectTask, Selection, Spatial, embed_arms, gather, probes, select, select_arms, select_run,
};
pub use eosin_session::session::is_control;
pub use eosin_session::{
    AugmentConfig, ComponentConfig, Dataset, EmbedOptions, EmbedOutcome, EmbedStats, Embedded,
    EngineConfig, EvaluationConfig, Exports, Figures, FoldRows, Geometry, HoldOut, ImportOptions,
    ImportOutcome, ImportedConfig, LicenceFilter, Limit, LoadedRun, Metric, Places, Predictions,
    Registry, RegistryExt, RowName, RunConfig, Scored, SelectionConfig, Session, SessionOptions,
    Shares, Skipped, StageTime, TaskConfig, TaskRows, TrainingConfig, check_embedded,
    check_leakage, contract, embed, find_card, find_weights, import_rows, is_installed, limit,
    load_backbone, open_card, open_input, read_tiling, rehearse, require_writable, serving,
    unreadable,
};
pub use eosin_study::{
    ArmConfig, CurveConfig, PermutedConfig, StrengthConfig, StudyConfig, StudyDesign, StudyInput,
    StudyOutcome, StudySet, check_arms, study, study_sets,
};
pub use evaluation::{
    EvaluateOptions, EvaluateOutcome, LabelOptions, PlannedEvaluation, check_evaluate, evaluate,
};
pub use inspect::{Inspection, inspect};
pub use inspect_annotations::{AnnotationView, LabelledSlide, inspect_annotations};
pub use parts::{
    PartSize, PlannedFolds, TaskSizes, run_sizes, select_sizes, study_sizes, train_sizes,
};
pub use predict::{PredictOptions, PredictOutcome, check_predict, predict};
pub use predict_folder::Formats;
pub use registry::default_registry;
pub use run::{RunOutcome, run};
pub use train::{FittedArm, embed_views, fit_arm, labelled, save};
pub use train_many::{Measured, TrainOutcome, TrainPlan, TrainedFile, TrainedHead, train_many};

/// The crates underneath, each usable alone.
pub mod crates {
    pub use eosin_annotation as annotation;
    pub use eosin_augment as augment;
    pub use eosin_backbone as backbone;
    pub use eosin_backbone_burn as backbone_burn;
    pub use eosin_core as core;
    pub use eosin_eval as eval;
    pub use eosin_head as head;
    #[cfg(feature = "hub")]
    pub use eosin_hub as hub;
    pub use eosin_network as network;
    pub use eosin_prediction as prediction;
    pub use eosin_proxy as proxy;
    #[cfg(feature = "sql")]
    pub use eosin_query as query;
    pub use eosin_report as report;
    pub use eosin_select as select;
    pub use eosin_session as session;
    pub use eosin_store as store;
    pub use eosin_study as study;
    pub use eosin_tile as tile;
}
