// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{HashMap, HashSet};
use std::path::Path;

use eosin_core::{Error, Fingerprint, Mpp, Result, TileMeta};
use hdf5_pure::{AttrValue, DatasetBuilder, FileBuilder, GroupBuilder};

use crate::parquet_store::ParquetStore;
use crate::slides::tell_slides_apart;

/// Exports a set as one `.h5ad` file, as anndata and scanpy read it: embeddings are `X`, tiles
/// `obs`, their places `obsm/spatial`, and the contract `uns/eosin_contract`.
///
/// The set is held in memory once. Rows are named by tile, by view in a bank of views, and by the
/// beginning of their file's digest where tiles of two files have one name; slides of one name are
/// told apart likewise. Text that is not known is empty, a resolution that is not known is NaN.
pub fn export_h5ad(store: &ParquetStore, set: &Fingerprint, path: &Path) -> Result<()> {
    let contract = store.open_set(set)?.contract;
    let mut all = store.read_all(set)?;
    tell_slides_apart(&mut all.metas);
    let (n, dim) = (all.metas.len() as u64, u64::from(contract.dim));
    let mut file = FileBuilder::new();
    file.set_attr("encoding-type", text("anndata"));
    file.set_attr("encoding-version", text("0.1.0"));
    let x = file.create_dataset("X");
    tag(x.with_f32_data(all.embeddings.values()).with_shape(&[n, dim]), "array");
    let tiles = observations(&mut file, &all.metas, &all.views).finish();
    file.add_group(tiles);

    let mut variables = file.create_group("var");
    let names: Vec<String> = (0..dim).map(|i| format!("e{i}")).collect();
    frame(&mut variables, &["dimension"]);
    strings(&mut variables, "_index", names.iter().map(String::as_str));
    let numbers: Vec<i64> = (0..dim as i64).collect();
    tag(variables.create_dataset("dimension").with_i64_data(&numbers), "array");
    file.add_group(variables.finish());

    let mut multi = dict(&mut file, "obsm");
    let places: Vec<f64> = all.metas.iter().flat_map(|m| [m.x as f64, m.y as f64]).collect();
    tag(multi.create_dataset("spatial").with_f64_data(&places).with_shape(&[n, 2]), "array");
    file.add_group(multi.finish());
    let mut loose = dict(&mut file, "uns");
    for (name, value) in
        [("eosin_contract", contract.canonical()), ("eosin_fingerprint", set.to_string())]
    {
        let scalar = loose.create_dataset(name);
        tag(scalar.with_vlen_strings(&[value.as_str()]).with_shape(&[]), "string");
    }
    file.add_group(loose.finish());
    for name in ["layers", "obsp", "varm", "varp"] {
        let empty = dict(&mut file, name).finish();
        file.add_group(empty);
    }
    file.write(path).map_err(|e| Error::io("write", path, std::io::Error::other(e)))
}

/// The table of tiles.
fn observations(file: &mut FileBuilder, metas: &[TileMeta], views: &[u16]) -> GroupBuilder {
    let mut obs = file.create_group("obs");
    frame(
        &mut obs,
        &[
            "tile_id",
            "slide",
            "patient",
            "centre",
            "scanner",
            "x",
            "y",
            "size_level0_px",
            "requested_mpp",
            "effective_mpp",
            "tissue_fraction",
            "source",
            "source_digest",
            "view",
        ],
    );
    let bank = views.iter().any(|&v| v != 0);
    let shared = shared_ids(metas);
    let names: Vec<String> = metas
        .iter()
        .zip(views)
        .map(|(m, v)| {
            let file = if shared.contains(m.tile_id.as_str()) {
                format!("@{}", short(&m.source_digest))
            } else {
                String::new()
            };
            let view = if bank { format!("#{v}") } else { String::new() };
            format!("{}{file}{view}", m.tile_id)
        })
        .collect();
    strings(&mut obs, "_index", names.iter().map(String::as_str));
    strings(&mut obs, "tile_id", metas.iter().map(|m| m.tile_id.as_str()));
    strings(&mut obs, "slide", metas.iter().map(|m| m.slide.as_str()));
    strings(&mut obs, "source", metas.iter().map(|m| m.source.as_str()));
    strings(&mut obs, "source_digest", metas.iter().map(|m| m.source_digest.as_str()));
    strings(&mut obs, "patient", metas.iter().map(|m| m.group.as_str()));
    strings(&mut obs, "centre", metas.iter().map(|m| m.centre.as_deref().unwrap_or("")));
    strings(&mut obs, "scanner", metas.iter().map(|m| m.scanner.as_deref().unwrap_or("")));
    let whole: [(&str, Vec<i64>); 4] = [
        ("x", metas.iter().map(|m| m.x).collect()),
        ("y", metas.iter().map(|m| m.y).collect()),
        ("size_level0_px", metas.iter().map(|m| i64::from(m.size_level0_px)).collect()),
        ("view", views.iter().map(|&v| i64::from(v)).collect()),
    ];
    for (name, values) in whole {
        tag(obs.create_dataset(name).with_i64_data(&values), "array");
    }
    let mpp = |value: Option<Mpp>| value.map_or(f64::NAN, Mpp::get);
    let real: [(&str, Vec<f64>); 3] = [
        ("requested_mpp", metas.iter().map(|m| mpp(m.requested_mpp)).collect()),
        ("effective_mpp", metas.iter().map(|m| mpp(m.effective_mpp)).collect()),
        ("tissue_fraction", metas.iter().map(|m| f64::from(m.tissue_fraction)).collect()),
    ];
    for (name, values) in real {
        tag(obs.create_dataset(name).with_f64_data(&values), "array");
    }
    obs
}

/// Ids that tiles of several files have.
fn shared_ids(metas: &[TileMeta]) -> HashSet<&str> {
    let mut first: HashMap<&str, &str> = HashMap::with_capacity(metas.len());
    let mut shared = HashSet::new();
    for meta in metas {
        if *first.entry(&meta.tile_id).or_insert(&meta.source_digest) != meta.source_digest {
            shared.insert(meta.tile_id.as_str());
        }
    }
    shared
}

/// The beginning of a digest, without its kind.
fn short(digest: &str) -> &str {
    let digits = digest.rsplit(':').next().unwrap_or(digest);
    digits.get(..12).unwrap_or(digits)
}

fn dict(file: &mut FileBuilder, name: &str) -> GroupBuilder {
    let mut group = file.create_group(name);
    group.set_attr("encoding-type", text("dict"));
    group.set_attr("encoding-version", text("0.1.0"));
    group
}

/// Marks a group as a data frame with these columns.
fn frame(group: &mut GroupBuilder, columns: &[&str]) {
    group.set_attr("encoding-type", text("dataframe"));
    group.set_attr("encoding-version", text("0.2.0"));
    group.set_attr("_index", text("_index"));
    let columns = columns.iter().map(ToString::to_string).collect();
    group.set_attr("column-order", AttrValue::VarLenStringArray(columns));
}

fn strings<'a>(group: &mut GroupBuilder, name: &str, values: impl Iterator<Item = &'a str>) {
    let values: Vec<&str> = values.collect();
    tag(group.create_dataset(name).with_vlen_strings(&values), "string-array");
}

fn tag(dataset: &mut DatasetBuilder, kind: &str) {
    dataset.set_attr("encoding-type", text(kind));
    dataset.set_attr("encoding-version", text("0.2.0"));
}

fn text(value: &str) -> AttrValue {
    AttrValue::VarLenString(value.to_string())
}
