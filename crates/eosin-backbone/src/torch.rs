// SPDX-License-Identifier: MIT OR Apache-2.0

//! PyTorch's checkpoints, in the zip layout (since 1.6) and the one before it. Their pickles are
//! read as data by [`crate::pickle`]; nothing in them is run.

use std::collections::{BTreeMap, BTreeSet};

use crate::WeightMap;
use crate::budget::{Budget, MAX_DEPTH, MAX_NAME_BYTES};
use crate::pickle::{Pickle, Place, Value, read_pickle};
use crate::tensor_view::{Placement, TensorView, ValueType};
use crate::zip::stored_entries;

/// First pickle of the layout before the zip: its magic number, 10 bytes as a pickled integer.
const LEGACY_MAGIC: [u8; 14] =
    [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19];

/// The most sides of a tensor.
const MAX_SIDES: usize = 8;

/// Bytes of storages by their key.
type Storages<'a> = BTreeMap<&'a str, &'a [u8]>;

/// Whether the bytes begin as a checkpoint of PyTorch does.
pub fn is_torch(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK") || bytes.starts_with(&LEGACY_MAGIC)
}

/// Reads every tensor that the checkpoint's dictionaries name.
///
/// Nested dictionaries (`state_dict`, `model`, `teacher`, …) give their tensors joined names; a
/// single dictionary around all tensors is left out of the names.
pub fn read_torch(bytes: &[u8], origin: &str, budget: &mut Budget) -> Result<WeightMap, String> {
    let (pickle, storages) =
        if bytes.starts_with(b"PK") { zip_layout(bytes)? } else { legacy_layout(bytes)? };
    let map = WeightMap::new(origin);
    let mut collector =
        Collector { pickle: &pickle, storages: &storages, budget, path: Vec::new(), map };
    collector.collect(pickle.root(), 0)?;
    Ok(without_common_container(collector.map))
}

fn zip_layout(bytes: &[u8]) -> Result<(Pickle<'_>, Storages<'_>), String> {
    let entries = stored_entries(bytes)?;
    let pickle = entries.keys().find(|name| name.ends_with("/data.pkl") || **name == "data.pkl");
    let name = *pickle.ok_or("a zip file without data.pkl, so no PyTorch checkpoint")?;
    let folder = name.trim_end_matches("data.pkl");
    if entries.get(format!("{folder}byteorder").as_str()).is_some_and(|b| *b == b"big") {
        return Err("a checkpoint of a big-endian machine".into());
    }
    let pickle = read_pickle(entries[name])?;
    let prefix = format!("{folder}data/");
    let storages = entries
        .iter()
        .filter_map(|(name, bytes)| Some((name.strip_prefix(prefix.as_str())?, *bytes)));
    let storages = storages.collect();
    Ok((pickle, storages))
}

fn legacy_layout(bytes: &[u8]) -> Result<(Pickle<'_>, Storages<'_>), String> {
    let mut at = 0;
    let mut next = || -> Result<Pickle<'_>, String> {
        let pickle = read_pickle(bytes.get(at..).unwrap_or_default())?;
        at += pickle.length;
        Ok(pickle)
    };
    // Magic number, protocol and system information, then the checkpoint and its storages' keys.
    let (_, _, system) = (next()?, next()?, next()?);
    if let Value::Dict(entries) = system.get(system.root())
        && entries
            .iter()
            .any(|(k, v)| *k == "little_endian" && *system.get(*v) == Value::Bool(false))
    {
        return Err("a checkpoint of a big-endian machine".into());
    }
    let (pickle, keys) = (next()?, next()?);
    let sizes = storage_sizes(&pickle)?;
    let listed = keys.items(keys.root()).ok_or("no list of storages")?;
    let mut storages = BTreeMap::new();
    for key in listed {
        let Value::Text(key) = *keys.get(*key) else {
            return Err("a storage without a name".into());
        };
        let size = *sizes.get(key).ok_or_else(|| format!("a storage {key} that nothing uses"))?;
        let n = bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        let n = n.ok_or("storages that end too early: the file is truncated")?;
        let length = usize::try_from(n).ok().and_then(|n| n.checked_mul(size));
        let end = length.and_then(|length| (at + 8).checked_add(length));
        let storage = end.and_then(|end| bytes.get(at + 8..end));
        let storage = storage.ok_or("storages that end too early: the file is truncated")?;
        at += 8 + storage.len();
        storages.insert(key, storage);
    }
    Ok((pickle, storages))
}

/// Bytes per value of every storage that a checkpoint refers to.
fn storage_sizes<'a>(pickle: &Pickle<'a>) -> Result<BTreeMap<&'a str, usize>, String> {
    let mut sizes = BTreeMap::new();
    for value in pickle.values() {
        if let Value::Persistent(id) = value
            && let Some((kind, key)) = storage_id(pickle, *id)?
        {
            let size = bytes_per_value(kind);
            if sizes.insert(key, size).is_some_and(|before| before != size) {
                return Err(format!("a storage {key} of two types"));
            }
        }
    }
    Ok(sizes)
}

/// A storage's type and key from ("storage", type, key, device, size, view).
fn storage_id<'a>(pickle: &Pickle<'a>, id: Place) -> Result<Option<(&'a str, &'a str)>, String> {
    let parts: Vec<&Value> =
        pickle.items(id).unwrap_or_default().iter().take(6).map(|part| pickle.get(*part)).collect();
    let [Value::Text("storage"), Value::Global(_, kind), Value::Text(key), rest @ ..] = &parts[..]
    else {
        return Ok(None);
    };
    // Only the layout before the zip had views, whose tensors count from the view's start.
    if let [_, _, view] = rest
        && **view != Value::Nothing
    {
        return Err(format!("a storage {key} that is a view of another"));
    }
    Ok(Some((*kind, *key)))
}

