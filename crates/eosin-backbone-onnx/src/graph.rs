// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an ONNX file says of its graph, and the one change to it: one output more.

use std::collections::BTreeSet;

use eosin_core::ArrayExtent;

use crate::protobuf::{Value, fields, put_bytes, put_integer, varint};

/// Field numbers of `onnx.proto`.
mod field {
    pub const MODEL_GRAPH: u64 = 7;
    pub const GRAPH_NODE: u64 = 1;
    pub const GRAPH_INITIALIZER: u64 = 5;
    pub const GRAPH_OUTPUT: u64 = 12;
    pub const NODE_OUTPUT: u64 = 2;
    pub const TENSOR_DIMS: u64 = 1;
    pub const TENSOR_DATA_TYPE: u64 = 2;
    pub const TENSOR_NAME: u64 = 8;
    pub const TENSOR_RAW_DATA: u64 = 9;
    pub const TENSOR_EXTERNAL_DATA: u64 = 13;
    pub const VALUE_NAME: u64 = 1;
    pub const VALUE_TYPE: u64 = 2;
    pub const TYPE_TENSOR: u64 = 1;
    pub const TENSOR_TYPE_ELEMENT: u64 = 1;
    pub const ENTRY_KEY: u64 = 1;
    pub const ENTRY_VALUE: u64 = 2;
}

/// Element types of tensors that an embedding may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    Float = 1,
    Half = 10,
}

/// What is needed of a graph before onnxruntime reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Names of its outputs.
    pub outputs: Vec<String>,
    /// Names of every tensor that a node gives.
    pub tensors: Vec<String>,
    /// Values in its weights.
    pub parameters: u64,
    /// Files beside it that hold weights.
    pub external: BTreeSet<String>,
}

/// The most names of tensors, and of files with weights, that a graph may have.
const MAX_TENSORS: usize = 1 << 20;
const MAX_FILES: usize = 1 << 10;

/// Reads a model's graph.
pub fn read(model: &[u8]) -> Result<Graph, String> {
    let mut graph = Graph::default();
    let mut has_graph = false;
    for item in fields(model) {
        if let (field::MODEL_GRAPH, Value::Bytes(bytes)) = item? {
            has_graph = true;
            read_graph(bytes, &mut graph)?;
        }
    }
    if has_graph && !graph.tensors.is_empty() {
        Ok(graph)
    } else {
        Err(format!("{} bytes without a graph", model.len()))
    }
}

/// Makes a tensor within the graph one of its outputs.
///
/// A field that occurs twice in a message is merged from both, by the definition of protocol
/// buffers: a second `graph` that holds nothing but an output adds that output.
pub fn add_output(model: &mut Vec<u8>, tensor: &str, element: ElementType) {
    let mut tensor_type = Vec::new();
    put_integer(&mut tensor_type, field::TENSOR_TYPE_ELEMENT, element as u64);
    let mut value_type = Vec::new();
    put_bytes(&mut value_type, field::TYPE_TENSOR, &tensor_type);
    let mut value = Vec::new();
    put_bytes(&mut value, field::VALUE_NAME, tensor.as_bytes());
    put_bytes(&mut value, field::VALUE_TYPE, &value_type);
    let mut graph = Vec::new();
    put_bytes(&mut graph, field::GRAPH_OUTPUT, &value);
    put_bytes(model, field::MODEL_GRAPH, &graph);
}

