// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a head was trained on the rows that it is to be evaluated on, as far as that can be told.

use std::collections::BTreeSet;

use eosin_core::{Error, Result};
use eosin_head::HeadFile;

use super::Row;

/// Rows that an error names.
const SHOWN: usize = 3;

/// What is known of the head's training and these rows.
pub(super) struct Known {
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// Refuses rows whose files or groups the head was trained on, unless a reason is given.
pub(super) fn check(file: &HeadFile, rows: &[Row], allowed: Option<&str>) -> Result<Known> {
    let known = &file.trained_on;
    if !known.is_known() {
        let warning = "the head does not say which tiles it was trained on, since an older release \
                       saved it: that some of these are among them cannot be ruled out";
        return Ok(Known { notes: Vec::new(), warnings: vec![warning.into()] });
    }
    let files: Vec<&str> = rows
        .iter()
        .filter(|row| known.has_file(&row.meta.source_digest))
        .map(|row| row.meta.tile_id.as_str())
        .collect();
    let groups: BTreeSet<&str> =
        rows.iter().map(|r| r.label.group.as_str()).filter(|g| known.has_group(g)).collect();
    if files.is_empty() && groups.is_empty() {
        let (n_files, n_groups) = known.counts();
        let note = format!(
            "none of these tiles is of the {n_files} files and {n_groups} groups that the head \
             was trained on; a file that was stored anew or a group of another name would not be \
             known again"
        );
        return Ok(Known { notes: vec![note], warnings: Vec::new() });
    }
    let mut found = Vec::new();
    let shown = |names: &mut dyn Iterator<Item = &str>| {
        names.take(SHOWN).map(str::to_string).collect::<Vec<_>>().join(", ")
    };
    if !files.is_empty() {
        let examples = shown(&mut files.iter().copied());
        found.push(format!("{} of {} tiles, such as {examples}", files.len(), rows.len()));
    }
    if !groups.is_empty() {
        let examples = shown(&mut groups.iter().copied());
        let n = groups.len();
        found.push(format!("{n} groups, such as {examples}"));
    }
    let found = found.join("; ");
    match allowed {
        Some(reason) => Ok(Known {
            notes: Vec::new(),
            warnings: vec![format!(
                "the head was trained on rows that it is evaluated on ({found}), allowed because: \
                 {reason}"
            )],
        }),
        None => Err(Error::input(
            "rows to evaluate on",
            "tiles and groups that the head was not trained on",
            format!("of its training: {found}"),
            "leave them out, for example with a --task whose `test` names another split; where \
             they must stay, --allow-leakage REASON puts the reason into the report",
        )),
    }
}
