// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use eosin_core::Device;
use serde::{Deserialize, Serialize};

/// Which file runs, how it is fed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnnxOptions {
    /// The ONNX file.
    pub file: PathBuf,
    /// SHA-256 that the file must have.
    pub sha256: Option<String>,
    /// How the graph is fed and read.
    pub args: OnnxArgs,
    /// onnxruntime's library, or a folder that has it: a wheel's, or a Python environment's.
    /// Without it the system's is taken.
    pub library: Option<PathBuf>,
    /// Where it runs: the CPU, or a GPU by CUDA; without it CUDA where the library has it and a GPU
    /// answers, else the CPU.
    pub device: Option<Device>,
}

/// What a card of family `onnx` says of its graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OnnxArgs {
    /// Name of the tensor that holds the embedding: an output or any tensor within the graph.
    /// Without it the output named `embedding`, or the only one.
    ///
    /// N × dim is taken as it is; N × tokens × dim is pooled by the card's `pooling` (`cls`, `mean`
    /// or `cls+mean`); a map N × dim × H × W or N × H × W × dim is averaged over its positions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Name of the input; without it the first that has no default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Order of the input's dimensions; without it, it is read from the input's shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// Order of the colours.
    pub channels: Channels,
    /// Tokens before those of patches, which a mean leaves out: the class token and registers.
    pub prefix_tokens: Option<usize>,
}

/// Order of an input's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Tiles, channels, rows, columns: PyTorch's.
    Nchw,
    /// Tiles, rows, columns, channels: TensorFlow's.
    Nhwc,
}

/// Order of an input's colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red, as Caffe and OpenCV have it.
    Bgr,
}

impl OnnxOptions {
    /// A file with everything else left to be found.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            sha256: None,
            args: OnnxArgs::default(),
            library: None,
            device: None,
        }
    }
}
