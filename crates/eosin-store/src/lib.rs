// SPDX-License-Identifier: MIT OR Apache-2.0

#![doc = include_str!("../README.md")]
//!
//! # Layout on disk, format 2
//! ```text
//! <root>/
//! └─ <fingerprint>/                    one set of embeddings: 32 hexadecimal digits
//!    ├─ contract.json                  the contract, canonical JSON; its digest is the fingerprint
//!    ├─ shards/
//!    │  └─ <digest>.parquet            the first 32 digits of the BLAKE3 of the file's bytes
//!    ├─ _log/
//!    │  └─ 00000000000000000001.json   one commit per version, from 1 without a gap
//!    ├─ cache/<digest>.arrow           a training cache, made from the shards whenever it is missing
//!    ├─ .lock                          empty; locked while a commit or `gc` is at its files
//!    └─ .tmp-…                         what a writer has not committed, or left when cut off
//! ```
//! A **shard** is a Parquet file without compression, with row groups of 8,192, data pages of
//! 64 KiB and a page index. Its columns are `tile_id, slide, patient, centre, scanner, x, y,
//! size_level0_px, requested_mpp, effective_mpp, tissue_fraction, source, source_digest, view` and
//! `embedding`, a fixed-size list of `f16` (or `f32`, by option). In a **cold** shard, by option,
//! the embeddings' bytes are split by significance and packed with gzip. Its metadata holds
//! `eosin.format`, `eosin.fingerprint` and `eosin.contract`, beside the Arrow schema. A shard ends
//! with its slide, unless the slide is small. Equal rows give equal bytes and so equal names;
//! nothing in a store tells the time, and of the machine only the paths in `source`.
//!
//! **A row's key** is `tile_id`, `source_digest` and `view`: tiles of one name that were read from
//! files of different content are different tiles, and the same content at another path is the same
//! tile. `source` is the file, as an absolute path. Where that file has other content later, the new
//! rows and the removal of the old ones are one commit. Where a key is there twice, as after two
//! writers at once, the later row counts.
//!
//! A **log entry** is `{"format":2,"version":V,"adds":[{"name","rows","bytes","blake3","dtype","cold"?}],
//! "removes":[name…],"order":[name…]?}`. Folding the entries in order gives the live shards and
//! their order, which is the order of rows: removals first, then additions at the end (a shard
//! that is live already is not added twice), then `order` where it stands. Files that are not live
//! do not count; `gc` sweeps them.
//!
//! **A commit**: every shard is written to a temporary name, synced, given its name, and its folder
//! synced; then the entry is written aside, synced, and given its name, which fails if another
//! writer took the version, who then takes the next. A name is given by a hard link, or by a rename
//! that does not replace where there are no hard links; nothing is ever put over what exists. So a
//! reader sees all rows of a commit or none, a kill at any instant loses at most what was not
//! committed, and two writers lose nothing. Temporary names are random, since process ids of two
//! containers are often equal. From the naming of its shards to its entry, a commit holds a shared
//! lock on `.lock`, and `gc` an exclusive one, so that no shard is swept that is about to count;
//! where the file system has no locks, the least age of what is swept does the same.
//!
//! **In a bucket** the same files are objects of the same keys, without `cache` and temporaries,
//! and an entry is put on the condition that its key is free. The folder on the disk mirrors what
//! was needed so far.
//!
//! | | data of format 1 | format 2 | a later format |
//! |---|---|---|---|
//! | a release from before format 2 | reads and writes | refuses, naming the entry and its format | refuses, naming the entry and its format |
//! | this release | refuses, and says to embed again | reads and writes | refuses, naming the entry and its format |
//! | a later release | may refuse | must read | reads and writes |
//!
//! Format 1 had no column `source`, and its keys no digest: rows of files of one name are mixed in
//! it, and nothing in it can part them. So it is refused, and never migrated.
//!
//! Fields may be added to entries only where a reader that does not know them would read wrongly
//! without them, since a reader refuses every entry with an unknown field.
//!
//! Any Parquet reader reads `shards/*.parquet` as they are, once `gc` has swept what is not live;
//! pyarrow, pandas, polars and DuckDB are tested. DuckDB 2.0 does not read cold shards of `f16`.

#[cfg(feature = "object")]
mod bucket;
mod cache;
mod dtype;
mod durable;
mod hashing_file;
mod interop;
mod layout;
mod log;
mod maintain;
mod memory;
mod mirror;
mod objects;
mod open_set;
mod open_shard;
mod pages;
mod parquet_store;
mod read;
mod schema;
mod set_lock;
mod shard_reader;
mod shard_writer;
mod slides;
mod supersede;
mod verify;
mod writer;

#[cfg(feature = "object")]
pub use bucket::Bucket;
pub use cache::TrainingCache;
pub use dtype::Dtype;
#[cfg(feature = "hdf5")]
pub use interop::{H5Layout, export_h5, export_h5ad, import_h5};
pub use interop::{
    Imported, UNKNOWN, export_npy, export_safetensors, import_npy, import_npz, import_safetensors,
    imported_contract, read_npy,
};
pub use maintain::{CompactReport, GcReport, MIN_AGE};
pub use memory::MemoryStore;
pub use objects::{MemoryObjects, ObjectInfo, Objects};
pub use parquet_store::{ParquetStore, StoreOptions};
pub use read::{RowKey, StoreExt, TileKey};
pub use slides::{SlideNames, tell_slides_apart};
pub use supersede::Superseded;
pub use verify::{Problem, VerifyReport};
