// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::Use;
use maud::{Markup, html};

use super::section;
use crate::number::count;
use crate::{BackboneSummary, RunReport};

/// More skipped tiles than this are counted, not listed; `report.json` has them all.
const LISTED_AT_MOST: usize = 100;

/// What was learned from and tested on, and what the leakage check found.
pub(super) fn data(report: &RunReport) -> Markup {
    let data = &report.data;
    section(
        "Data",
        Some(html! {
            @if !data.task.is_empty() { p { (data.task) } }
            p {
                (count(data.n_tiles)) " labelled tiles of " (count(data.n_groups)) " groups"
                @if !data.group_column.is_empty() { " (column " code { (data.group_column) } ")" }
                "; a group is never on two sides of a split."
            }
            div class="scroll" { table {
                thead { tr {
                    th { "Split" } th class="number" { "Tiles" } th class="number" { "Groups" }
                    @for class in &data.classes { th class="number" { (class.name) } }
                } }
                tbody {
                    @for split in &data.splits { tr {
                        td { (split.name) }
                        td class="number" { (count(split.n_tiles)) }
                        td class="number" { (count(split.n_groups)) }
                        @for n in &split.class_counts { td class="number" { (count(*n)) } }
                    } }
                    tr {
                        td { "all" }
                        td class="number" { (count(data.n_tiles)) }
                        td class="number" { (count(data.n_groups)) }
                        @for class in &data.classes { td class="number" { (count(class.n_tiles)) } }
                    }
                }
            } }
            h3 { "Leakage check" }
            @if data.leakage.is_empty() {
                p { "It found nothing: no group and no identical tile on two sides of the split." }
            } @else {
                ul { @for finding in &data.leakage {
                    li class=[(finding.severity == "error").then_some("warning")] {
                        (finding.severity) ": " (finding.sentence())
                    }
                } }
            }
        }),
    )
}

/// Backbones with their licences and contracts.
pub(super) fn backbones(report: &RunReport) -> Markup {
    let body = (!report.backbones.is_empty()).then(|| html! {
        p {
            "Every embedding carries the fingerprint of its contract, everything on which its "
            "numbers depend; two fingerprints are never mixed."
        }
        div class="scroll" { table {
            thead { tr {
                th { "Backbone" } th class="number" { "Dimensions" } th class="number" { "Parameters" }
                th class="number" { "Tiles" } th { "Licence" } th { "Trained on" } th { "Contract" }
            } }
            tbody { @for b in &report.backbones { tr {
                td { code { (b.name) } @if b.is_control { " (control)" } br; span class="small" { (b.family) } }
                td class="number" { (b.dim) }
                td class="number" { (count(b.parameters)) }
                td class="number" { (count(b.rows)) }
                td { (b.licence.name) br; span class="small" { (use_of(b.licence.allows)) } }
                td { @if b.training_sources.is_empty() { "–" } @else { (b.training_sources.join(", ")) } }
                td { code { (b.fingerprint.as_str()) } }
            } } }
        } }
        @for b in &report.backbones { (contract(b)) }
    });
    section("Backbones, contracts and licences", body)
}

fn contract(b: &BackboneSummary) -> Markup {
    let c = &b.contract;
    let triple = |v: [f64; 3]| v.map(|x| x.to_string()).join(", ");
    let rows = [
        ("weights", c.weights_sha256.clone()),
        ("input", format!("{} px", c.input_px)),
        ("mean", triple(c.mean)),
        ("standard deviation", triple(c.std)),
        ("resampling", c.resampling.clone()),
        ("pooling", c.pooling.clone()),
        ("precision", c.precision.clone()),
        (
            "tile",
            match c.tile_um {
                Some(um) => format!("{} px, {um} µm", c.tile_px),
                None => format!("{} px, resolution not known", c.tile_px),
            },
        ),
        ("resolution", c.mpp_policy.clone()),
        ("reader", c.reader.clone()),
        ("views", c.view.clone()),
    ];
    html! {
        details {
            summary { "Contract of " code { (b.name) } }
            dl {
                @for (name, value) in rows { dt { (name) } dd { (value) } }
                @for (name, value) in &c.architecture { dt { (name) } dd { (value) } }
            }
        }
    }
}

fn use_of(allows: Use) -> &'static str {
    match allows {
        Use::Commercial => "any use",
        Use::NonCommercial => "not for commercial use",
        Use::Research => "research only",
        Use::Unknown => "use not known",
    }
}

/// Tiles that were left out, with reasons.
pub(super) fn skipped(report: &RunReport) -> Markup {
    let n = report.skipped.len();
    let body = (n > 0).then(|| html! {
        p { (n) @if n == 1 { " tile" } @else { " tiles" } " could not be used; the run went on without." }
        div class="scroll" { table {
            thead { tr { th { "Tile" } th { "Reason" } } }
            tbody { @for tile in report.skipped.iter().take(LISTED_AT_MOST) {
                tr { td { code { (tile.tile) } } td { (tile.reason) } }
            } }
        } }
        @if n > LISTED_AT_MOST { p { "and " (n - LISTED_AT_MOST) " more, listed in report.json." } }
    });
    section("Skipped tiles", body)
}

/// How the numbers were made.
pub(super) fn methods(report: &RunReport) -> Markup {
    let level = format!("{:.0} %", report.level * 100.0);
    section(
        "Methods",
        Some(html! {
            p {
                "Every tile is embedded once by a frozen backbone. Backbones are compared by probes on "
                "proxy tasks, in cross-validation that keeps groups together and uses the same folds for "
                "all; differences are tested with the corrected resampled t (Nadeau and Bengio 2003). "
                "Augmentation works on embeddings and is fitted on training rows alone. The penalty and "
                "the threshold of each head are tuned in grouped folds inside the training side, with the "
                "same search for every arm. The test side is scored once."
            }
            p {
                "Intervals are of a bootstrap over groups (" (level) ", " (report.replicates)
                " replicates), stratified by whether a group has positives: percentiles from 40 groups on, "
                "Student's t on the metric's scale below, and none below 5 groups. Differences between arms "
                "are resampled in pairs, and told from none where their interval leaves 0 out. The design of the four arms follows Nivaggioli et al. (arXiv "
                "2303.05180), who report gains of selection and augmentation together."
            }
            p { "The same configuration, data and seed (" (report.seed) ") give the same report.json, byte for byte." }
        }),
    )
}

/// What the report does not show.
pub(super) fn limits(report: &RunReport) -> Markup {
    let restricted: Vec<&str> = report
        .backbones
        .iter()
        .filter(|b| !b.licence.is_commercial())
        .map(|b| b.name.as_str())
        .collect();
    section(
        "Limits",
        Some(html! {
            ul {
                li { "One split into training and test is one draw; the intervals hold for groups like those of this test side, not for other hospitals or scanners." }
                li { "F1 and precision depend on the share of positives among the test tiles and cannot be compared with results at another share." }
                li { "A proxy task ranks backbones for a target task only roughly; backbones that are not told apart should be read as just that: nothing is known of which is better." }
                li { "Whether a backbone saw these slides when it was trained is not checked beyond the data sets that its card names." }
                @if !restricted.is_empty() { li { "Licences restrict the use of " (restricted.join(", ")) ", and of heads trained on their embeddings." } }
                li { "This is a research tool, not a medical device." }
            }
        }),
    )
}