fn read_graph(bytes: &[u8], graph: &mut Graph) -> Result<(), String> {
    for item in fields(bytes) {
        match item? {
            (field::GRAPH_NODE, Value::Bytes(node)) => {
                let outputs = texts(node, field::NODE_OUTPUT)?;
                graph.tensors.extend(outputs.into_iter().filter(|name| !name.is_empty()));
                if graph.tensors.len() > MAX_TENSORS {
                    return Err(format!("more than {MAX_TENSORS} tensors"));
                }
            }
            (field::GRAPH_INITIALIZER, Value::Bytes(tensor)) => {
                graph.parameters = graph.parameters.saturating_add(n_values(tensor)?);
                external_file(tensor, graph)?;
            }
            (field::GRAPH_OUTPUT, Value::Bytes(value)) => {
                graph.outputs.extend(texts(value, field::VALUE_NAME)?);
                if graph.outputs.len() > MAX_TENSORS {
                    return Err(format!("more than {MAX_TENSORS} outputs"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The texts of one field of a message.
fn texts(message: &[u8], number: u64) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for item in fields(message) {
        if let (n, Value::Bytes(bytes)) = item?
            && n == number
        {
            let text = std::str::from_utf8(bytes).map_err(|_| "a name that is no UTF-8")?;
            found.push(text.to_string());
        }
    }
    Ok(found)
}

/// The product of a tensor's sides, which are single fields or packed in one; bytes that lie in
/// the model must be exactly as many as the values take.
fn n_values(tensor: &[u8]) -> Result<u64, String> {
    let (mut sides, mut value_type, mut raw) = (Vec::new(), 0, None);
    for item in fields(tensor) {
        match item? {
            (field::TENSOR_DIMS, Value::Varint(side)) => sides.push(side),
            (field::TENSOR_DIMS, Value::Bytes(packed)) => {
                let mut at = 0;
                while at < packed.len() && sides.len() <= MAX_SIDES {
                    sides.push(varint(packed, &mut at)?);
                }
            }
            (field::TENSOR_DATA_TYPE, Value::Varint(found)) => value_type = found,
            (field::TENSOR_RAW_DATA, Value::Bytes(bytes)) => raw = Some(bytes),
            _ => {}
        }
        if sides.len() > MAX_SIDES {
            return Err(format!("a tensor of more than {MAX_SIDES} dimensions"));
        }
    }
    let value_bytes = value_bytes(value_type);
    let extent = ArrayExtent::new(&sides, value_bytes.unwrap_or(1))?;
    if let (Some(raw), Some(_)) = (raw, value_bytes) {
        extent.holding(raw.len() as u64)?;
    }
    Ok(extent.n_values() as u64)
}

/// The most sides of a tensor.
const MAX_SIDES: usize = 16;

/// Bytes of a value of the types that `onnx.proto` numbers; none of texts, of values that are
/// packed two in a byte, and of types that later versions add.
fn value_bytes(value_type: u64) -> Option<usize> {
    match value_type {
        2 | 3 | 9 => Some(1),
        4 | 5 | 10 | 16 => Some(2),
        1 | 6 | 12 => Some(4),
        7 | 11 | 13 | 14 => Some(8),
        15 => Some(16),
        _ => None,
    }
}

/// Notes the file that holds a tensor's values, where they are not in the model itself.
fn external_file(tensor: &[u8], graph: &mut Graph) -> Result<(), String> {
    for item in fields(tensor) {
        if let (field::TENSOR_EXTERNAL_DATA, Value::Bytes(entry)) = item?
            && texts(entry, field::ENTRY_KEY)?.first().is_some_and(|key| key == "location")
        {
            let location = texts(entry, field::ENTRY_VALUE)?.concat();
            // Weights lie beside their model: a name with a folder could point anywhere.
            let is_plain = !location.is_empty()
                && std::path::Path::new(&location).file_name().is_some_and(|f| *f == *location);
            if !is_plain {
                let name = texts(tensor, field::TENSOR_NAME)?.concat();
                return Err(format!("weights of {name} in `{location}`, which is no file name"));
            }
            graph.external.insert(location);
            if graph.external.len() > MAX_FILES {
                return Err(format!("weights in more than {MAX_FILES} files"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of one node `y = f(x)` with a 2 × 3 weight, by hand.
    fn model() -> Vec<u8> {
        let mut node = Vec::new();
        put_bytes(&mut node, 1, b"x");
        put_bytes(&mut node, field::NODE_OUTPUT, b"y");
        let mut tensor = Vec::new();
        put_integer(&mut tensor, field::TENSOR_DIMS, 2);
        put_integer(&mut tensor, field::TENSOR_DIMS, 3);
        let mut output = Vec::new();
        put_bytes(&mut output, field::VALUE_NAME, b"z");
        let mut graph = Vec::new();
        put_bytes(&mut graph, field::GRAPH_NODE, &node);
        put_bytes(&mut graph, field::GRAPH_INITIALIZER, &tensor);
        put_bytes(&mut graph, field::GRAPH_OUTPUT, &output);
        let mut model = Vec::new();
        put_integer(&mut model, 1, 8);
        put_bytes(&mut model, field::MODEL_GRAPH, &graph);
        model
    }

    #[test]
    fn names_and_parameters_are_read() {
        let graph = read(&model()).unwrap();
        assert_eq!((graph.tensors, graph.outputs), (vec!["y".to_string()], vec!["z".to_string()]));
        assert_eq!(graph.parameters, 6);
    }

    #[test]
    fn an_added_output_is_merged_with_the_others() {
        let mut model = model();
        add_output(&mut model, "y", ElementType::Float);
        assert_eq!(read(&model).unwrap().outputs, ["z", "y"]);
    }

    #[test]
    fn no_cut_or_flipped_model_panics() {
        let model = model();
        for n in 0..model.len() {
            let _ = read(&model[..n]);
        }
        for at in 0..model.len() {
            for mask in [1, 0x80, 0xFF] {
                let mut flipped = model.clone();
                flipped[at] ^= mask;
                let _ = read(&flipped);
            }
        }
        assert!(read(b"").is_err() && read(b"no model at all").is_err());
    }

    #[test]
    fn an_initialisers_bytes_are_those_of_its_shape() {
        let with = |sides: &[u64], value_type: u64, n_bytes: usize| {
            let mut tensor = Vec::new();
            for side in sides {
                put_integer(&mut tensor, field::TENSOR_DIMS, *side);
            }
            put_integer(&mut tensor, field::TENSOR_DATA_TYPE, value_type);
            put_bytes(&mut tensor, field::TENSOR_RAW_DATA, &vec![0; n_bytes]);
            n_values(&tensor)
        };
        assert_eq!(with(&[2, 3], 1, 24), Ok(6));
        assert_eq!(with(&[2, 3], 10, 12), Ok(6));
        assert!(with(&[2, 3], 1, 20).is_err() && with(&[2, 3], 10, 24).is_err());
        assert!(with(&[u64::MAX, 2], 1, 8).is_err() && with(&[1 << 40, 0], 1, 0).is_err());
        assert!(with(&[1; 17], 1, 4).is_err());
    }

    #[test]
    fn weights_in_another_folder_are_refused() {
        let with = |location: &[u8]| {
            let mut entry = Vec::new();
            put_bytes(&mut entry, field::ENTRY_KEY, b"location");
            put_bytes(&mut entry, field::ENTRY_VALUE, location);
            let mut tensor = Vec::new();
            put_bytes(&mut tensor, field::TENSOR_EXTERNAL_DATA, &entry);
            let mut graph = Graph::default();
            external_file(&tensor, &mut graph).map(|()| graph.external)
        };
        assert!(with(b"model.data").unwrap().contains("model.data"));
        for bad in [&b"../model.data"[..], b"/etc/passwd", b"a/b", b"..", b""] {
            assert!(with(bad).is_err());
        }
    }
}
