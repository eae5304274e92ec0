// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a split keeps what is alike on one side.

use std::collections::{BTreeMap, BTreeSet};

use eosin_core::Result;
use eosin_eval::leakage::{self, LeakageReport, NearDuplicateSearch, TileRow};
use eosin_report::LeakageFinding;

use crate::config::TaskConfig;
use crate::dataset::TaskRows;
use crate::embed::Skipped;
use crate::session::is_control;
use crate::session::{Embedded, Session};

/// The side that is fitted on.
const TRAIN: &str = "train";
/// Rows that a report names per finding.
const EXAMPLES: usize = 4;

/// Refuses a split that shares groups or byte-identical tiles, unless the session allows it; what
/// a reader must know is returned, such as identical tiles in two groups of the training part.
/// `rows` are those of the manifest, with its own groups.
pub fn check_leakage(session: &Session, rows: &TaskRows) -> Result<Vec<LeakageFinding>> {
    let tiles = tile_rows(session, rows);
    judge(session, &tiles, leakage::check(&tiles))
}

/// As `check_task` on the target task.
pub fn check_embedded(
    session: &Session,
    skipped: &[Skipped],
    embedded: Option<&Embedded>,
) -> Result<Vec<LeakageFinding>> {
    check_task(session, &session.config.task, skipped, embedded)
}

/// As [`check_leakage`], and refuses nearly equal embeddings on both sides as well: copies that
/// were cut or stored anew. A control cannot tell them: under colour statistics and untrained
/// networks all tiles of one stain are nearly equal.
pub fn check_task(
    session: &Session,
    task: &TaskConfig,
    skipped: &[Skipped],
    embedded: Option<&Embedded>,
) -> Result<Vec<LeakageFinding>> {
    let rows = session.dataset.rows(task, skipped)?;
    let tiles = tile_rows(session, &rows);
    let mut report = leakage::check(&tiles);
    let embedded = embedded.filter(|_| !rows.split.held_out.is_empty());
    if let Some(embedded) = embedded.filter(|e| !is_control(e)) {
        let features = session.matrix(&embedded.outcome, &rows.tile_ids, 1)?;
        let found = NearDuplicateSearch::default().find(&tiles, &features)?;
        report = report.with_near_duplicates(found);
    }
    let mut findings = judge(session, &tiles, report)?;
    if let Some(control) = embedded.filter(|e| is_control(e)) {
        findings.push(LeakageFinding {
            severity: "note".into(),
            what: format!(
                "copies that were stored anew were not looked for, since under the control {} all \
                 tiles are nearly equal",
                control.info.name
            ),
            examples: Vec::new(),
        });
    }
    Ok(findings)
}

fn judge(
    session: &Session,
    tiles: &[TileRow],
    report: LeakageReport,
) -> Result<Vec<LeakageFinding>> {
    let mut findings: Vec<LeakageFinding> = report
        .conflicting_labels
        .iter()
        .map(|same| LeakageFinding {
            severity: "warning".into(),
            what: format!(
                "{} byte-identical tiles have different labels ({})",
                same.rows.len(),
                same.labels.join(", ")
            ),
            examples: same.rows.iter().take(EXAMPLES).cloned().collect(),
        })
        .collect();
    findings.extend(in_two_groups(tiles));
    // Two labels of one image are the pathologists' business: reported, not refused.
    let mut split = LeakageReport { conflicting_labels: Vec::new(), ..report };
    if let Some(reason) = session.allow_leakage() {
        let found = if split.is_clean() { Vec::new() } else { split.describe() };
        split = split.allow(reason)?;
        if !found.is_empty() {
            findings.push(LeakageFinding {
                severity: "error".into(),
                what: format!(
                    "the split leaks ({} findings), allowed because: {reason}",
                    found.len()
                ),
                examples: found.into_iter().take(EXAMPLES).collect(),
            });
        }
    }
    split.ensure_clean()?;
    Ok(findings)
}

/// Identical tiles of the training part under two groups. It may be one patient under two names or
/// a slip of the hand; either way folds are less apart than they look.
fn in_two_groups(tiles: &[TileRow]) -> Option<LeakageFinding> {
    let sets = leakage::identical_in_groups(tiles, TRAIN);
    let first = sets.first()?;
    let n_tiles: usize = sets.iter().map(|set| set.rows.len()).sum();
    let images = match sets.len() {
        1 => "1 image is".to_string(),
        n => format!("{n} images are"),
    };
    let named = first.rows.iter().zip(&first.groups);
    Some(LeakageFinding {
        severity: "warning".into(),
        what: format!(
            "{images} in more than one group of the training part ({n_tiles} byte-identical \
             tiles), so that folds hold out what they train on"
        ),
        examples: named
            .map(|(tile, group)| format!("{tile} of group {group}"))
            .take(EXAMPLES)
            .collect(),
    })
}

/// Gives groups that stand on both sides of the split another name on the test side.
///
/// A fold that tears a group is refused by type; where leakage was allowed for a reason, this is
/// what lets it pass.
pub fn part_groups(rows: &mut TaskRows) {
    let train: BTreeSet<String> =
        rows.split.train.iter().map(|&i| rows.groups[i].clone()).collect();
    for &i in &rows.split.held_out {
        if train.contains(&rows.groups[i]) {
            rows.groups[i].push_str(" (test side)");
        }
    }
}

fn tile_rows<'a>(session: &'a Session, rows: &'a TaskRows) -> Vec<TileRow<'a>> {
    let digests: BTreeMap<&str, &str> = session
        .tiles()
        .iter()
        .map(|meta| (meta.tile_id.as_str(), meta.source_digest.as_str()))
        .collect();
    let mut side = vec![TRAIN; rows.tile_ids.len()];
    for &i in &rows.split.held_out {
        side[i] = "test";
    }
    rows.tile_ids
        .iter()
        .enumerate()
        .map(|(i, id)| TileRow {
            id,
            group: &rows.groups[i],
            split: side[i],
            label: &rows.classes[rows.labels[i] as usize],
            // A file that cannot be read has no digest, and is not the same as another such.
            digest: digests.get(id.as_str()).copied().filter(|digest| !digest.is_empty()),
        })
        .collect()
}
