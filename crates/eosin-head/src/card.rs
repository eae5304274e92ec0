// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fmt::Write;

use crate::{Calibration, Decision, HeadFile};

/// A model card of a saved head, in Markdown.
pub fn card(head: &HeadFile) -> String {
    let contract = &head.contract;
    let mut text = String::new();
    let tile = match contract.tile_um {
        Some(um) => format!("{um} µm in {} px", contract.tile_px),
        None => "of unknown resolution".into(),
    };
    let use_ = if head.licence.is_commercial() { "" } else { " (no commercial use)" };
    let number = |value: Option<f64>| value.map_or("none".into(), |v| v.to_string());
    let facts = [
        ("Head", head.record.kind.clone()),
        ("Classes", head.record.classes.join(", ")),
        (
            "Backbone",
            format!("{}, {}, {} values", contract.backbone, contract.pooling, contract.dim),
        ),
        ("Tiles", tile),
        ("Contract", head.fingerprint().to_string()),
        ("Penalty", number(head.penalty)),
        ("Threshold of the last class", number(head.threshold)),
        ("Licence", format!("{}{use_}", head.licence.name)),
        ("Calibration", calibration(&head.decision)),
        ("Logit adjustment", adjustment(&head.decision)),
        ("Training rows", head.training_digest.clone()),
        ("Made with", format!("Eosin {}", head.eosin_version)),
    ];
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# Model card: {}\n", head.record.classes.join(" / "));
    let _ = writeln!(text, "| | |\n|---|---|");
    for (name, value) in facts {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    let promises = head.promises();
    if !promises.is_empty() {
        let _ = writeln!(text, "\n## Doubt\n");
        for promise in promises {
            let _ = writeln!(text, "- {promise}");
        }
    }
    if !head.metrics.is_empty() {
        let _ = writeln!(text, "\n## Measured\n\n| metric | value |\n|---|---|");
        for (name, value) in &head.metrics {
            let value = if value.is_nan() { "undefined".into() } else { format!("{value:.4}") };
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let _ = writeln!(
            text,
            "\nOut of fold, each tile is called by what the other folds gave. Tiles left uncalled \
             count as misses; coverage is the share that is called."
        );
    }
    let _ = writeln!(
        text,
        "\n## Limits\n\nIt serves embeddings of the contract above alone. Its figures hold for \
         slides like those it was measured on: another laboratory, scanner or stain calls for \
         another measurement. It is for research, not for diagnosis."
    );
    text
}

fn calibration(decision: &Decision) -> String {
    match &decision.calibration {
        None => "none".into(),
        Some(Calibration::Temperature { temperature }) => format!("temperature {temperature:.4}"),
        Some(Calibration::Platt { slope, intercept }) => {
            format!("Platt's line, slope {slope:.4}, intercept {intercept:.4}")
        }
        Some(Calibration::Isotonic { x, .. }) => format!("isotonic, {} knots", x.len()),
    }
}

fn adjustment(decision: &Decision) -> String {
    match &decision.logit_adjustment {
        None => "none".into(),
        Some(adjustment) => {
            let shares: Vec<String> = adjustment.shares.iter().map(|s| format!("{s:.4}")).collect();
            format!("exponent {} over shares {}", adjustment.tau, shares.join(", "))
        }
    }
}
