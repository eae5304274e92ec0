// SPDX-License-Identifier: MIT OR Apache-2.0

//! PyTorch's checkpoints, in the zip layout (since 1.6) and the one before it. Their pickles are
//! read as data by [`crate::pickle`]; nothing in them is run.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::pickle::{Value, read_pickle};
use crate::zip::stored_entries;
use crate::{WeightMap, WeightTensor};

/// The most values of one tensor.
const MAX_TENSOR_VALUES: usize = 1 << 31;
/// First pickle of the layout before the zip: its magic number, 10 bytes as a pickled integer.
const LEGACY_MAGIC: [u8; 14] =
    [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19];

/// Bytes of storages by their key.
type Storages<'a> = BTreeMap<String, &'a [u8]>;

/// Whether the bytes begin as a checkpoint of PyTorch does.
pub fn is_torch(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK") || bytes.starts_with(&LEGACY_MAGIC)
}

/// Reads every tensor that the checkpoint's dictionaries name.
///
/// Nested dictionaries (`state_dict`, `model`, `teacher`, …) give their tensors joined names; a
/// single dictionary around all tensors is left out of the names.
pub fn read_torch(bytes: &[u8], origin: &str) -> Result<WeightMap, String> {
    let (root, storages) =
        if bytes.starts_with(b"PK") { zip_layout(bytes)? } else { legacy_layout(bytes)? };
    let mut map = WeightMap::new(origin);
    let mut path = Vec::new();
    collect(&root, &storages, &mut path, &mut map)?;
    Ok(without_common_container(map))
}

fn zip_layout(bytes: &[u8]) -> Result<(Value, Storages<'_>), String> {
    let entries = stored_entries(bytes)?;
    let pickle = entries.keys().find(|name| name.ends_with("/data.pkl") || **name == "data.pkl");
    let name = *pickle.ok_or("a zip file without data.pkl, so no PyTorch checkpoint")?;
    let folder = name.trim_end_matches("data.pkl");
    if entries.get(format!("{folder}byteorder").as_str()).is_some_and(|b| *b == b"big") {
        return Err("a checkpoint of a big-endian machine".into());
    }
    let (root, _) = read_pickle(entries[name])?;
    let prefix = format!("{folder}data/");
    let storages = entries.iter().filter_map(|(name, bytes)| {
        Some((name.strip_prefix(prefix.as_str())?.to_string(), *bytes))
    });
    Ok((root, storages.collect()))
}

fn legacy_layout(bytes: &[u8]) -> Result<(Value, Storages<'_>), String> {
    let mut at = 0;
    let mut next = || -> Result<Value, String> {
        let (value, length) = read_pickle(bytes.get(at..).unwrap_or_default())?;
        at += length;
        Ok(value)
    };
    // Magic number, protocol and system information, then the checkpoint and its storages' keys.
    let (_, _, system) = (next()?, next()?, next()?);
    if let Value::Dict(entries) = &system
        && entries.iter().any(|(k, v)| &**k == "little_endian" && *v == Value::Bool(false))
    {
        return Err("a checkpoint of a big-endian machine".into());
    }
    let (root, keys) = (next()?, next()?);
    let mut sizes = BTreeMap::new();
    storage_sizes(&root, &mut sizes);
    let Value::List(keys) = keys else { return Err("no list of storages".into()) };
    let mut storages = BTreeMap::new();
    for key in keys.iter() {
        let Value::Text(key) = key else { return Err("a storage without a name".into()) };
        let size = *sizes.get(key).ok_or_else(|| format!("a storage {key} that nothing uses"))?;
        let n = bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        let n = n.ok_or("storages that end too early: the file is truncated")?;
        let length = usize::try_from(n).ok().and_then(|n| n.checked_mul(size));
        let end = length.and_then(|length| (at + 8).checked_add(length));
        let storage = end.and_then(|end| bytes.get(at + 8..end));
        let storage = storage.ok_or("storages that end too early: the file is truncated")?;
        at += 8 + storage.len();
        storages.insert(key.to_string(), storage);
    }
    Ok((root, storages))
}

/// Bytes per value of every storage that a value refers to.
fn storage_sizes(value: &Value, sizes: &mut BTreeMap<Rc<str>, usize>) {
    match value {
        Value::Dict(entries) => entries.iter().for_each(|(_, v)| storage_sizes(v, sizes)),
        Value::List(items) | Value::Call(_, items) => {
            items.iter().for_each(|v| storage_sizes(v, sizes));
        }
        Value::Persistent(id) => {
            if let Some((kind, key)) = storage_id(id) {
                sizes.insert(key, bytes_per_value(&kind));
            }
        }
        _ => {}
    }
}

