// SPDX-License-Identifier: MIT OR Apache-2.0

//! The list of tiles that a user gives: a CSV or Parquet file with one row per image file.

mod parquet;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use eosin_core::{Error, Result};

/// A manifest: rows in file order, with paths relative to its folder.
///
/// The column `path` is required. `label`, `group`, `split`, `slide`, `centre`, `scanner`, `x` and
/// `y` have a meaning; every further column is kept under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    file: PathBuf,
    folder: PathBuf,
    header: Arc<[String]>,
    rows: Vec<ManifestRow>,
}

/// One tile of a manifest. An empty cell is the same as a missing column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestRow {
    /// The tile's path as written, with `/` between folders and without `./`: its tile id.
    pub path: String,
    header: Arc<[String]>,
    cells: Vec<String>,
}

/// A manifest with more bytes than this is taken for a wrong file.
const MAX_BYTES: u64 = 4 << 30;

impl Manifest {
    /// Reads a CSV or, with the feature `parquet`, a Parquet file, told by content; an empty one, a missing `path` column and a path given twice are errors.
    pub fn read(file: impl AsRef<Path>) -> Result<Self> {
        let file = file.as_ref();
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let open = std::fs::File::open(file).map_err(|e| Error::io("open manifest", file, e))?;
        let metadata = open.metadata().map_err(|e| Error::io("read manifest", file, e))?;
        if metadata.is_dir() || metadata.len() > MAX_BYTES {
            let found = if metadata.is_dir() {
                "a folder".into()
            } else {
                format!("{} bytes", metadata.len())
            };
            return Err(Error::data(
                file,
                "a CSV or Parquet file of at most 4 GiB",
                found,
                "name the manifest itself; a folder of tiles is opened without a manifest",
            ));
        }
        if is_parquet(file) {
            parquet::read(open, file, folder)
        } else {
            Self::parse(open, file, folder)
        }
    }

    /// Reads a CSV from memory; `folder` is where its paths start.
    pub fn from_csv(text: &str, folder: impl Into<PathBuf>) -> Result<Self> {
        Self::parse(text.as_bytes(), Path::new("manifest"), folder.into())
    }

    fn parse(reader: impl std::io::Read, file: &Path, folder: PathBuf) -> Result<Self> {
        let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
        let broken = |error: csv::Error| {
            Error::data(
                file,
                "comma-separated text in UTF-8 with the same columns in every row",
                error.to_string(),
                "quote cells that hold a comma",
            )
        };
        let header = csv
            .headers()
            .map_err(broken)?
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_string())
            .collect();
        let records = csv.records().map(|record| {
            record.map(|cells| cells.iter().map(str::to_string).collect()).map_err(broken)
        });
        Self::assemble(file, folder, header, records)
    }

    /// Checks rows, whichever kind of file they come from.
    fn assemble(
        file: &Path,
        folder: PathBuf,
        header: Vec<String>,
        records: impl Iterator<Item = Result<Vec<String>>>,
    ) -> Result<Self> {
        let header: Arc<[String]> = header.into();
        let Some(path_column) = header.iter().position(|name| name == "path") else {
            return Err(Error::data(
                file,
                "a column named path",
                format!("the columns {}", header.join(", ")),
                "name the column that holds the image files `path`",
            ));
        };
        let mut rows = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        for (i, cells) in records.enumerate() {
            let cells = cells?;
            // The header is line 1; quoted line breaks are rare enough to count rows as lines.
            let line = i + 2;
            let path = normal_path(cells.get(path_column).map_or("", String::as_str));
            if path.is_empty() {
                return Err(Error::data(
                    file,
                    "a path in every row",
                    format!("an empty one in line {line}"),
                    "remove the row or name its file",
                ));
            }
            if let Some(first) = lines.insert(path.clone(), line) {
                return Err(Error::data(
                    file,
                    "every path once",
                    format!("{path} in lines {first} and {line}"),
                    "remove one of the rows: a tile that occurs twice would count twice",
                ));
            }
            rows.push(ManifestRow { path, header: Arc::clone(&header), cells });
        }
        if rows.is_empty() {
            return Err(Error::data(
                file,
                "at least one row below the header",
                "none",
                "list one image file per row",
            ));
        }
        Ok(Self { file: file.to_path_buf(), folder, header, rows })
    }

    /// The rows in file order.
    pub fn rows(&self) -> &[ManifestRow] {
        &self.rows
    }

    /// The file it was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Column names in file order.
    pub fn columns(&self) -> &[String] {
        &self.header
    }

    /// The folder that its paths are relative to.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a row's image lies.
    pub fn resolve(&self, row: &ManifestRow) -> PathBuf {
        self.folder.join(&row.path)
    }
}

impl ManifestRow {
    /// The cell under a column name, unless it is empty.
    pub fn column(&self, name: &str) -> Option<&str> {
        let at = self.header.iter().position(|column| column == name)?;
        self.cells.get(at).map(String::as_str).filter(|cell| !cell.is_empty())
    }

    /// The class that was given to the tile.
    pub fn label(&self) -> Option<&str> {
        self.column("label")
    }

    /// The patient or other unit that splits must not tear.
    pub fn group(&self) -> Option<&str> {
        self.column("group")
    }

    /// The name of the part, such as `train` or `test`, that the tile belongs to.
    pub fn split(&self) -> Option<&str> {
        self.column("split")
    }

    /// The slide that the tile was cut from.
    pub fn slide(&self) -> Option<&str> {
        self.column("slide")
    }

    /// The hospital that made the slide.
    pub fn centre(&self) -> Option<&str> {
        self.column("centre")
    }

    /// The scanner that digitised the slide.
    pub fn scanner(&self) -> Option<&str> {
        self.column("scanner")
    }

    /// Left edge in level-0 pixels, where the cell is a whole number.
    pub fn x(&self) -> Option<i64> {
        self.column("x").and_then(|cell| cell.parse().ok())
    }

    /// Top edge in level-0 pixels, where the cell is a whole number.
    pub fn y(&self) -> Option<i64> {
        self.column("y").and_then(|cell| cell.parse().ok())
    }
}

/// Whether a file begins as Parquet does.
pub(crate) fn is_parquet(file: &Path) -> bool {
    let mut head = [0; 4];
    let read =
        std::fs::File::open(file).and_then(|mut f| std::io::Read::read_exact(&mut f, &mut head));
    read.is_ok() && &head == b"PAR1"
}

/// The same path on every system: `/` between folders, no `.` components.
pub(crate) fn normal_path(path: impl AsRef<Path>) -> String {
    let parts: Vec<String> = path
        .as_ref()
        .components()
        .filter(|part| !matches!(part, Component::CurDir))
        .map(|part| match part {
            Component::RootDir => String::new(),
            other => other.as_os_str().to_string_lossy().into_owned(),
        })
        .collect();
    parts.join("/")
}

mod joined;

#[cfg(test)]
mod tests;
