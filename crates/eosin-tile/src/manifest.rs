// SPDX-License-Identifier: MIT OR Apache-2.0

//! The list of tiles that a user gives: a CSV or Parquet file with one row per image file.

mod limits;
mod parquet;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use eosin_core::spreadsheet::unguard;
use eosin_core::{Error, Mpp, Result};

use crate::regular_file;
use limits::{MAX_BYTES, MAX_CELLS, MAX_COLUMNS, RecordMeter};

/// A manifest: rows in file order, with paths relative to its folder.
///
/// The column `path` is required. `label`, `group`, `split`, `slide`, `centre`, `scanner`, `x` and
/// `y` have a meaning, and `mpp` for the tile's resolution; every further column is kept under its
/// name. A cell of `x`, `y` or `mpp` that is no such number is an error, not a missing one.
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

impl Manifest {
    /// Reads a CSV or, with the feature `parquet`, a Parquet file, told by content; an empty one, a
    /// missing `path` column and a path given twice are errors.
    ///
    /// A manifest is a regular file of at most 4 GiB, 1,000 columns, 100 million cells and 1 MiB a
    /// row. Of text that [`eosin_core::spreadsheet`] guarded, as `eosin tile` does, the guard is
    /// taken off; write `./` before a path that begins with an apostrophe and a sign.
    pub fn read(file: impl AsRef<Path>) -> Result<Self> {
        let file = file.as_ref();
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let wrong = |found: String| {
            Error::data(
                file,
                "a CSV or Parquet file of at most 4 GiB",
                found,
                "name the manifest itself; a folder of tiles is opened without a manifest",
            )
        };
        let (open, metadata) = regular_file::open(file).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidInput => wrong(e.to_string()),
            _ => Error::io("open manifest", file, e),
        })?;
        if metadata.len() > MAX_BYTES {
            return Err(wrong(format!("{} bytes", metadata.len())));
        }
        if is_parquet(&open) {
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
        let (meter, reader) = RecordMeter::new(reader);
        let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
        let broken = |error: csv::Error| {
            Error::data(
                file,
                "comma-separated text in UTF-8 with the same columns in every row",
                error.to_string(),
                "quote cells that hold a comma, and close what is quoted",
            )
        };
        let header = csv
            .headers()
            .map_err(broken)?
            .iter()
            .map(|name| unguard(name.trim_start_matches('\u{feff}')).to_string())
            .collect();
        let records = csv.records().map(|record| {
            meter.start_record();
            let own = |cells: csv::StringRecord| cells.iter().map(|c| unguard(c).into()).collect();
            record.map(own).map_err(broken)
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
        if let Some(name) = duplicate(&header) {
            return Err(Error::data(
                file,
                "columns of different names",
                format!("two columns named {name}"),
                "give the second one another name: a value is looked up by it",
            ));
        }
        let Some(path_column) = header.iter().position(|name| name == "path") else {
            return Err(Error::data(
                file,
                "a column named path",
                format!("the columns {}", header.join(", ")),
                "name the column that holds the image files `path`",
            ));
        };
        if header.len() > MAX_COLUMNS {
            return Err(Error::data(
                file,
                format!("at most {MAX_COLUMNS} columns"),
                header.len().to_string(),
                "keep what is known of the tiles in a table of its own",
            ));
        }
        let mut rows = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        for (i, cells) in records.enumerate() {
            let cells = cells?;
            // The header is line 1; quoted line breaks are rare enough to count rows as lines.
            let line = i + 2;
            if (i + 1).saturating_mul(header.len()) > MAX_CELLS {
                return Err(Error::data(
                    file,
                    format!("at most {MAX_CELLS} cells"),
                    format!("more, in line {line}"),
                    "split the manifest, or leave columns out",
                ));
            }
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
            let row = ManifestRow { path, header: Arc::clone(&header), cells };
            if let Some((name, expected, cell)) = row.misread_number() {
                return Err(Error::data(
                    file,
                    format!("{expected} in column {name}"),
                    format!("`{cell}` in line {line}"),
                    "write it with a point and without a unit, or leave the cell empty",
                ));
            }
            rows.push(row);
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

    /// Left edge in level-0 pixels.
    pub fn x(&self) -> Option<i64> {
        self.column("x").and_then(whole_number)
    }

    /// Top edge in level-0 pixels.
    pub fn y(&self) -> Option<i64> {
        self.column("y").and_then(whole_number)
    }

    /// The first cell that has a meaning as a number and is none: name, what is expected, text.
    fn misread_number(&self) -> Option<(&'static str, &'static str, &str)> {
        let is_mpp = |cell: &str| cell.parse().is_ok_and(|value| Mpp::new(value).is_ok());
        let is_whole = |cell: &str| whole_number(cell).is_some();
        let numbers = [
            ("x", "a whole number"),
            ("y", "a whole number"),
            ("mpp", "µm per pixel from 0.01 to 100"),
        ];
        numbers.into_iter().find_map(|(name, expected)| {
            let is_right = |cell: &str| if name == "mpp" { is_mpp(cell) } else { is_whole(cell) };
            let cell = self.column(name).filter(|cell| !is_right(cell))?;
            Some((name, expected, cell))
        })
    }
}

/// A whole number, also as programs write one that was kept as a float: `12.0`.
fn whole_number(cell: &str) -> Option<i64> {
    let whole = cell
        .split_once('.')
        .map_or(cell, |(whole, zeros)| if zeros.bytes().all(|b| b == b'0') { whole } else { cell });
    whole.parse().ok()
}

/// A name that two columns have; columns without a name are nobody's.
fn duplicate(header: &[String]) -> Option<&String> {
    let twice = |(i, name): &(usize, &String)| !name.is_empty() && header[..*i].contains(name);
    header.iter().enumerate().find(twice).map(|(_, name)| name)
}

/// Whether a file begins as Parquet does; it is read from its start afterwards.
fn is_parquet(mut file: &std::fs::File) -> bool {
    use std::io::{Read, Seek};
    let mut head = [0; 4];
    let read = file.read_exact(&mut head);
    file.rewind().is_ok() && read.is_ok() && &head == b"PAR1"
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
