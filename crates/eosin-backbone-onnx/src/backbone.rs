// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use eosin_core::{Backbone, BackboneInfo, Device, Error, Matrix, Result, TileBatch};
use ort::ep::{CUDA, ExecutionProvider};
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::value::{Shape, Tensor, TensorElementType, ValueType};

use crate::file::{self, OnnxFile};
use crate::graph::{self, ElementType};
use crate::input::Normaliser;
use crate::library;
use crate::options::{Layout, OnnxArgs, OnnxOptions};
use crate::pooling::pool;

/// An ONNX graph that onnxruntime runs.
pub struct OnnxBackbone {
    info: BackboneInfo,
    file: PathBuf,
    // onnxruntime's sessions are to be run by one thread at a time.
    session: Mutex<Session>,
    input: InputPort,
    output: String,
    prefix_tokens: usize,
    normaliser: Normaliser,
}

/// onnxruntime's key for the folder of weights that are not in the model.
const EXTERNAL_FOLDER: &str = "session.model_external_initializers_file_folder_path";

/// The input that takes the tiles.
struct InputPort {
    name: String,
    layout: Layout,
    is_half: bool,
    /// Tiles that a pass must have, where the graph fixes them.
    batch: Option<usize>,
    px: Option<i64>,
}

/// Loads a file; `info` describes the backbone but for digest, parameters and engine, which are
/// filled in here.
pub fn load(info: BackboneInfo, options: &OnnxOptions) -> Result<OnnxBackbone> {
    let file = file::read(&options.file, options.sha256.as_deref())?;
    let (_, environment) = library::environment(options.library.as_deref())?;
    let output = choose_output(&options.args, &file, &options.file)?;
    let builder = || SessionBuilder::new(&environment).map_err(|e| refused(&options.file, &e));
    let (session, engine) = open(builder, options, &file, &output)?;
    let input = choose_input(&session, options)?;
    if let Some(px) = input.px
        && px != i64::from(info.input_px)
    {
        return Err(Error::input(
            format!("input_px of backbone {}", info.name),
            format!("{px}, which the graph's input has"),
            info.input_px.to_string(),
            "mend the card, or export the graph for this size",
        ));
    }
    let normaliser = Normaliser::new(info.mean, info.std, input.layout, options.args.channels);
    let mut info = BackboneInfo { weights_sha256: file.sha256, engine, ..info };
    info.parameters = file.graph.parameters;
    // The numbers depend on which tensor is taken and how colours are ordered.
    info.architecture.insert("onnx.output".into(), output.clone());
    let channels = format!("{:?}", options.args.channels).to_lowercase();
    info.architecture.insert("onnx.channels".into(), channels);
    Ok(OnnxBackbone {
        info,
        file: options.file.clone(),
        session: Mutex::new(session),
        input,
        output,
        prefix_tokens: options.args.prefix_tokens.unwrap_or(1),
        normaliser,
    })
}

/// Makes a session, on a GPU where one is wanted and there.
fn open(
    builder: impl Fn() -> Result<SessionBuilder>,
    options: &OnnxOptions,
    file: &OnnxFile,
    output: &str,
) -> Result<(Session, String)> {
    if options.device != Some(Device::Cpu) {
        let number = options.device.map_or(0, Device::number);
        let mut with_gpu = builder()?;
        let id = i32::try_from(number).unwrap_or(i32::MAX);
        let registered = CUDA::default().with_device_id(id).register(&mut with_gpu);
        let opened = registered.map_err(|e| refused(&options.file, &e));
        let opened = opened.and_then(|()| commit(with_gpu, options, file, output));
        match (opened, options.device) {
            (Ok(session), _) => return Ok((session, format!("onnx {}", Device::Cuda(number)))),
            (Err(error), Some(_)) => {
                return Err(Error::unsupported(
                    format!("onnxruntime's CUDA provider ({error})"),
                    &[],
                    "install onnxruntime-gpu with its CUDA libraries, or leave the device out",
                ));
            }
            (Err(error), None) => tracing::info!(%error, "onnxruntime runs without CUDA"),
        }
    }
    Ok((commit(builder()?, options, file, output)?, "onnx cpu".into()))
}

