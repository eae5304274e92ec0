// SPDX-License-Identifier: MIT OR Apache-2.0

//! A head in one file: safetensors whose metadata holds everything that is not an array, sealed
//! with a checksum over both.

mod seal;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use eosin_core::{
    Contract, Error, Fingerprint, HeadRecord, Licence, Probabilities, Result, Tensor, TrainView,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::decision::{Decided, Decision};
use crate::trained_on::TrainedOn;

/// Key of the metadata entry of a safetensors file that is a head.
pub const METADATA_KEY: &str = "eosin-head";
/// Version of the metadata that is written. Version 1 had no `decision`; in version 2 sets and
/// abstention were calibrated on rows instead of patients; neither has a seal. All are read, those
/// without a seal with a warning: a head may outlive the tiles that it was trained on, so that
/// refusing it would take away what cannot be made again.
const FORMAT_VERSION: u32 = 3;
/// The first version whose file is sealed.
const SEALED_VERSION: u64 = 3;
/// The oldest version that is read.
const OLDEST_VERSION: u32 = 1;
/// A head is small; a file beyond this is not one.
const MAX_BYTES: u64 = 4 << 30;

/// A head with where it came from and how it is to be used.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadFile {
    /// What the head is made of; see [`head_from_record`](crate::head_from_record).
    pub record: HeadRecord,
    /// The contract of the embeddings that it was trained on.
    pub contract: Contract,
    /// For two classes: call the second where its probability is at least this.
    pub threshold: Option<f64>,
    /// Calibration and the like, by which the head's probabilities become calls.
    pub decision: Decision,
    /// The penalty that was chosen.
    pub penalty: Option<f64>,
    /// Scores by name, such as `auroc`, as the training run measured them.
    pub metrics: BTreeMap<String, f64>,
    /// [`training_digest`] of the rows that it was trained on.
    pub training_digest: String,
    /// The files and groups of those rows, as digests, and the shares of classes.
    pub trained_on: TrainedOn,
    /// The licence, inherited from the backbone.
    pub licence: Licence,
    /// The release that trained it.
    pub eosin_version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: u32,
    kind: String,
    classes: Vec<String>,
    parameters: BTreeMap<String, f64>,
    fingerprint: String,
    contract: Contract,
    threshold: Option<f64>,
    #[serde(default)]
    decision: Decision,
    penalty: Option<f64>,
    metrics: BTreeMap<String, Option<f64>>,
    training_digest: String,
    #[serde(default)]
    trained_on: TrainedOn,
    licence: Licence,
    eosin_version: String,
}

impl HeadFile {
    /// The fingerprint of the contract.
    pub fn fingerprint(&self) -> Fingerprint {
        self.contract.fingerprint()
    }

    /// An error that names the differing fields unless embeddings of `contract` fit this head.
    pub fn ensure_contract(&self, contract: &Contract) -> Result<()> {
        self.contract.ensure_same(contract)
    }

    /// Decides on the probabilities that this file's head has predicted.
    pub fn decide(&self, raw: &Probabilities) -> Result<Decided> {
        self.decision.apply(raw, self.threshold)
    }
}

/// BLAKE3 of the rows' features, labels and groups, in order: the same digest, the same training.
pub fn training_digest(view: &TrainView) -> String {
    let mut hasher = blake3::Hasher::new();
    for class in view.classes() {
        hasher.update(&(class.len() as u64).to_le_bytes());
        hasher.update(class.as_bytes());
    }
    let (labels, groups) = (view.labels(), view.groups());
    let mut bytes = Vec::new();
    for i in 0..view.n_rows() {
        bytes.clear();
        bytes.extend(labels[i].to_le_bytes());
        bytes.extend(groups[i].to_le_bytes());
        bytes.extend(view.feature_row(i).iter().flat_map(|v| v.to_le_bytes()));
        hasher.update(&bytes);
    }
    hasher.finalize().to_hex().to_string()
}

/// Writes a head; a reader sees the old file or the whole new one.
pub fn save_head(path: &Path, head: &HeadFile) -> Result<()> {
    let metadata = Metadata {
        version: FORMAT_VERSION,
        kind: head.record.kind.clone(),
        classes: head.record.classes.clone(),
        parameters: head.record.parameters.clone(),
        fingerprint: head.fingerprint().to_string(),
        contract: head.contract.clone(),
        threshold: head.threshold,
        decision: head.decision.clone(),
        penalty: head.penalty,
        // JSON has no NaN: an undefined metric is `null`.
        metrics: head
            .metrics
            .iter()
            .map(|(name, value)| (name.clone(), value.is_finite().then_some(*value)))
            .collect(),
        training_digest: head.training_digest.clone(),
        trained_on: head.trained_on.clone(),
        licence: head.licence.clone(),
        eosin_version: head.eosin_version.clone(),
    };
    let damaged =
        |what: String| Error::data(path, "a head that can be written", what, "train it again");
    let json = serde_json::to_string(&metadata).map_err(|e| damaged(e.to_string()))?;
    // Sorted by name, as the seal takes them.
    let bytes: BTreeMap<&str, (&[usize], Vec<u8>)> = head
        .record
        .tensors
        .iter()
        .map(|(name, tensor)| {
            let bytes = tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (name.as_str(), (tensor.shape.as_slice(), bytes))
        })
        .collect();
    let views: Result<Vec<(&str, TensorView)>> = bytes
        .iter()
        .map(|(name, (shape, bytes))| {
            let view = TensorView::new(Dtype::F64, shape.to_vec(), bytes);
            view.map(|view| (*name, view)).map_err(|e| damaged(format!("array {name}: {e}")))
        })
        .collect();
    let views = views?;
    let sealed = seal::seal(&json, views.iter().map(|(name, view)| (*name, view)));
    // One entry alone: a map of several is written in another order each time.
    let info = HashMap::from([(METADATA_KEY.to_string(), sealed)]);
    let file = safetensors::serialize(views, Some(info)).map_err(|e| damaged(e.to_string()))?;
    write_atomically(path, &file)
}

