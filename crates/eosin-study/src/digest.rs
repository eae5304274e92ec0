// SPDX-License-Identifier: MIT OR Apache-2.0

use super::StudyInput;
use super::config::StudyConfig;

/// Digest of everything on which a unit depends: settings, rows, labels, groups, views, version.
pub fn of(input: &StudyInput, config: &StudyConfig) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        // Lengths keep two parts from reading like one.
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(env!("CARGO_PKG_VERSION").as_bytes());
    add(serde_json::to_value((config, input.head, input.seed))
        .unwrap_or_default()
        .to_string()
        .as_bytes());
    for rows in [&input.split.train, &input.split.held_out] {
        add(&rows.iter().flat_map(|&r| (r as u64).to_le_bytes()).collect::<Vec<u8>>());
    }
    for study in input.sets {
        let set = &study.set;
        add(study.backbone.as_bytes());
        for row in set.features().rows() {
            add(&bytes(row));
        }
        if let Some(bank) = set.bank() {
            for row in 0..set.n_rows() {
                for view in 0..bank.n_views() {
                    add(&bank.row(row, view).map(bytes).unwrap_or_default());
                }
            }
        }
        add(&set.labels().iter().flat_map(|l| l.to_le_bytes()).collect::<Vec<u8>>());
        for &group in set.groups() {
            add(set.group_names()[group as usize].as_bytes());
        }
        for class in set.classes() {
            add(class.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..32].to_string()
}

fn bytes(row: &[f32]) -> Vec<u8> {
    row.iter().flat_map(|v| v.to_le_bytes()).collect()
}
