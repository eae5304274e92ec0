// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use eosin_core::{Error, Result};

use super::unit::{Unit, UnitKey};

/// Units that are done, a line of JSON each, so that a study that was killed goes on.
///
/// The file's name holds the digest of everything that a unit depends on; a study with other
/// settings or data begins another file. A line that a kill tore off is not read.
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Opens `folder/units-<digest>.jsonl` and tells what is done.
    pub fn open(folder: &Path, digest: &str) -> Result<(Self, BTreeMap<UnitKey, Unit>)> {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, e))?;
        let path = folder.join(format!("units-{digest}.jsonl"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Error::io("read", &path, e)),
        };
        // A whole line ends with a newline; what follows the last one was torn off.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let mut done = BTreeMap::new();
        for (number, line) in text[..whole].lines().enumerate() {
            let unit: Unit = serde_json::from_str(line).map_err(|e| {
                Error::data(
                    &path,
                    "a unit of a study in every line",
                    format!("line {}: {e}", number + 1),
                    "delete the file; the study computes its units again",
                )
            })?;
            done.insert(unit.key, unit);
        }
        let write = |e| Error::io("write", &path, e);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(write)?;
        file.set_len(whole as u64).map_err(write)?;
        Ok((Self { path, file: Mutex::new(file) }, done))
    }

    /// Adds a unit.
    pub fn append(&self, unit: &Unit) -> Result<()> {
        let mut line = serde_json::to_string(unit).unwrap_or_default();
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(line.as_bytes()).map_err(|e| Error::io("write", &self.path, e))
    }
}