/// Reads a head, and refuses one whose arrays or metadata are not those that were saved.
///
/// Heads of releases that wrote no checksum are read with a warning.
pub fn load_head(path: &Path) -> Result<HeadFile> {
    let about = fs::metadata(path).map_err(|e| Error::io("read", path, e))?;
    let not_a_head = |found: String| {
        Error::data(
            path,
            "a whole head file",
            found,
            "train the head again, or copy the file again",
        )
    };
    if !about.is_file() {
        return Err(not_a_head("something else than a file".into()));
    }
    if about.len() > MAX_BYTES {
        return Err(not_a_head(format!("{} bytes", about.len())));
    }
    let bytes = fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let (_, header) = SafeTensors::read_metadata(&bytes)
        .map_err(|e| not_a_head(format!("{} bytes that are not safetensors: {e}", bytes.len())))?;
    let entry = header
        .metadata()
        .as_ref()
        .and_then(|m| m.get(METADATA_KEY))
        .ok_or_else(|| not_a_head("safetensors without a head's metadata".into()))?;
    let arrays = SafeTensors::deserialize(&bytes).map_err(|e| not_a_head(e.to_string()))?;
    let (seal, json) = seal::parts(entry);
    let version = serde_json::from_str::<serde_json::Value>(json)
        .ok()
        .and_then(|v| v.get("version").and_then(serde_json::Value::as_u64));
    let read = u64::from(OLDEST_VERSION)..=u64::from(FORMAT_VERSION);
    if !version.is_some_and(|v| read.contains(&v)) {
        let found = version.map_or("none".into(), |v| v.to_string());
        return Err(Error::data(
            path,
            format!("head format version {OLDEST_VERSION} to {FORMAT_VERSION}"),
            found,
            "use the release of Eosin that wrote it",
        ));
    }
    let found = seal::checksum(json, &arrays);
    match seal {
        Some(seal) if seal == found => {}
        Some(seal) => {
            return Err(not_a_head(format!("the checksum {found} where {seal} was saved")));
        }
        None if version >= Some(SEALED_VERSION) => {
            return Err(not_a_head("no checksum".into()));
        }
        None => tracing::warn!(
            head = %path.display(),
            "this head has no checksum, since an older release saved it: damage to it would not be \
             noticed; train it again to have one"
        ),
    }
    let mut metadata: Metadata =
        serde_json::from_str(json).map_err(|e| not_a_head(format!("bad metadata: {e}")))?;
    let fingerprint = metadata.contract.fingerprint();
    if fingerprint.as_str() != metadata.fingerprint {
        return Err(not_a_head(format!(
            "fingerprint {} with a contract of {fingerprint}",
            metadata.fingerprint
        )));
    }
    if let Some(conformal) = &mut metadata.decision.conformal {
        conformal.spread(metadata.classes.len());
    }
    metadata
        .decision
        .check(metadata.classes.len())
        .map_err(|e| not_a_head(format!("a bad decision: {e}")))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in arrays.iter() {
        if view.dtype() != Dtype::F64 {
            return Err(not_a_head(format!("array {name} of type {:?}", view.dtype())));
        }
        let number =
            |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
        let values = view.data().chunks_exact(8).map(number).collect();
        tensors.insert(name.to_string(), Tensor { shape: view.shape().to_vec(), values });
    }
    Ok(HeadFile {
        record: HeadRecord {
            kind: metadata.kind,
            classes: metadata.classes,
            tensors,
            parameters: metadata.parameters,
        },
        contract: metadata.contract,
        threshold: metadata.threshold,
        decision: metadata.decision,
        penalty: metadata.penalty,
        metrics: metadata.metrics.into_iter().map(|(k, v)| (k, v.unwrap_or(f64::NAN))).collect(),
        training_digest: metadata.training_digest,
        trained_on: metadata.trained_on,
        licence: metadata.licence,
        eosin_version: metadata.eosin_version,
    })
}

/// Writes beside `path`, makes it durable, and renames.
fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = folder.join(name);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // The rename itself is durable only with its folder; not every system can sync one.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::io("write", path, e)
    })
}

#[cfg(test)]
mod tests;
