// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use eosin_core::{Error, Result};
use eosin_proxy::select::{ScoreCache, UnitScores};

/// Keeps the scores of each repeat in a file of its own, written whole or not at all.
#[derive(Clone, Debug)]
pub struct FolderCache {
    folder: PathBuf,
}

impl FolderCache {
    /// A cache in a folder, which is made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(|e| Error::io("make the folder", &folder, e))?;
        Ok(Self { folder })
    }

    fn file(&self, key: &str, repeat: usize) -> PathBuf {
        self.folder.join(format!("{key}-{repeat}.json"))
    }
}

impl ScoreCache for FolderCache {
    /// A file that cannot be read as scores is made again: it is a cache.
    fn load(&self, key: &str, repeat: usize) -> Result<Option<UnitScores>> {
        let path = self.file(key, repeat);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(serde_json::from_str(&text).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", path, e)),
        }
    }

    fn store(&self, key: &str, repeat: usize, scores: &UnitScores) -> Result<()> {
        let path = self.file(key, repeat);
        let text = serde_json::to_string(scores).map_err(|e| {
            Error::input("scores", "numbers that JSON can hold", e.to_string(), "report this")
        })?;
        let partial = path.with_extension("partial");
        std::fs::write(&partial, text).map_err(|e| Error::io("write", &partial, e))?;
        std::fs::rename(&partial, &path).map_err(|e| Error::io("write", &path, e))
    }
}
