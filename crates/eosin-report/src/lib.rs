// SPDX-License-Identifier: MIT OR Apache-2.0

//! Self-contained HTML reports and plots.
//!
//! ```
//! use eosin_report::{RunReport, render_html, tables};
//!
//! let report = RunReport { title: "Demo".into(), ..RunReport::default() };
//! let json = report.to_json()?;
//! assert_eq!(RunReport::from_json(&json)?, report);
//! assert!(render_html(&report)?.contains("<h1>Demo</h1>"));
//! assert!(tables::two_by_two(&report).is_empty()); // No arm was run.
//! # Ok::<(), eosin_core::Error>(())
//! ```

mod evaluation_report;
mod html;
mod json;
mod number;
pub mod overlay;
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
