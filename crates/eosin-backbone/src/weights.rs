// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use eosin_core::{Error, Result};
use safetensors::tensor::TensorView as SafeView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::arch::TensorSpec;
use crate::budget::Budget;
use crate::file::{read_regular, read_regular_text};
use crate::tensor_view::{Placement, TensorView, ValueType};
use crate::torch::{is_torch, read_torch};

/// The largest weights that are read, in all shards: above every published backbone, below a
/// memory bomb.
const MAX_FILE_BYTES: u64 = 16 << 30;
/// The largest header of a safetensors file: above that of any backbone.
const MAX_HEADER_BYTES: u64 = 32 << 20;
/// The largest index of shards, and the most shards.
const MAX_INDEX_BYTES: u64 = 16 << 20;
const MAX_SHARDS: usize = 1000;
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

impl WeightTensor {
    /// A tensor whose values are exactly as many as its shape has.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Result<Self, String> {
        let tensor = Self { shape, values };
        if tensor.is_whole() {
            return Ok(tensor);
        }
        Err(format!("{} values for the shape {:?}", tensor.values.len(), tensor.shape))
    }

    fn is_whole(&self) -> bool {
        let n = self.shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
        n == Some(self.values.len())
    }
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
        let bytes = read_regular(path, "weights", MAX_FILE_BYTES)?;
        let digest = sha256_hex(&bytes);
        let map = Self::parse(&bytes, &path.display().to_string(), &mut Budget::new(bytes.len()))?;
        Ok((map, digest))
    }

    fn parse(bytes: &[u8], origin: &str, budget: &mut Budget) -> Result<Self> {
        if is_torch(bytes) {
            Self::parse_torch(bytes, origin, budget)
        } else {
            Self::parse_safetensors(bytes, origin, budget)
        }
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
        let text = read_regular_text(index, "an index of shards", MAX_INDEX_BYTES)?;
        let parsed: ShardIndex =
            serde_json::from_str(&text).map_err(|e| refuse(format!("another JSON ({e})")))?;
        let files: BTreeSet<&String> = parsed.weight_map.values().collect();
        if files.len() > MAX_SHARDS {
            return Err(refuse(format!("{} shards, more than {MAX_SHARDS}", files.len())));
        }
        let mut map = Self::new(index.display().to_string());
        let mut digests = String::new();
        let mut budget = Budget::new(text.len());
        let mut left = MAX_FILE_BYTES;
        for file in files {
            // A shard stands beside its index: a name with a folder could point anywhere. One that
            // is an index could name itself.
            if Path::new(file).file_name().is_none_or(|name| name != file.as_str()) {
                return Err(refuse(format!("the shard `{file}`, which is no plain file name")));
            }
            if Path::new(file).extension().is_some_and(|extension| extension == "json") {
                return Err(refuse(format!("the shard `{file}`, which is an index itself")));
            }
            let path = index.with_file_name(file);
            let bytes = read_regular(&path, "a shard of weights", left)?;
            left -= bytes.len() as u64;
            budget.add_file(bytes.len());
            let shard = Self::parse(&bytes, &path.display().to_string(), &mut budget)?;
            if let Some(name) = shard.tensors.keys().find(|name| map.contains(name)) {
                return Err(refuse(format!("the tensor `{name}` in two shards")));
            }
            map.tensors.extend(shard.tensors);
            digests.push_str(&sha256_hex(&bytes));
        }
        if let Some(name) = parsed.weight_map.keys().find(|name| !map.contains(name)) {
            return Err(refuse(format!("no tensor `{name}` in its shards")));
        }
        Ok((map, sha256_hex(digests.as_bytes())))
    }

    /// Reads a PyTorch checkpoint of the zip layout or of the one before it; tensors of integers
    /// are left out.
    pub fn from_torch(bytes: &[u8], origin: &str) -> Result<Self> {
        Self::parse_torch(bytes, origin, &mut Budget::new(bytes.len()))
    }

    fn parse_torch(bytes: &[u8], origin: &str, budget: &mut Budget) -> Result<Self> {
        read_torch(bytes, origin, budget).map_err(|found| {
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
        Self::parse_safetensors(bytes, origin, &mut Budget::new(bytes.len()))
    }

    fn parse_safetensors(bytes: &[u8], origin: &str, budget: &mut Budget) -> Result<Self> {
        let refuse = |found: String| {
            Error::data(
                origin,
                "a whole safetensors file",
                found,
                "the file is truncated or of another format: fetch it again and compare its SHA-256 with the card's",
            )
        };
        let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        if header > MAX_HEADER_BYTES {
            return Err(refuse(format!(
                "a header of {header} bytes, more than {MAX_HEADER_BYTES}"
            )));
        }
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| refuse(format!("{} bytes that are not one ({e})", bytes.len())))?;
        let mut map = Self::new(origin);
        // The file is hashed by name; in order, the first fault is the same in every run.
        let mut tensors: Vec<(&str, SafeView)> = file.iter().collect();
        tensors.sort_unstable_by_key(|(name, _)| *name);
        for (name, data) in tensors {
            let told = |e: String| refuse(format!("{name}: {e}"));
            budget.name(name).map_err(refuse)?;
            let value_type = match data.dtype() {
                Dtype::F32 => ValueType::F32,
                Dtype::F16 => ValueType::F16,
                Dtype::BF16 => ValueType::Bf16,
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
            let whole = view(value_type, &data).map_err(told)?;
            let low = file.tensor(&format!("{name}.remainder")).ok().filter(|low| {
                value_type == ValueType::F16
                    && (low.dtype(), low.shape()) == (Dtype::I8, data.shape())
            });
            let tensor = match low {
                Some(low) => view(ValueType::I8, &low)
                    .and_then(|low| whole.read_with_remainder(&low, budget)),
                None => whole.read(budget),
            };
            map.insert(name, tensor.map_err(told)?);
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
        if let Some(tensor) = self.take_fitting(name, shape) {
            return tensor;
        }
        WeightTensor { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] }
    }

    /// Takes a tensor out that is there in this shape; what is wrong is noted.
    fn take_fitting(&mut self, name: &str, shape: &[usize]) -> Option<WeightTensor> {
        match self.tensors.remove(name) {
            Some(tensor) if tensor.shape == shape && tensor.is_whole() => return Some(tensor),
            Some(tensor) => {
                let found = format!("{:?} of {} values", tensor.shape, tensor.values.len());
                let found = if tensor.is_whole() { format!("{:?}", tensor.shape) } else { found };
                self.mis_shaped.push(format!("{name} {found} instead of {shape:?}"));
            }
            None => self.missing.push(name.to_string()),
        }
        None
    }

    /// Notes which of these tensors are missing or mis-shaped, as taking them would, without making
    /// any: for files so far from a network that its zeros would be many times their size.
    pub(crate) fn compare(&mut self, specs: &[TensorSpec]) {
        for spec in specs {
            self.take_fitting(&spec.name, &spec.shape);
        }
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

fn view<'a>(value_type: ValueType, data: &SafeView<'a>) -> Result<TensorView<'a>, String> {
    TensorView::new(value_type, data.shape(), Placement::Whole, data.data())
}

fn abridged(names: &[String]) -> String {
    let mut text = names.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MAX_LISTED {
        text = format!("{text}, and {} more", names.len() - MAX_LISTED);
    }
    text
}
