// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use anyhow::Result;
use eosin::crates::core::{Error, Progress};
use eosin::crates::store::{
    Dtype, Imported, ParquetStore, StoreOptions, UNKNOWN, import_npy, import_npz,
    import_safetensors,
};
use eosin::{ImportOptions, import_rows};

use super::arguments::ImportArguments;
use crate::exit::Outcome;
use crate::progress::Bars;

/// `eosin store import`.
///
/// One file, one commit: what was imported before an interruption is there, and is left out when
/// the command is given again.
pub fn import(arguments: &ImportArguments, bars: &Bars) -> Result<Outcome> {
    let dtype = if arguments.f32 { Dtype::F32 } else { Dtype::F16 };
    let options = StoreOptions { dtype, cold: arguments.cold, ..StoreOptions::default() };
    let store = ParquetStore::open_with(&arguments.at.store, options)?;
    if arguments.dry_run {
        eosin::require_writable(&arguments.at.store)?;
    }
    let files = files(&arguments.files)?;
    bars.start("import", files.len() as u64);
    let mut lines = Vec::new();
    for file in &files {
        let imported = read(file, arguments)?;
        let set = imported.contract.fingerprint();
        let (n_rows, dim) = (imported.metas.len(), imported.contract.dim);
        let options = ImportOptions { replace: arguments.replace, dry_run: arguments.dry_run };
        let outcome = import_rows(&store, imported, options)?;
        let what = match (outcome.is_there, arguments.dry_run) {
            (true, _) => "there already".to_string(),
            (false, true) => "would be imported".to_string(),
            (false, false) if outcome.n_replaced > 0 => {
                format!("imported in place of {} of the file's earlier content", outcome.n_replaced)
            }
            (false, false) => "imported".to_string(),
        };
        lines.push(format!("{}: {n_rows} rows × {dim} {what}, set {set}", file.display()));
        bars.advance(1);
    }
    bars.finish();
    for line in lines {
        println!("{line}");
    }
    Ok(Outcome::Done)
}

fn read(file: &Path, arguments: &ImportArguments) -> Result<Imported> {
    let (backbone, array) = (arguments.backbone.as_deref(), arguments.array.as_deref());
    let name = backbone.unwrap_or(UNKNOWN);
    let mut imported = match extension(file) {
        "npy" => import_npy(file, name)?,
        "npz" => import_npz(file, name, array)?,
        "safetensors" => import_safetensors(file, name, array)?,
        "h5" | "hdf5" => read_h5(file, array)?,
        other => {
            return Err(Error::unsupported(
                format!("import of .{other} files"),
                &["h5", "hdf5", "npy", "npz", "safetensors"],
                "convert the file to one of these",
            )
            .into());
        }
    };
    let told = &mut imported.contract.backbone;
    match backbone {
        Some(name) if *told == UNKNOWN => *told = name.to_string(),
        Some(name) if *told != name => {
            return Err(Error::input(
                "--backbone",
                format!("{told}, which {} names", file.display()),
                name,
                "leave --backbone out",
            )
            .into());
        }
        _ => {}
    }
    Ok(imported)
}

#[cfg(feature = "hdf5")]
fn read_h5(file: &Path, array: Option<&str>) -> Result<Imported> {
    Ok(eosin::crates::store::import_h5(file, array)?)
}

#[cfg(not(feature = "hdf5"))]
fn read_h5(file: &Path, _array: Option<&str>) -> Result<Imported> {
    Err(Error::unsupported(
        format!("reading HDF5, for {}", file.display()),
        &["npy", "npz", "safetensors"],
        "build with the feature hdf5, which is on by default",
    )
    .into())
}

/// The files named, and the HDF5 files of the folders named, each folder in order.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|e| Error::io("list", path, e))? {
            let entry = entry.map_err(|e| Error::io("list", path, e))?.path();
            if ["h5", "hdf5"].contains(&extension(&entry)) {
                inside.push(entry);
            }
        }
        if inside.is_empty() {
            return Err(Error::input(
                "file to import",
                "a folder with .h5 or .hdf5 files",
                path.display().to_string(),
                "name the files themselves if they are of another format",
            )
            .into());
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or("")
}