/// A storage's type and key from ("storage", type, key, device, size).
fn storage_id(id: &Value) -> Option<(Rc<str>, Rc<str>)> {
    let Value::List(parts) = id else { return None };
    match &parts[..] {
        [Value::Text(tag), Value::Global(kind), Value::Text(key), ..] if &**tag == "storage" => {
            Some((kind.clone(), key.clone()))
        }
        _ => None,
    }
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

fn collect(
    value: &Value,
    storages: &Storages,
    path: &mut Vec<String>,
    map: &mut WeightMap,
) -> Result<(), String> {
    match value {
        Value::Dict(entries) => {
            for (key, value) in entries.iter() {
                path.push(key.to_string());
                collect(value, storages, path, map)?;
                path.pop();
            }
        }
        Value::Call(name, arguments) if &**name == "torch._utils._rebuild_tensor_v2" => {
            let name = path.join(".");
            let tensor = rebuild(arguments, storages).map_err(|e| format!("{name}: {e}"))?;
            if let Some(tensor) = tensor {
                map.insert(name, tensor);
            }
        }
        // A parameter holds its tensor as the first argument.
        Value::Call(name, arguments) if &**name == "torch._utils._rebuild_parameter" => {
            if let Some(tensor) = arguments.first() {
                collect(tensor, storages, path, map)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A tensor from (storage, offset, shape, strides, …); none where it holds no floats.
fn rebuild(arguments: &[Value], storages: &Storages) -> Result<Option<WeightTensor>, String> {
    let [Value::Persistent(id), Value::Int(offset), shape, strides, ..] = arguments else {
        return Err("a tensor of an unknown layout".into());
    };
    let (kind, key) = storage_id(id).ok_or("a tensor without a storage")?;
    let (offset, shape, strides) = (whole(*offset)?, wholes(shape)?, wholes(strides)?);
    if shape.len() != strides.len() || shape.len() > 8 {
        return Err("a shape that does not fit its strides".into());
    }
    let n = shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
    let n = n.filter(|&n| n <= MAX_TENSOR_VALUES).ok_or("a tensor of too many values")?;
    let bytes = *storages.get(&*key).ok_or("a storage that is not in the file")?;
    let read: fn(&[u8]) -> f32 = match kind.rsplit('.').next().unwrap_or_default() {
        "FloatStorage" => |b| f32::from_le_bytes(b.try_into().unwrap_or_default()),
        "HalfStorage" => |b| half::f16::from_le_bytes(b.try_into().unwrap_or_default()).to_f32(),
        "BFloat16Storage" => {
            |b| half::bf16::from_le_bytes(b.try_into().unwrap_or_default()).to_f32()
        }
        "DoubleStorage" => |b| f64::from_le_bytes(b.try_into().unwrap_or_default()) as f32,
        _ => return Ok(None),
    };
    let size = bytes_per_value(&kind);
    let mut index = vec![0_usize; shape.len()];
    let mut values = Vec::with_capacity(n.min(bytes.len() / size));
    for _ in 0..n {
        // Strides can permute: some convolutions of old checkpoints are stored channels-last.
        let steps = index.iter().zip(&strides).map(|(i, s)| i.saturating_mul(*s));
        let at = steps.fold(offset, usize::saturating_add).saturating_mul(size);
        let value = at.checked_add(size).and_then(|end| bytes.get(at..end));
        values.push(read(value.ok_or("values beyond its storage: the file is truncated")?));
        for (i, &side) in index.iter_mut().zip(&shape).rev() {
            *i += 1;
            if *i < side {
                break;
            }
            *i = 0;
        }
    }
    Ok(Some(WeightTensor { shape, values }))
}

fn whole(value: i64) -> Result<usize, String> {
    usize::try_from(value).map_err(|_| "a negative size".into())
}

fn wholes(value: &Value) -> Result<Vec<usize>, String> {
    let Value::List(items) = value else { return Err("a shape that is no tuple".into()) };
    let one = |item: &Value| match item {
        Value::Int(n) => whole(*n),
        _ => Err("a side that is no number".into()),
    };
    items.iter().map(one).collect()
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