/// Reads the model, with the tensor wanted as an output.
fn commit(
    builder: SessionBuilder,
    options: &OnnxOptions,
    file: &OnnxFile,
    output: &str,
) -> Result<Session> {
    let path = &options.file;
    let refuse = |e: ort::Error| refused(path, &e);
    // A model that is read from memory does not know the folder of its weights.
    let folder = path.parent().unwrap_or(Path::new("")).display().to_string();
    let n_threads = rayon::current_num_threads();
    let builder = builder.with_intra_threads(n_threads).map_err(|e| refused(path, &e))?;
    let builder = builder.with_independent_thread_pool().map_err(|e| refused(path, &e))?;
    let builder = builder.with_config_entry(EXTERNAL_FOLDER, folder);
    let mut builder = builder.map_err(|e| refused(path, &e))?;
    if file.graph.outputs.iter().any(|name| name == output) {
        return builder.commit_from_file(path).map_err(refuse);
    }
    let mut attempt = |element| {
        let mut model = file.bytes.clone();
        graph::add_output(&mut model, output, element);
        builder.commit_from_memory(&model)
    };
    // The type of a tensor within the graph is known to onnxruntime alone.
    attempt(ElementType::Float)
        .or_else(|first| attempt(ElementType::Half).map_err(|_| refused(path, &first)))
}

fn refused<R>(path: &Path, error: &ort::Error<R>) -> Error {
    let message = error.message().replace('\n', " ");
    Error::data(
        path,
        "a model that onnxruntime runs",
        message.trim(),
        "check the file with onnxruntime in Python; a newer onnxruntime may know its operators",
    )
}

/// The tensor that the card names, else the output `embedding`, else the only one.
fn choose_output(args: &OnnxArgs, file: &OnnxFile, path: &Path) -> Result<String> {
    let graph = &file.graph;
    if let Some(name) = &args.output {
        if graph.outputs.contains(name) || graph.tensors.contains(name) {
            return Ok(name.clone());
        }
        let known: Vec<&str> = graph.outputs.iter().map(String::as_str).collect();
        return Err(Error::unsupported(
            format!("tensor `{name}` of {}", path.display()),
            &known,
            "name one of these outputs, or a tensor within the graph as a viewer such as Netron \
             shows it, in the card's `output`",
        ));
    }
    match graph.outputs.as_slice() {
        [only] => Ok(only.clone()),
        outputs if outputs.iter().any(|o| o == "embedding") => Ok("embedding".into()),
        outputs => Err(Error::input(
            format!("output of {}", path.display()),
            "the name of the tensor that holds the embedding",
            format!("{} outputs: {}", outputs.len(), outputs.join(", ")),
            "name it in the card: architecture = { output = \"…\" }",
        )),
    }
}

fn choose_input(session: &Session, options: &OnnxOptions) -> Result<InputPort> {
    let path = &options.file;
    let names: Vec<&str> = session.inputs().iter().map(ort::value::Outlet::name).collect();
    let wanted = options.args.input.as_deref().or(names.first().copied()).unwrap_or_default();
    let Some(port) = session.inputs().iter().find(|input| input.name() == wanted) else {
        return Err(Error::unsupported(
            format!("input `{wanted}` of {}", path.display()),
            &names,
            "name one of these in the card's `input`",
        ));
    };
    let misfit = |found: String| {
        Error::data(
            path,
            "an input of N × 3 × H × W or N × H × W × 3 floats",
            found,
            "name the input in the card's `input` and its order in `layout`",
        )
    };
    let ValueType::Tensor { ty, shape, .. } = port.dtype() else {
        return Err(misfit(format!("`{wanted}`, which is no tensor")));
    };
    let is_half = match ty {
        TensorElementType::Float32 => false,
        TensorElementType::Float16 => true,
        other => return Err(misfit(format!("`{wanted}` of {other}"))),
    };
    let sides: Vec<i64> = shape.iter().copied().collect();
    let layout = match (options.args.layout, sides.as_slice()) {
        (Some(layout), [_, _, _, _]) => layout,
        (None, [_, 3, _, _]) => Layout::Nchw,
        (None, [_, _, _, 3]) => Layout::Nhwc,
        _ => return Err(misfit(format!("`{wanted}` of {sides:?}"))),
    };
    let px = if layout == Layout::Nchw { sides[2] } else { sides[1] };
    Ok(InputPort {
        name: wanted.to_string(),
        layout,
        is_half,
        batch: usize::try_from(sides[0]).ok().filter(|&n| n > 0),
        px: (px > 0).then_some(px),
    })
}

