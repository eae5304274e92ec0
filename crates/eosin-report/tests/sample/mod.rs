// SPDX-License-Identifier: MIT OR Apache-2.0

//! A small report with every section filled; its numbers are invented.

use std::collections::BTreeMap;

use eosin_core::{Contract, Licence, Use};
use eosin_report::{
    AbstentionResult, Arm, BackboneSummary, CalibrationResult, CentreResult, ClassCount,
    DataSummary, EmbeddingMap, Gain, LeakageFinding, LearningCurve, LearningPoint, MapPoint,
    Metric, PrecisionAtPrevalence, Ranking, RankingRow, RecallAtPrecision, ReliabilityBin,
    RunReport, SkippedTile, SplitSummary, TradeOff, TrivialCall,
};

pub fn sample() -> RunReport {
    RunReport {
        format: RunReport::FORMAT,
        title: "Microcalcifications on one slide".into(),
        notes: vec!["Labels are made, not annotated.".into()],
        eosin_version: "0.1.0".into(),
        config_digest: "5f0c1d2e".into(),
        seed: 7,
        replicates: 2000,
        level: 0.95,
        data: data(),
        backbones: vec![
            backbone("efficientnet-lite0", 1280, 4_652_008, false),
            backbone("colour-statistics", 48, 0, true),
        ],
        metric: "F1".into(),
        trivial: vec![TrivialCall {
            name: "everything called positive".into(),
            metrics: vec![metric("F1", 0.095, f64::NAN), metric("AUROC", 0.5, f64::NAN)],
        }],
        rankings: vec![
            ranking("haematoxylin density", "linear"),
            ranking("haematoxylin density", "knn"),
        ],
        default_backbone: "efficientnet-lite0".into(),
        selected_backbone: "efficientnet-lite0-centre".into(),
        arms: vec![
            arm(false, false, 0.52),
            arm(false, true, 0.55),
            arm(true, false, 0.56),
            arm(true, true, 0.63),
        ],
        gains: vec![
            gain("augmentation", 1, 0.03, [-0.08, 0.15]),
            gain("backbone selection", 2, 0.04, [-0.02, 0.11]),
            gain("both", 3, 0.11, [0.02, 0.21]),
        ],
        embedding_maps: vec![map("efficientnet-lite0", 1.0), map("colour-statistics", 0.4)],
        learning_curves: vec![curve("none", 0.0), curve("view-bank, gaussian-noise", 0.08)],
        centres: vec![centre("north", 3), centre("south", 3)],
        trade_offs: vec![
            trade_off("efficientnet-lite0", 0.81, 2560.0, true),
            trade_off("colour-statistics", 0.62, 96.0, true),
        ],
        skipped: vec![SkippedTile {
            tile: "tiles/bad.png".into(),
            reason: "expected a PNG, found 0 bytes".into(),
        }],
        opened: None,
        warnings: vec!["the test side has 8 positives".into()],
    }
}

fn data() -> DataSummary {
    let split = |name: &str, n_tiles, n_groups, counts: [u64; 2]| SplitSummary {
        name: name.into(),
        n_tiles,
        n_groups,
        class_counts: counts.to_vec(),
    };
    DataSummary {
        task: "Has a microcalcification been drawn on this tile?".into(),
        n_tiles: 1400,
        n_groups: 35,
        group_column: "group".into(),
        classes: vec![
            ClassCount { name: "none".into(), n_tiles: 1330 },
            ClassCount { name: "microcalcification".into(), n_tiles: 70 },
        ],
        positive: Some("microcalcification".into()),
        splits: vec![split("train", 840, 21, [798, 42]), split("test", 560, 14, [532, 28])],
        leakage: vec![LeakageFinding {
            severity: "warning".into(),
            what: "2 pairs of nearly identical tiles".into(),
            examples: vec!["tiles/a.png and tiles/b.png".into()],
        }],
    }
}

fn backbone(name: &str, dim: u32, parameters: u64, is_control: bool) -> BackboneSummary {
    let contract = Contract {
        version: Contract::VERSION,
        backbone: name.into(),
        weights_sha256: "0123456789abcdef".into(),
        architecture: BTreeMap::from([("width".into(), "1.0".into())]),
        input_px: 224,
        mean: [0.498, 0.498, 0.498],
        std: [0.502, 0.502, 0.502],
        resampling: "bicubic, antialias".into(),
        pooling: "mean".into(),
        dim,
        precision: "f32".into(),
        tile_um: Some(56.0),
        tile_px: 112,
        mpp_policy: "exact bilinear".into(),
        reader: "manifest 1".into(),
        view: "identity".into(),
    };
    BackboneSummary {
        name: name.into(),
        family: if is_control { "statistics" } else { "efficientnet" }.into(),
        dim,
        parameters,
        fingerprint: contract.fingerprint(),
        contract,
        licence: Licence { name: "Apache-2.0".into(), allows: Use::Commercial },
        training_sources: if is_control { vec![] } else { vec!["ImageNet-1k".into()] },
        rows: 1400,
        is_control,
    }
}

