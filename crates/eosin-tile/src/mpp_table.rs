// SPDX-License-Identifier: MIT OR Apache-2.0

//! A CSV that says the resolution of slides whose headers do not.

use std::path::Path;

use eosin_core::spreadsheet::unguard;
use eosin_core::{Error, Mpp, Result};

use crate::regular_file;

/// The resolution of one slide by a CSV with the columns `slide` and `mpp`; `None` where the table
/// does not name it.
///
/// `slide` is the file's name, with or without its extension. A slide that is named twice with
/// different values, or a value that is no resolution, is an error.
pub fn mpp_of_slide(table: impl AsRef<Path>, slide: impl AsRef<Path>) -> Result<Option<Mpp>> {
    let (table, slide) = (table.as_ref(), slide.as_ref());
    let fault = |expected: &str, found: String| {
        Error::data(
            table,
            expected,
            found,
            "write a CSV with a header `slide,mpp` and one row per slide, such as `a.svs,0.25`",
        )
    };
    let (file, _) = regular_file::open_named("open", table)?;
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header = csv.headers().map_err(|e| fault("comma-separated text", e.to_string()))?.clone();
    let column = |name: &str| {
        let clean = |text: &str| unguard(text.trim_start_matches('\u{feff}')).to_string();
        header.iter().position(|other| clean(other) == name).ok_or_else(|| {
            let columns: Vec<String> = header.iter().map(clean).collect();
            fault(&format!("a column named {name}"), format!("the columns {}", columns.join(", ")))
        })
    };
    let (slide_column, mpp_column) = (column("slide")?, column("mpp")?);
    let is_slide = |text: &str| {
        let named = Path::new(text).file_name();
        named.is_some() && (named == slide.file_name() || named == slide.file_stem())
    };
    let mut found: Option<Mpp> = None;
    for (i, record) in csv.records().enumerate() {
        let record = record.map_err(|e| fault("the same columns in every row", e.to_string()))?;
        let cell = |at: usize| record.get(at).unwrap_or_default();
        if !is_slide(unguard(cell(slide_column))) {
            continue;
        }
        let text = cell(mpp_column);
        let mpp = text.parse().ok().and_then(|value| Mpp::new(value).ok()).ok_or_else(|| {
            fault("µm per pixel from 0.01 to 100", format!("`{text}` in line {}", i + 2))
        })?;
        if let Some(other) = found.filter(|other| *other != mpp) {
            return Err(fault(
                "one resolution per slide",
                format!("{} and {} for {}", other.get(), mpp.get(), cell(slide_column)),
            ));
        }
        found = Some(mpp);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slides_are_found_by_name_or_stem_and_faults_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("mpp.csv");
        let mpp = |text: &str, slide: &str| {
            std::fs::write(&table, text).unwrap();
            mpp_of_slide(&table, slide).map(|mpp| mpp.map(Mpp::get)).map_err(|e| e.to_string())
        };
        let text = "slide,mpp\na.svs,0.25\nb,0.5\nfolder/c.svs,1\n";
        assert_eq!(mpp(text, "x/a.svs"), Ok(Some(0.25)));
        assert_eq!(mpp(text, "b.ndpi"), Ok(Some(0.5)));
        assert_eq!(mpp(text, "c.svs"), Ok(Some(1.0)));
        assert_eq!(mpp(text, "d.svs"), Ok(None));
        assert!(mpp("slide,res\n", "a").unwrap_err().contains("a column named mpp"));
        assert!(mpp("slide,mpp\na,no\n", "a").unwrap_err().contains("`no` in line 2"));
        assert!(mpp("slide,mpp\na,1\na,2\n", "a").unwrap_err().contains("1 and 2 for a"));
    }
}
