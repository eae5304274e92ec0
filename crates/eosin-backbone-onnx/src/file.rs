// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use eosin_core::{Error, Result, irregularity};
use sha2::{Digest, Sha256};

use crate::graph::{self, Graph};

/// A model's bytes, what they say of it, and their digest.
pub struct OnnxFile {
    pub bytes: Vec<u8>,
    pub graph: Graph,
    /// SHA-256; where weights lie in other files, that of all digests in the order of names.
    pub sha256: String,
}

/// The largest model that is read: a message of protocol buffers cannot be larger.
const MAX_MODEL_BYTES: u64 = 2 << 30;

/// Reads a model and checks its digest.
pub fn read(path: &Path, sha256: Option<&str>) -> Result<OnnxFile> {
    let (file, size) = open_regular(path)?;
    let mut bytes = Vec::new();
    let limited = || format!("more than {MAX_MODEL_BYTES} bytes, which no message may have");
    if size > MAX_MODEL_BYTES {
        return Err(refused(path, limited()));
    }
    bytes.try_reserve_exact(size as usize).map_err(|e| Error::io("read", path, e.into()))?;
    file.take(MAX_MODEL_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io("read", path, e))?;
    if bytes.len() as u64 > MAX_MODEL_BYTES {
        return Err(refused(path, limited()));
    }
    let graph = graph::read(&bytes).map_err(|found| refused(path, found))?;
    let mut digest = format!("{:x}", Sha256::digest(&bytes));
    if !graph.external.is_empty() {
        for name in &graph.external {
            digest.push_str(&file_digest(&path.with_file_name(name))?);
        }
        digest = format!("{:x}", Sha256::digest(digest.as_bytes()));
    }
    if let Some(expected) = sha256
        && !expected.eq_ignore_ascii_case(&digest)
    {
        return Err(Error::data(
            path,
            format!("SHA-256 {expected}"),
            digest,
            "the file is not the one that the card describes: fetch it again, or mend the card",
        ));
    }
    Ok(OnnxFile { bytes, graph, sha256: digest })
}

fn refused(path: &Path, found: String) -> Error {
    Error::data(
        path,
        "an ONNX model",
        found,
        "the file is truncated or of another format: export or fetch it again",
    )
}

/// Digest of a file that may be larger than memory.
fn file_digest(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let (mut file, _) = open_regular(path)?;
    std::io::copy(&mut file, &mut hasher).map_err(|e| Error::io("read", path, e))?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// Opens a file that is no pipe, which would wait for its writer, and no device, which never ends;
/// with its size.
fn open_regular(path: &Path) -> Result<(File, u64)> {
    let failed = |e| Error::io("read", path, e);
    let check = |metadata: &Metadata| match irregularity(metadata) {
        None => Ok(()),
        Some(found) => Err(refused(path, found.into())),
    };
    check(&std::fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    check(&metadata)?;
    Ok((file, metadata.len()))
}
