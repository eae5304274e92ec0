// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use eosin_core::{
    Contract, EmbeddingBatch, EmbeddingStore, Fingerprint, Matrix, Mpp, Result, TileMeta,
};

pub fn contract(dim: u32) -> Contract {
    Contract {
        version: Contract::VERSION,
        backbone: "test".into(),
        weights_sha256: "none".into(),
        architecture: BTreeMap::new(),
        input_px: 224,
        mean: [0.5; 3],
        std: [0.25; 3],
        resampling: "bicubic antialias".into(),
        pooling: "mean".into(),
        dim,
        precision: "f32".into(),
        tile_um: Some(112.0),
        tile_px: 224,
        mpp_policy: "exact".into(),
        reader: "folder 1".into(),
        view: "identity".into(),
    }
}

pub fn meta(slide: &str, i: usize) -> TileMeta {
    TileMeta {
        tile_id: format!("{slide}:{}:{}:224", i * 224, 7),
        slide: slide.into(),
        group: format!("patient of {slide}"),
        centre: i.is_multiple_of(2).then(|| "Köln".to_string()),
        scanner: None,
        x: i as i64 * 224,
        y: -7,
        size_level0_px: 224,
        requested_mpp: Mpp::new(0.5).ok(),
        effective_mpp: if i.is_multiple_of(3) { Mpp::new(0.499).ok() } else { None },
        tissue_fraction: 0.25,
        source: format!("/slides/{slide}.svs"),
        source_digest: format!("digest of {slide}"),
    }
}

/// Row i of a slide has values that only it has, all exact in half precision.
pub fn value(slide: &str, i: usize, col: usize) -> f32 {
    let salt: usize = slide.bytes().map(usize::from).sum();
    ((salt * 7 + i * 31 + col * 3) % 2048) as f32 / 8.0
}

pub fn rows(contract: &Contract, slide: &str, range: std::ops::Range<usize>) -> EmbeddingBatch {
    let dim = contract.dim as usize;
    let mut values = Vec::new();
    for i in range.clone() {
        values.extend((0..dim).map(|c| value(slide, i, c)));
    }
    let metas: Vec<_> = range.map(|i| meta(slide, i)).collect();
    let n = metas.len();
    let matrix = Matrix::new(n, dim, values).unwrap();
    EmbeddingBatch::new(contract.fingerprint(), metas, vec![0; n], matrix).unwrap()
}

pub fn commit(store: &dyn EmbeddingStore, contract: &Contract, batch: EmbeddingBatch) -> u64 {
    let mut writer = store.writer(contract).unwrap();
    writer.append(batch).unwrap();
    writer.commit().unwrap()
}

/// All rows in the order of a scan, superseded ones too.
pub fn scan(store: &dyn EmbeddingStore, set: &Fingerprint) -> Result<EmbeddingBatch> {
    let (mut metas, mut views, mut matrix) = (Vec::new(), Vec::new(), Matrix::default());
    store.scan(set, &mut |batch| {
        metas.extend(batch.metas);
        views.extend(batch.views);
        matrix.append(&batch.embeddings)
    })?;
    EmbeddingBatch::new(set.clone(), metas, views, matrix)
}

/// Every file below a folder by its relative path.
pub fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().into(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    if root.exists() {
        walk(root, root, &mut found);
    }
    found
}

/// The only shard of a set, or the first by name.
pub fn first_shard(root: &Path, set: &Fingerprint) -> PathBuf {
    let folder = root.join(set.as_str()).join("shards");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.remove(0)
}