fn bytes_per_value(kind: &str) -> usize {
    match kind.rsplit('.').next().unwrap_or_default() {
        "DoubleStorage" | "LongStorage" | "ComplexFloatStorage" => 8,
        "ComplexDoubleStorage" => 16,
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
        "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
        _ => 4,
    }
}

/// Goes through a checkpoint's dictionaries and takes the tensors out.
struct Collector<'a, 'p> {
    pickle: &'p Pickle<'a>,
    storages: &'p Storages<'a>,
    budget: &'p mut Budget,
    /// Keys of the dictionaries around the value.
    path: Vec<&'a str>,
    map: WeightMap,
}

impl<'a> Collector<'a, '_> {
    fn collect(&mut self, place: Place, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("values nested more than {MAX_DEPTH} deep"));
        }
        self.budget.visits(1)?;
        let pickle = self.pickle;
        match pickle.get(place) {
            Value::Dict(entries) => {
                self.budget.visits(entries.len())?;
                let mut seen = BTreeSet::new();
                // As in Python, the last entry of a key is the one that stays.
                let last = entries.iter().rev().filter(|(key, _)| seen.insert(*key));
                for (key, value) in last {
                    self.path.push(*key);
                    self.collect(*value, depth + 1)?;
                    self.path.pop();
                }
            }
            Value::Call(callee, arguments) => {
                let arguments = pickle.items(*arguments).unwrap_or_default();
                if pickle.is_global(*callee, "torch._utils._rebuild_tensor_v2") {
                    self.tensor(arguments)?;
                } else if pickle.is_global(*callee, "torch._utils._rebuild_parameter")
                    && let [tensor, ..] = arguments
                {
                    // A parameter holds its tensor as the first argument.
                    self.collect(*tensor, depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn tensor(&mut self, arguments: &[Place]) -> Result<(), String> {
        // Checked before it is joined: keys may be long and shared by many.
        let length = self.path.iter().map(|key| key.len() + 1).sum::<usize>();
        if length > MAX_NAME_BYTES {
            return Err(format!("a name of {length} bytes for a tensor"));
        }
        let name = self.path.join(".");
        self.budget.name(&name)?;
        let view = self.view(arguments);
        let tensor = view.and_then(|view| view.map(|view| view.read(self.budget)).transpose());
        if let Some(tensor) = tensor.map_err(|e| format!("{name}: {e}"))? {
            if self.map.contains(&name) {
                return Err(format!("two tensors of the name {name}"));
            }
            self.map.insert(name, tensor);
        }
        Ok(())
    }

    /// A tensor from (storage, offset, shape, strides, …); none where it holds no floats.
    fn view(&self, arguments: &[Place]) -> Result<Option<TensorView<'a>>, String> {
        let [storage, offset, shape, strides, ..] = arguments else {
            return Err("a tensor of an unknown layout".into());
        };
        let Value::Persistent(id) = self.pickle.get(*storage) else {
            return Err("a tensor without a storage".into());
        };
        let (kind, key) = storage_id(self.pickle, *id)?.ok_or("a tensor without a storage")?;
        let (offset, shape) = (self.whole(*offset)?, self.wholes(*shape)?);
        let strides = self.wholes(*strides)?;
        let bytes = *self.storages.get(key).ok_or("a storage that is not in the file")?;
        let value_type = match kind.rsplit('.').next().unwrap_or_default() {
            "FloatStorage" => ValueType::F32,
            "HalfStorage" => ValueType::F16,
            "BFloat16Storage" => ValueType::Bf16,
            "DoubleStorage" => ValueType::F64,
            _ => return Ok(None),
        };
        let placement = Placement::Strided { offset, strides };
        TensorView::new(value_type, &shape, placement, bytes).map(Some)
    }

    fn whole(&self, place: Place) -> Result<usize, String> {
        let Value::Int(value) = self.pickle.get(place) else {
            return Err("a size that is no number".into());
        };
        usize::try_from(*value).map_err(|_| "a negative size".into())
    }

    fn wholes(&self, place: Place) -> Result<Vec<usize>, String> {
        let items = self.pickle.items(place).ok_or("a shape that is no tuple")?;
        if items.len() > MAX_SIDES {
            return Err(format!("a tensor of {} dimensions", items.len()));
        }
        items.iter().map(|item| self.whole(*item)).collect()
    }
}

/// Leaves out dictionaries around all tensors, such as `state_dict`, or around the model where an
/// optimiser's state stands beside it.
fn without_common_container(map: WeightMap) -> WeightMap {
    for container in ["state_dict.", "model_state_dict.", "model_state.", "teacher.", "model."] {
        if map.iter().any(|(name, _)| name.starts_with(container))
            && (container != "model." || map.iter().all(|(name, _)| is_training(name)))
        {
            return map.rename(|name| name.strip_prefix(container).map(str::to_string));
        }
    }
    map
}

/// Whether a name is of the model or of what trains it.
fn is_training(name: &str) -> bool {
    ["model.", "optimizer.", "optim.", "scheduler.", "lr_scheduler.", "scaler.", "ema."]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
