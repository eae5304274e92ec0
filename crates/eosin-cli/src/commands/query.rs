// SPDX-License-Identifier: MIT OR Apache-2.0

//! `eosin query`: SQL over tiles, labels and clinical tables.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use comfy_table::{Table, presets};
use eosin::crates::core::{EmbeddingStore, Error};
use eosin::crates::query::{Answer, Tables};
use eosin::crates::store::{ParquetStore, tell_slides_apart};

use crate::bounds;
use crate::exit::Outcome;

#[derive(Args)]
#[command(after_help = "Examples:
  eosin query
  eosin query \"SELECT slide, COUNT(*) AS n FROM tiles GROUP BY slide ORDER BY n DESC\"
  eosin query --table labels=tiles/manifest.csv --table clinical=patients.parquet \\
    \"SELECT sex, AVG(age) FROM labels JOIN clinical ON labels.group = clinical.patient GROUP BY sex\" \\
    --out sexes.csv

Without a query, the tables and their columns are listed. Every set of the store is a table that is
called after its backbone, with _ for other signs than letters and digits; a single set is also
called tiles. Slides of one name that were read from different files get a dash and eight signs; the
column source says which file it was. The SQL is that of polars: one SELECT, of which nothing is left
out; what polars would pass over, such as QUALIFY or FETCH, is refused. In a CSV, an apostrophe stands
before text that a spreadsheet would run as a formula; where Eosin reads a CSV, it is taken off again.")]
pub struct QueryArguments {
    /// The query.
    pub sql: Option<String>,
    /// A CSV, TSV or Parquet file as a table: NAME=FILE; may be given more than once.
    #[arg(long, value_parser = named_file)]
    pub table: Vec<(String, PathBuf)>,
    /// The store's folder.
    #[arg(long, default_value = "eosin-out/store")]
    pub store: PathBuf,
    /// Write the answer to this .csv or .parquet file instead of the screen.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Rows that are shown on the screen; 0 for all.
    #[arg(long, default_value_t = 50, allow_negative_numbers = true, value_parser = bounds::whole::<usize>("limit"))]
    pub limit: usize,
}

fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_string(), PathBuf::from(file)))
        }
        _ => Err("expected NAME=FILE, as in clinical=patients.csv".to_string()),
    }
}

/// `eosin query`.
pub fn query(arguments: &QueryArguments) -> Result<Outcome> {
    let mut tables = Tables::new();
    for (name, file) in &arguments.table {
        let left_out = tables.add_file(name, file)?;
        if !left_out.is_empty() {
            let columns = left_out.join(", ");
            eprintln!("{name}: left out, neither text nor numbers: {columns}");
        }
    }
    add_store(&mut tables, arguments)?;
    let Some(sql) = &arguments.sql else {
        list(&tables);
        return Ok(Outcome::Done);
    };
    let answer = tables.query(sql)?;
    match &arguments.out {
        None => show(&answer, arguments.limit),
        Some(path) => {
            match path.extension().and_then(|e| e.to_str()) {
                Some("parquet") => answer.write_parquet(path)?,
                Some("csv") => {
                    let file =
                        std::fs::File::create(path).map_err(|e| Error::io("create", path, e))?;
                    answer.write_csv(std::io::BufWriter::new(file))?;
                }
                other => {
                    return Err(Error::input(
                        "--out",
                        "a file called .csv or .parquet",
                        other.unwrap_or("no extension"),
                        "name the file so",
                    )
                    .into());
                }
            }
            println!("{}: {} rows", path.display(), answer.n_rows());
        }
    }
    Ok(Outcome::Done)
}

/// A table for every set; names that would be the same get the beginning of the fingerprint.
fn add_store(tables: &mut Tables, arguments: &QueryArguments) -> Result<()> {
    let store = ParquetStore::open(&arguments.store)?;
    let sets = store.sets()?;
    let given: BTreeSet<&str> = arguments.table.iter().map(|(name, _)| name.as_str()).collect();
    let plain = |name: &str| -> String {
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
    };
    for set in &sets {
        let name = plain(&set.contract.backbone);
        let same = |s: &&_| {
            let s: &eosin::crates::core::SetSummary = s;
            plain(&s.contract.backbone) == name
        };
        let is_alone = sets.iter().filter(same).count() == 1 && !given.contains(name.as_str());
        let (mut metas, views) = store.tiles(&set.fingerprint)?;
        tell_slides_apart(&mut metas);
        if sets.len() == 1 && !given.contains("tiles") && name != "tiles" {
            tables.add_tiles("tiles", &metas, &views)?;
        }
        let name =
            if is_alone { name } else { format!("{name}_{}", &set.fingerprint.as_str()[..6]) };
        tables.add_tiles(&name, &metas, &views)?;
    }
    Ok(())
}

fn list(tables: &Tables) {
    for info in tables.info() {
        println!("{} ({} rows)", info.name, info.n_rows);
        let columns: Vec<String> = info.columns.iter().map(|(n, t)| format!("{n} {t}")).collect();
        println!("  {}", columns.join(", "));
    }
    if tables.info().is_empty() {
        println!("no tables: the store is empty, and no --table was given");
    }
}

fn show(answer: &Answer, limit: usize) {
    let columns = answer.columns();
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(&columns);
    let n_rows = answer.n_rows();
    let shown = if limit == 0 { n_rows } else { n_rows.min(limit) };
    for row in 0..shown {
        table.add_row((0..columns.len()).map(|c| answer.cell(row, c).unwrap_or_default()));
    }
    println!("{table}");
    if shown < n_rows {
        println!("{shown} of {n_rows} rows; --limit 0 shows all, --out writes them");
    }
}
