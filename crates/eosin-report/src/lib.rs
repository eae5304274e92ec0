// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]

mod evaluation_report;
mod html;
mod json;
mod number;
pub mod pca;
mod plot;
mod run_report;
mod select_report;
mod study_report;
pub mod study_text;
pub mod tables;
mod trivial;
pub mod verdict;

pub use evaluation_report::{
    AbstentionResult, CalibrationResult, EvaluatedCentre, EvaluatedHead, EvaluationReport,
    PrecisionAtPrevalence, RecallAtPrecision, TestOpened,
};
pub use html::{
    curves_html, render_evaluation_html, render_html, render_select_html, render_study_html,
};
pub use run_report::{
    Arm, BackboneSummary, CentreResult, ClassCount, DataSummary, EmbeddingMap, Gain,
    LeakageFinding, LearningCurve, LearningPoint, MapPoint, Metric, Ranking, RankingRow,
    ReliabilityBin, RunReport, SkippedTile, SplitSummary, TradeOff,
};
pub use select_report::{
    AgreementRow, BaselineRow, LeftOutBackbone, PairRow, SelectCandidate, SelectRanking,
    SelectReport, ShortlistRow,
};
pub use study_report::{
    SIGNIFICANT, StudyArm, StudyControl, StudyDesign, StudyGain, StudyReport, StudyTest,
};
pub use trivial::TrivialCall;
pub use verdict::Verdict;
