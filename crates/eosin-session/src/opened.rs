// SPDX-License-Identifier: MIT OR Apache-2.0

//! How often a test part was opened: the best of many heads on one test part looks better than it
//! is.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use eosin_core::{Error, Result};
use eosin_head::HeadFile;
use eosin_report::TestOpened;

use crate::dataset::TaskRows;
use crate::session::Session;

/// Folder beside the store, with a file for each test part: a line per head or configuration that
/// was scored on it.
const FOLDER: &str = "opened";

/// Notes that a configuration was scored on these rows, each an id and a class, and tells how many
/// different ones were, this one counted.
///
/// The same one is counted once, so that a run that is repeated says the same; `heads` are those
/// that it made, which are no others when they are evaluated on the same rows later.
pub fn count<'a>(
    store: &Path,
    rows: impl Iterator<Item = (&'a str, &'a str)>,
    configuration: &str,
    heads: &[String],
) -> Result<u64> {
    let sorted: BTreeSet<(&str, &str)> = rows.collect();
    let mut hasher = blake3::Hasher::new();
    for (id, class) in sorted {
        for text in [id, class] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }
    let folder = store.with_file_name(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|e| Error::io("make the folder", &folder, e))?;
    let path = folder.join(format!("{}.txt", &hasher.finalize().to_hex()[..32]));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::io("read", &path, e)),
    };
    // A line that a kill tore off is of a configuration that was not reported.
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    let known: BTreeSet<&str> = text[..whole].lines().collect();
    let is_known = |line: &&str| line.split(' ').any(|own| own == configuration);
    let is_new = !known.iter().any(is_known);
    if is_new {
        let write = |e| Error::io("write", &path, e);
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(write)?;
        file.set_len(whole as u64).map_err(write)?;
        let line = [&[configuration.to_string()], heads].concat().join(" ");
        file.write_all(format!("{line}\n").as_bytes()).map_err(write)?;
    }
    Ok(known.len() as u64 + u64::from(is_new))
}

/// What tells a head from others: its arrays and how it decides, whatever its file is called.
pub fn identity(file: &HeadFile) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut put = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    put(file.record.kind.as_bytes());
    put(format!("{:?} {:?}", file.threshold.map(f64::to_bits), file.decision).as_bytes());
    for (name, value) in &file.record.parameters {
        put(name.as_bytes());
        put(&value.to_le_bytes());
    }
    for (name, tensor) in &file.record.tensors {
        put(name.as_bytes());
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        put(&bytes);
    }
    hasher.finalize().to_hex().to_string()
}

/// As [`count`] for the test part of a task, where it has one.
pub fn test_part(
    session: &Session,
    rows: &TaskRows,
    configuration: &str,
    heads: &[String],
) -> Result<Option<TestOpened>> {
    if rows.split.held_out.is_empty() {
        return Ok(None);
    }
    let row =
        |&i: &usize| (rows.tile_ids[i].as_str(), rows.classes[rows.labels[i] as usize].as_str());
    let test = rows.split.held_out.iter().map(row);
    let n_configurations = count(session.store().root(), test, configuration, heads)?;
    Ok(Some(TestOpened { n_configurations }))
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn configurations_are_counted_once_per_test_part() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let rows = [("a", "x"), ("b", "y")];
        let of = |rows: &[(&'static str, &'static str)], configuration| {
            count(&store, rows.iter().copied(), configuration, &[]).unwrap()
        };
        assert_eq!([of(&rows, "1"), of(&rows, "1"), of(&rows, "2"), of(&rows, "1")], [1, 1, 2, 2]);
        // The order of rows is not their number; another label makes another test part.
        assert_eq!(of(&[("b", "y"), ("a", "x")], "3"), 3);
        assert_eq!(of(&[("b", "x"), ("a", "x")], "3"), 1);
    }

    #[test]
    fn heads_of_a_configuration_are_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let of = |configuration, heads: &[String]| {
            count(&store, [("a", "x")].into_iter(), configuration, heads).unwrap()
        };
        assert_eq!(of("run", &["h1".into(), "h2".into()]), 1);
        assert_eq!([of("h1", &[]), of("h2", &[]), of("h3", &[])], [1, 1, 2]);
    }

    #[test]
    fn a_torn_line_is_no_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let rows = || [("a", "x")].into_iter();
        count(&store, rows(), "first", &[]).unwrap();
        let file = std::fs::read_dir(folder.path().join("opened")).unwrap().next().unwrap();
        let path = file.unwrap().path();
        std::fs::write(&path, "first\nsec").unwrap();
        assert_eq!(count(&store, rows(), "third", &[]).unwrap(), 2);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\nthird\n");
    }
}
