// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{File, Metadata};
use std::path::Path;

use eosin_core::spreadsheet::unguard;
use eosin_core::{Error, Result, irregularity};

/// Bytes of a table, as it lies in a file and unpacked.
pub(crate) const MAX_BYTES: u64 = 4 << 30;

/// A table of text, as a manifest or a clinical CSV is, before its columns have types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextTable {
    header: Vec<String>,
    /// Row after row.
    cells: Vec<String>,
}

impl TextTable {
    /// A table of these columns without rows; two columns of one name are refused.
    pub fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let header: Vec<String> = header.into_iter().map(Into::into).collect();
        for (i, name) in header.iter().enumerate() {
            if name.is_empty() || header[..i].contains(name) {
                return Err(Error::input(
                    "columns of a table",
                    "a name for each, and none twice",
                    format!("{name:?} at column {}", i + 1),
                    "name the columns in the first line",
                ));
            }
        }
        Ok(Self { header, cells: Vec::new() })
    }

    /// Reads comma-separated text with a header.
    pub fn from_csv(text: &str) -> Result<Self> {
        Self::parse(text.as_bytes(), b',', Path::new("table"))
    }

    /// Reads a CSV file, or one separated by tabs if it is called `.tsv`: a regular file of at
    /// most 4 GiB. Of text that [`eosin_core::spreadsheet`] guarded, as Eosin's own tables are, the
    /// guard is taken off.
    pub fn read(path: &Path) -> Result<Self> {
        let (file, _) = open_regular(path)?;
        let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
        Self::parse(file, if tabs { b'\t' } else { b',' }, path)
    }

    /// Adds a row of as many cells as there are columns.
    pub fn push<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) -> Result<()> {
        let before = self.cells.len();
        self.cells.extend(cells.into_iter().map(Into::into));
        let n = self.cells.len() - before;
        if n == self.header.len() {
            return Ok(());
        }
        self.cells.truncate(before);
        Err(Error::input(
            "row of a table",
            format!("{} cells", self.header.len()),
            n.to_string(),
            "give every row a cell for every column",
        ))
    }

    /// Names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.cells.len().checked_div(self.header.len()).unwrap_or(0)
    }

    /// The cells of column `at`, from the top.
    pub fn column(&self, at: usize) -> impl Iterator<Item = &str> + Clone {
        self.cells.iter().skip(at).step_by(self.header.len().max(1)).map(String::as_str)
    }

    fn parse(input: impl std::io::Read, delimiter: u8, path: &Path) -> Result<Self> {
        let broken = |e: csv::Error| {
            Error::data(
                path,
                "separated text in UTF-8 with the same columns in every row",
                e.to_string(),
                "quote cells that hold a separator; call a file separated by tabs .tsv",
            )
        };
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(input);
        let header = reader.headers().map_err(broken)?;
        let names = header.iter().map(|h| unguard(h.trim_start_matches('\u{feff}')));
        let mut table = Self::new(names)?;
        for row in reader.records() {
            table.push(row.map_err(broken)?.iter().map(unguard))?;
        }
        Ok(table)
    }
}

/// Opens a table with its length. A pipe would wait for its writer, and a device never end.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64)> {
    let failed = |e| Error::io("read", path, e);
    let check = |metadata: &Metadata| {
        let too_large = || format!("{} bytes", metadata.len());
        let found = irregularity(metadata)
            .map(str::to_string)
            .or_else(|| (metadata.len() > MAX_BYTES).then(too_large));
        let Some(found) = found else { return Ok(()) };
        let hint = "copy its content into a file, and name that";
        Err(Error::data(path, "a regular file of at most 4 GiB", found, hint))
    };
    check(&std::fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    check(&metadata)?;
    Ok((file, metadata.len()))
}