fn ranking(proxy: &str, probe: &str) -> Ranking {
    let row =
        |backbone: &str, mean: f64, p_best, against_best: Option<&str>, is_control| RankingRow {
            backbone: backbone.into(),
            mean,
            lower: mean - 0.03,
            upper: mean + 0.03,
            p_best,
            against_best: against_best.map(str::to_string),
            is_control,
        };
    Ranking {
        proxy: proxy.into(),
        probe: probe.into(),
        metric: "balanced accuracy".into(),
        design: "5 × 5 folds by group".into(),
        rows: vec![
            row("efficientnet-lite0-centre", 0.81, 0.64, None, false),
            row("efficientnet-lite0", 0.8, 0.35, Some("not told apart"), false),
            row("efficientnet-lite0-random", 0.69, 0.01, Some("worse"), true),
            row("colour-statistics", 0.62, 0.0, Some("worse"), true),
        ],
        verdict: "efficientnet-lite0-centre scores highest and is not told apart from \
                  efficientnet-lite0; take efficientnet-lite0-centre"
            .into(),
    }
}

fn metric(name: &str, estimate: f64, half: f64) -> Metric {
    Metric { name: name.into(), estimate, lower: estimate - half, upper: estimate + half }
}

fn arm(selected: bool, augmented: bool, f1: f64) -> Arm {
    let bend = |x: f64| x.powf(1.2 - f1);
    let steps = || (0..=10).map(|i| f64::from(i) / 10.0);
    Arm {
        backbone: if selected { "efficientnet-lite0-centre" } else { "efficientnet-lite0" }.into(),
        selected,
        augmented,
        augmentation: if augmented { "view-bank, gaussian-noise" } else { "none" }.into(),
        head: "logistic".into(),
        penalty: 10.0,
        threshold: Some(0.31),
        n_train: 840,
        n_test: 560,
        n_train_positives: 42,
        n_test_positives: 28,
        metrics: vec![
            metric("AUROC", f1 + 0.3, 0.06),
            metric("F1", f1, 0.12),
            metric("coverage", 557.0 / 560.0, 0.003),
            metric("balanced accuracy", f1 + 0.2, 0.08),
        ],
        confusion: vec![vec![520, 10], vec![(27.0 * (1.0 - f1)) as u64, (27.0 * f1) as u64]],
        uncalled: vec![2, 1],
        abstention: Some(AbstentionResult { n_uncalled: 3, coverage: 557.0 / 560.0, wrong: 0.04 }),
        calibration: Some(CalibrationResult {
            method: "Platt's line".into(),
            before: vec![ReliabilityBin { predicted: 0.1, observed: 0.05, count: 560 }],
            after: vec![ReliabilityBin { predicted: 0.06, observed: 0.05, count: 560 }],
            ece_before: 0.05,
            ece_after: 0.02,
            ece_perfect: 0.015,
            ece_perfect_upper: 0.025,
            brier_before: 0.045,
            brier_after: 0.04,
            log_loss_before: 0.18,
            log_loss_after: 0.16,
        }),
        precision_at_prevalence: vec![PrecisionAtPrevalence {
            prevalence: 0.02,
            stated: true,
            precision: f1 - 0.2,
            interval: metric("precision", f1 - 0.2, 0.1),
            negative_predictive_value: 0.99,
            f1: f1 - 0.1,
            threshold: Some(0.5),
        }],
        recall_at_precision: vec![RecallAtPrecision {
            precision: 0.8,
            recall: f1 - 0.3,
            interval: metric("recall", f1 - 0.3, 0.2),
            threshold: None,
        }],
        roc: steps().map(|x| [x, bend(x)]).collect(),
        precision_recall: steps().map(|x| [x, 1.0 - 0.95 * x.powf(1.0 + 3.0 * f1)]).collect(),
        reliability: steps()
            .step_by(2)
            .map(|x| ReliabilityBin { predicted: x, observed: x * x, count: 112 })
            .collect(),
    }
}

fn gain(change: &str, to: usize, estimate: f64, [lower, upper]: [f64; 2]) -> Gain {
    Gain {
        change: change.into(),
        from: 0,
        to,
        absolute: Metric { name: "F1".into(), estimate, lower, upper },
        relative: estimate / 0.52,
        word: if lower > 0.0 { "better" } else { "not told apart" }.into(),
        n_groups: 14,
    }
}

fn map(backbone: &str, scale: f64) -> EmbeddingMap {
    let point = |i: u32| {
        let turn = f64::from(i) * 2.399;
        let radius = f64::from(i).sqrt() * scale;
        let label = u32::from(i.is_multiple_of(9));
        let shift = f64::from(label) * 3.0;
        let at = [radius * turn.cos() + shift, radius * turn.sin()];
        MapPoint { at: at.map(|v| (v * 100.0).round() / 100.0), label, split: i % 2 }
    };
    EmbeddingMap {
        backbone: backbone.into(),
        explained: [0.21, 0.09],
        points: (0..40).map(point).collect(),
    }
}

fn curve(name: &str, above: f64) -> LearningCurve {
    let point = |n_positives: u64| {
        let estimate = 0.2 + above + 0.06 * (n_positives as f64).log2();
        LearningPoint { n_positives, estimate, lower: estimate - 0.1, upper: estimate + 0.1 }
    };
    LearningCurve {
        name: name.into(),
        metric: "F1".into(),
        points: [5, 10, 25, 42].map(point).to_vec(),
    }
}

fn centre(centre: &str, arm: usize) -> CentreResult {
    CentreResult {
        centre: centre.into(),
        arm,
        n_test: 280,
        n_test_positives: 14,
        metrics: vec![metric("F1", 0.6, 0.2), metric("AUROC", 0.9, 0.1)],
    }
}

fn trade_off(backbone: &str, score: f64, bytes: f64, on_front: bool) -> TradeOff {
    TradeOff {
        backbone: backbone.into(),
        score,
        costs: BTreeMap::from([("bytes per embedding".into(), bytes)]),
        on_front,
    }
}
