// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eosin_core::{Error, Result};

use super::{Manifest, ManifestRow, normal_path};

impl Manifest {
    /// Reads several manifests below `folder` as one, such as those of two hospitals.
    ///
    /// A tile's path starts at `folder`, so that equal names in two folders are two tiles. The
    /// columns are those of all files; a row has empty cells where its file lacks a column.
    pub fn read_joined(folder: impl Into<PathBuf>, files: &[PathBuf]) -> Result<Self> {
        let folder = folder.into();
        let manifests: Vec<Self> =
            files.iter().map(|file| Self::read(folder.join(file))).collect::<Result<_>>()?;
        let mut header: Vec<String> = Vec::new();
        for name in manifests.iter().flat_map(Self::columns) {
            if !header.contains(name) {
                header.push(name.clone());
            }
        }
        let header: Arc<[String]> = header.into();
        let mut rows = Vec::new();
        let mut first: BTreeMap<String, &Path> = BTreeMap::new();
        for (file, manifest) in files.iter().zip(&manifests) {
            let below = file.parent().unwrap_or(Path::new(""));
            for row in manifest.rows() {
                let path = normal_path(below.join(&row.path));
                if let Some(other) = first.insert(path.clone(), file) {
                    return Err(Error::data(
                        manifest.file(),
                        "tiles that no other manifest lists",
                        format!("{path}, which {} lists too", other.display()),
                        "list every tile once: one that occurs twice would count twice",
                    ));
                }
                let cell = |name: &String| match name.as_str() {
                    "path" => path.clone(),
                    name => row.column(name).unwrap_or_default().to_string(),
                };
                let cells = header.iter().map(cell).collect();
                rows.push(ManifestRow { path, header: Arc::clone(&header), cells });
            }
        }
        let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
        if rows.is_empty() {
            return Err(Error::input(
                "manifests to join",
                "at least one file",
                "none",
                "list manifests in `files`, or name one in `file`",
            ));
        }
        Ok(Self { file: folder.join(names.join(" and ")), folder, header, rows })
    }
}