impl OnnxBackbone {
    /// One pass of `n_tiles` tiles, of which the first have pixels; their rows are appended.
    fn pass(&self, pixels: &[u8], n_tiles: usize, rows: &mut Vec<f32>) -> Result<()> {
        let (px, dim) = (self.info.input_px as usize, self.info.dim as usize);
        let n_real = pixels.len() / (px * px * 3);
        let values = self.normaliser.apply(pixels, n_tiles, px);
        let shape = self.normaliser.shape(n_tiles, px);
        let refuse = |e: ort::Error| refused(&self.file, &e);
        let input: ort::value::DynTensor = if self.input.is_half {
            let halves: Vec<half::f16> = values.into_iter().map(half::f16::from_f32).collect();
            Tensor::from_array((shape, halves)).map_err(refuse)?.upcast()
        } else {
            Tensor::from_array((shape, values)).map_err(refuse)?.upcast()
        };
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let named = vec![(self.input.name.as_str(), ort::value::DynValue::from(input))];
        let outputs = session.run(named).map_err(refuse)?;
        let Some(output) = outputs.get(&self.output) else {
            return Err(Error::data(
                &self.file,
                format!("the tensor `{}`", self.output),
                "none of that name in the result",
                "name another tensor in the card's `output`",
            ));
        };
        let halves: Vec<f32>;
        let (shape, values): (&Shape, &[f32]) = match output.try_extract_tensor::<f32>() {
            Ok(found) => found,
            Err(error) => {
                let (shape, found) =
                    output.try_extract_tensor::<half::f16>().map_err(|_| refuse(error))?;
                halves = found.iter().map(|v| v.to_f32()).collect();
                (shape, &halves)
            }
        };
        let sides: Vec<usize> = shape.iter().map(|&n| n.max(0) as usize).collect();
        let misfit = |found: String| {
            Error::data(
                &self.file,
                format!("{dim} values a tile in `{}`", self.output),
                found,
                "mend the card's `dim`, `pooling` or `output`",
            )
        };
        if sides.first() != Some(&n_tiles) || values.len() % n_tiles != 0 {
            return Err(misfit(format!("{sides:?} for {n_tiles} tiles")));
        }
        for tile in values.chunks_exact(values.len() / n_tiles).take(n_real) {
            let pooled = pool(tile, &sides[1..], dim, &self.info.pooling, self.prefix_tokens);
            rows.extend(pooled.map_err(misfit)?);
        }
        Ok(())
    }
}

impl Backbone for OnnxBackbone {
    fn info(&self) -> &BackboneInfo {
        &self.info
    }

    fn embed(&self, batch: &TileBatch) -> Result<Matrix> {
        if batch.px() != self.info.input_px {
            return Err(Error::input(
                format!("tiles for backbone {}", self.info.name),
                format!("{0} × {0} px", self.info.input_px),
                format!("{0} × {0} px", batch.px()),
                "resample the tiles to the card's input_px first",
            ));
        }
        let tile = (batch.px() as usize).pow(2) * 3;
        // A graph with a fixed number of tiles gets that many, the last pass filled with blanks.
        let per_pass = self.input.batch.unwrap_or(batch.n_tiles()).max(1);
        let mut rows = Vec::with_capacity(batch.n_tiles() * self.info.dim as usize);
        for pixels in batch.pixels().chunks(per_pass * tile) {
            self.pass(pixels, per_pass, &mut rows)?;
        }
        Matrix::new(batch.n_tiles(), self.info.dim as usize, rows)
    }
}
