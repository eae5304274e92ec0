// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use eosin_core::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::torch::{is_torch, read_torch};

/// The largest weights file that is read: above every published backbone, below a memory bomb.
const MAX_FILE_BYTES: u64 = 16 << 30;
/// The most tensors a file may hold.
const MAX_TENSORS: usize = 100_000;
/// How many names of each kind an error lists.
const MAX_LISTED: usize = 8;

/// A tensor as a weights file holds it, widened to `f32`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WeightTensor {
    /// Shape, as PyTorch orders it.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub values: Vec<f32>,
}

/// The tensors of one weights file by name.
///
/// A network takes what it needs with [`WeightMap::take`]; [`WeightMap::finish`] then tells in one
/// error everything that was missing, mis-shaped or left over.
#[derive(Clone, Debug, Default)]
pub struct WeightMap {
    origin: String,
    tensors: BTreeMap<String, WeightTensor>,
    missing: Vec<String>,
    mis_shaped: Vec<String>,
}

/// How a weights file and an architecture fit each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TensorReport {
    /// Tensors of the architecture that the file does not have.
    pub missing: Vec<String>,
    /// Tensors of another shape, with both shapes.
    pub mis_shaped: Vec<String>,
    /// Tensors of the file that the architecture does not have.
    pub unused: Vec<String>,
    /// Tensors that no embedding needs, such as a classifier's.
    pub left: Vec<String>,
}

/// The part of an index of shards that is needed.
#[derive(serde::Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// SHA-256 in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

