// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use anyhow::Result;
use eosin::crates::core::{Error, Fingerprint};
use eosin::crates::store::{ParquetStore, export_npy, export_safetensors};

use super::arguments::{ExportArguments, Format};
use super::only;
use crate::exit::Outcome;

/// `eosin store export`.
pub fn export(arguments: &ExportArguments) -> Result<Outcome> {
    let store = ParquetStore::open(&arguments.set.at.store)?;
    let set = only(&store, arguments.set.set.as_deref())?;
    let out = &arguments.out;
    let is_folder = matches!(arguments.to, Format::Trident | Format::Clam);
    if !arguments.force && out.is_file() {
        return Err(Error::input(
            "--out",
            "a path where nothing is",
            out.display().to_string(),
            "name another file, or write over it with --force",
        )
        .into());
    }
    let folder = if is_folder { Some(out.as_path()) } else { out.parent() };
    if let Some(folder) = folder.filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    }
    match arguments.to {
        Format::Npy => export_npy(&store, &set, out)?,
        Format::Safetensors => export_safetensors(&store, &set, out)?,
        hdf5 => {
            for path in export_hdf5(&store, &set, out, hdf5)? {
                println!("{}", path.display());
            }
            return Ok(Outcome::Done);
        }
    }
    println!("{}", out.display());
    Ok(Outcome::Done)
}

#[cfg(feature = "hdf5")]
fn export_hdf5(
    store: &ParquetStore,
    set: &Fingerprint,
    out: &Path,
    format: Format,
) -> Result<Vec<std::path::PathBuf>> {
    use eosin::crates::store::{H5Layout, export_h5, export_h5ad};
    Ok(match format {
        Format::Trident => export_h5(store, set, out, H5Layout::Trident)?,
        Format::Clam => export_h5(store, set, out, H5Layout::Clam)?,
        _ => {
            export_h5ad(store, set, out)?;
            vec![out.to_owned()]
        }
    })
}

#[cfg(not(feature = "hdf5"))]
fn export_hdf5(
    _store: &ParquetStore,
    _set: &Fingerprint,
    _out: &Path,
    _format: Format,
) -> Result<Vec<std::path::PathBuf>> {
    Err(Error::unsupported(
        "writing HDF5",
        &["npy", "safetensors"],
        "build with the feature hdf5, which is on by default",
    )
    .into())
}
