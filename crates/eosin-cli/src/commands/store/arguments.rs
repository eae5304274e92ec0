// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::bounds;

#[derive(Args)]
pub struct StoreArguments {
    #[command(subcommand)]
    pub command: StoreCommand,
}

#[derive(Subcommand)]
pub enum StoreCommand {
    /// List the sets of embeddings.
    Ls(At),
    /// Tell a set's contract and what it holds.
    #[command(after_help = "Examples:
  eosin store info
  eosin store info efficientnet-lite0 --store runs/mitosis/store")]
    Info(SetArguments),
    /// Read whole sets and check digests, row counts, NaN and infinities.
    #[command(after_help = "Examples:
  eosin store verify
  eosin store verify 3fa4 --store runs/mitosis/store

Ends with exit code 3 and names the files where anything is wrong. Rows that two writers at once
committed are sound and only counted; `eosin store compact` drops the earlier of them.")]
    Verify(SetArguments),
    /// Merge small shards and drop rows that a later commit superseded.
    Compact(CompactArguments),
    /// Remove files that no commit refers to any more.
    Gc(GcArguments),
    /// Write a set for other tools.
    Export(ExportArguments),
    /// Take over embeddings of other tools.
    Import(ImportArguments),
}

#[derive(Args)]
#[command(after_help = "Example:
  eosin store ls --store runs/mitosis/store")]
pub struct At {
    /// The store's folder.
    #[arg(long, default_value = "eosin-out/store")]
    pub store: PathBuf,
}

#[derive(Args)]
pub struct SetArguments {
    /// Sets: the beginning of a fingerprint, or a backbone [default: all]
    pub set: Option<String>,
    #[command(flatten)]
    pub at: At,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin store compact && eosin store gc
  eosin store compact efficientnet-lite0 --cold")]
pub struct CompactArguments {
    #[command(flatten)]
    pub set: SetArguments,
    /// Pack the embeddings: an eighth smaller, and many times slower to read.
    #[arg(long)]
    pub cold: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin store gc
  eosin store gc --min-age 0 --store runs/mitosis/store

Least ages between 1 and 14 minutes are refused: another machine's clock may differ by as much.")]
pub struct GcArguments {
    #[command(flatten)]
    pub set: SetArguments,
    /// Keep files younger than this many minutes, since a writer may be about to commit them: at
    /// least 15, or 0 where nobody else uses the store.
    #[arg(long, default_value_t = 60, allow_negative_numbers = true, value_parser = bounds::whole::<u64>("min_age"))]
    pub min_age: u64,
}

/// For whom to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// NumPy array, and tiles as JSON lines beside it.
    Npy,
    /// One tensor with the contract, and tiles as JSON lines beside it.
    Safetensors,
    /// One HDF5 file per slide, as TRIDENT writes them.
    Trident,
    /// One HDF5 file per slide, as CLAM writes them.
    Clam,
    /// One file for anndata and scanpy.
    H5ad,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin store export --to npy --out embeddings.npy
  eosin store export efficientnet-lite0 --to h5ad --out tiles.h5ad
  eosin store export 3fa4 --to trident --out features_efficientnet-lite0")]
pub struct ExportArguments {
    #[command(flatten)]
    pub set: SetArguments,
    /// The format.
    #[arg(long)]
    pub to: Format,
    /// The file to write; for TRIDENT and CLAM a folder, which is made.
    #[arg(long)]
    pub out: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    pub force: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  eosin store import features_uni_v1/*.h5
  eosin store import clam/h5_files --backbone resnet50-trunc
  eosin store import embeddings.npz --array features --backbone uni

Layouts of TRIDENT, CLAM, STAMP and AtlasPatch are told by the file. Of a NumPy or safetensors file,
tiles are told by NAME.tiles.jsonl beside it, as `eosin store export` writes it. The contract says
what the files tell and marks the rest as unknown. Files that are there already are left out.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct ImportArguments {
    /// HDF5, NumPy (.npy, .npz) or safetensors files, or folders of HDF5 files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub at: At,
    /// The backbone, where the file does not say.
    #[arg(long)]
    pub backbone: Option<String>,
    /// The array, tensor or matrix, where a file has several.
    #[arg(long)]
    pub array: Option<String>,
    /// Keep values in 32 bits instead of 16; for new sets only.
    #[arg(long)]
    pub f32: bool,
    /// Pack the embeddings: an eighth smaller, and many times slower to read.
    #[arg(long)]
    pub cold: bool,
    /// Replace rows of files that have changed, however many; without it more than a tenth of what a
    /// set has of a file is an error.
    #[arg(long)]
    pub replace: bool,
    /// Say what would be imported, and stop.
    #[arg(long)]
    pub dry_run: bool,
}