impl WeightMap {
    /// An empty map; `origin` names the weights in errors.
    pub fn new(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), ..Self::default() }
    }

    /// Reads a safetensors file, the index of a sharded one (`.json`) or a PyTorch checkpoint
    /// (`.pth`, `.pt`, `.bin`) and returns its SHA-256 with it.
    ///
    /// Which of them it is shows in its first bytes. No code in a checkpoint is run.
    pub fn read(path: &Path) -> Result<(Self, String)> {
        if path.extension().is_some_and(|extension| extension == "json") {
            return Self::read_shards(path);
        }
        let size = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?.len();
        if size > MAX_FILE_BYTES {
            return Err(Error::data(
                path,
                format!("at most {MAX_FILE_BYTES} bytes of weights"),
                format!("{size} bytes"),
                "check that this is a weights file",
            ));
        }
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        let digest = sha256_hex(&bytes);
        let origin = path.display().to_string();
        let map = if is_torch(&bytes) {
            Self::from_torch(&bytes, &origin)?
        } else {
            Self::from_safetensors(&bytes, &origin)?
        };
        Ok((map, digest))
    }

    /// Reads the shards that a `model.safetensors.index.json` names; the digest is that of their
    /// digests in the order of their names.
    fn read_shards(index: &Path) -> Result<(Self, String)> {
        let refuse = |found: String| {
            Error::data(
                index,
                "an index of safetensors shards in the same folder",
                found,
                "fetch the index and every shard that it names",
            )
        };
        let text = std::fs::read_to_string(index).map_err(|e| Error::io("read", index, e))?;
        let parsed: ShardIndex =
            serde_json::from_str(&text).map_err(|e| refuse(format!("another JSON ({e})")))?;
        let files: BTreeSet<&String> = parsed.weight_map.values().collect();
        let mut map = Self::new(index.display().to_string());
        let mut digests = String::new();
        for file in files {
            // A shard stands beside its index: a name with a folder could point anywhere.
            if Path::new(file).file_name().is_none_or(|name| name != file.as_str()) {
                return Err(refuse(format!("the shard `{file}`, which is no plain file name")));
            }
            let (shard, digest) = Self::read(&index.with_file_name(file))?;
            map.tensors.extend(shard.tensors);
            digests.push_str(&digest);
        }
        if let Some(name) = parsed.weight_map.keys().find(|name| !map.contains(name)) {
            return Err(refuse(format!("no tensor `{name}` in its shards")));
        }
        Ok((map, sha256_hex(digests.as_bytes())))
    }

    /// Reads a PyTorch checkpoint of the zip layout or of the one before it; tensors of integers
    /// are left out.
    pub fn from_torch(bytes: &[u8], origin: &str) -> Result<Self> {
        read_torch(bytes, origin).map_err(|found| {
            Error::data(
                origin,
                "a whole PyTorch checkpoint",
                found,
                "fetch the file again, or save its state_dict as safetensors",
            )
        })
    }

    /// Reads safetensors bytes of 16- and 32-bit floats; integer tensors (counters) are left out.
    ///
    /// Beside a float16 tensor NAME an 8-bit tensor NAME.remainder of the same shape adds to each
    /// value that many 256ths of the float16's last place: 19 significant bits in 3 bytes.
    pub fn from_safetensors(bytes: &[u8], origin: &str) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| {
            Error::data(
                origin,
                "a whole safetensors file",
                format!("{} bytes that are not one ({e})", bytes.len()),
                "the file is truncated or of another format: fetch it again and compare its SHA-256 with the card's",
            )
        })?;
        if file.len() > MAX_TENSORS {
            return Err(Error::data(
                origin,
                format!("at most {MAX_TENSORS} tensors"),
                file.len().to_string(),
                "check that this is a weights file",
            ));
        }
        let mut map = Self::new(origin);
        for (name, view) in file.iter() {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F32 => widen(data, f32::from_le_bytes),
                Dtype::F16 => match file.tensor(&format!("{name}.remainder")) {
                    Ok(low) if low.dtype() == Dtype::I8 && low.shape() == view.shape() => {
                        with_remainder(data, low.data())
                    }
                    _ => widen(data, |b| half::f16::from_le_bytes(b).to_f32()),
                },
                Dtype::BF16 => widen(data, |b| half::bf16::from_le_bytes(b).to_f32()),
                Dtype::I64 | Dtype::I32 | Dtype::I8 => continue,
                other => {
                    return Err(Error::data(
                        origin,
                        "tensors of f32, f16 or bf16",
                        format!("{name} of {other:?}"),
                        "save the weights in one of these types",
                    ));
                }
            };
            map.insert(name, WeightTensor { shape: view.shape().to_vec(), values });
        }
        Ok(map)
    }

    /// Adds a tensor, or replaces that of the same name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: WeightTensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// Whether a tensor of this name is there and was not taken.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor of this name, left where it is.
    pub fn get(&self, name: &str) -> Option<&WeightTensor> {
        self.tensors.get(name)
    }

    /// Takes a tensor out if it is there.
    pub fn remove(&mut self, name: &str) -> Option<WeightTensor> {
        self.tensors.remove(name)
    }

    /// Every tensor in the order of its name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &WeightTensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Number of values in all tensors.
    pub fn n_values(&self) -> u64 {
        self.tensors.values().map(|t| t.values.len() as u64).sum()
    }

    /// Gives every tensor the name that `rename` returns; `None` drops it.
    pub fn rename(self, rename: impl Fn(&str) -> Option<String>) -> Self {
        let renamed = |(name, tensor): (String, WeightTensor)| Some((rename(&name)?, tensor));
        Self { tensors: self.tensors.into_iter().filter_map(renamed).collect(), ..self }
    }

    /// Takes a tensor out.
    ///
    /// One that is missing or has another shape is noted for [`WeightMap::finish`], and zeros of
    /// the expected shape are returned, so that a network can be built to the end and every
    /// problem told at once.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> WeightTensor {
        match self.tensors.remove(name) {
            Some(tensor) if tensor.shape == shape => return tensor,
            Some(tensor) => {
                self.mis_shaped.push(format!("{name} {:?} instead of {shape:?}", tensor.shape));
            }
            None => self.missing.push(name.to_string()),
        }
        WeightTensor { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] }
    }

    /// What was missing, mis-shaped or not taken; names that start with one of `ignored` (a
    /// classifier, a counter) may be left.
    pub fn report(&self, ignored: &[&str]) -> TensorReport {
        let may_stay = |name: &&String| {
            ignored.iter().any(|prefix| name.starts_with(prefix))
                || name.ends_with("num_batches_tracked")
        };
        let (left, unused): (Vec<&String>, Vec<&String>) = self.tensors.keys().partition(may_stay);
        TensorReport {
            missing: self.missing.clone(),
            mis_shaped: self.mis_shaped.clone(),
            unused: unused.into_iter().cloned().collect(),
            left: left.into_iter().cloned().collect(),
        }
    }

    /// An error that lists what [`WeightMap::report`] finds wrong.
    pub fn finish(&self, ignored: &[&str]) -> Result<()> {
        let report = self.report(ignored);
        if report.is_sound() {
            return Ok(());
        }
        Err(Error::data(
            &self.origin,
            "exactly the tensors of the card's architecture",
            report.to_string(),
            "check the card's family and architecture against the weights",
        ))
    }
}

impl TensorReport {
    /// Whether the weights are exactly those of the architecture.
    pub fn is_sound(&self) -> bool {
        self.missing.is_empty() && self.mis_shaped.is_empty() && self.unused.is_empty()
    }
}

impl fmt::Display for TensorReport {
    /// Counts with the first names of each kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [
            ("missing", &self.missing),
            ("mis-shaped", &self.mis_shaped),
            ("unused", &self.unused),
        ];
        let found: Vec<String> = lists
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| format!("{} {kind} ({})", names.len(), abridged(names)))
            .collect();
        f.write_str(&found.join(", "))
    }
}

fn widen<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect()
}

fn with_remainder(half: &[u8], remainder: &[u8]) -> Vec<f32> {
    let value = |(half, remainder): (&[u8; 2], &u8)| {
        let exponent = i32::from((u16::from_le_bytes(*half) >> 10) & 31).max(1);
        let last_place = f32::from_bits((127 + exponent - 25) as u32 * (1 << 23));
        let low = f32::from(i8::from_le_bytes([*remainder])) / 256.0 * last_place;
        half::f16::from_le_bytes(*half).to_f32() + low
    };
    half.as_chunks::<2>().0.iter().zip(remainder).map(value).collect()
}

fn abridged(names: &[String]) -> String {
    let mut text = names.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MAX_LISTED {
        text = format!("{text}, and {} more", names.len() - MAX_LISTED);
    }
    text
}
