// SPDX-License-Identifier: MIT OR Apache-2.0

#[cfg(feature = "object")]
mod bucket;
mod draft;
mod folder;
mod memory;
mod mirror;
mod read_at;

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eosin_core::Result;

#[cfg(feature = "object")]
pub use bucket::Bucket;
pub use draft::Draft;
pub(crate) use draft::{Scratch, Sink};
pub use folder::FolderBacking;
pub use memory::MemoryBacking;
pub use mirror::MirrorBacking;
pub(crate) use read_at::digest_of;
pub use read_at::{BytesAt, ReadAt};

/// Where the files of a store are: a folder, a bucket, the memory.
///
/// The caller names files by keys with `/` between their parts, never changes a file, and names
/// what it publishes by its content, so that equal keys of published files mean equal bytes.
/// The implementer makes a file visible whole or not at all, and of two callers of
/// [`create`](Self::create) with one key lets exactly one succeed, also from two machines where it
/// serves two: commits stand on that. What it says is done survives a crash, where it survives
/// anything.
///
/// The methods with a default are for what only some have: files on the disk, locks, a copy that
/// is nearer.
///
/// ```
/// use std::sync::Arc;
/// use eosin_core::{EmbeddingStore, Result};
/// use eosin_store::{Backing, BytesAt, Draft, Listing, ParquetStore, ReadAt, StoreOptions};
///
/// /// What is never written and always empty.
/// #[derive(Debug)]
/// struct Empty;
/// impl Backing for Empty {
///     fn name(&self) -> String { "empty".into() }
///     fn list(&self, _folder: &str) -> Result<Listing> { Ok(Listing::default()) }
///     fn read(&self, _key: &str) -> Result<Option<Vec<u8>>> { Ok(None) }
///     fn open(&self, _key: &str) -> Result<Option<Arc<dyn ReadAt>>> { Ok(None) }
///     fn create(&self, _key: &str, _bytes: &[u8]) -> Result<bool> { Ok(false) }
///     fn publish(&self, _key: &str, _draft: Draft) -> Result<()> {
///         Err(eosin_core::Error::unsupported("writing", &[], "use another store"))
///     }
///     fn remove(&self, _key: &str) -> Result<bool> { Ok(false) }
/// }
///
/// let store = ParquetStore::on(Arc::new(Empty), StoreOptions::default())?;
/// assert!(store.sets()?.is_empty());
/// # Ok::<(), eosin_core::Error>(())
/// ```
pub trait Backing: fmt::Debug + Send + Sync {
    /// Where it is, for messages.
    fn name(&self) -> String;
    /// What lies directly in a folder, in order; nothing where there is no such folder. The root is
    /// the folder of no name.
    fn list(&self, folder: &str) -> Result<Listing>;
    /// A file's bytes; `None` where there is none.
    fn read(&self, key: &str) -> Result<Option<Vec<u8>>>;
    /// A file of which parts are read; `None` where there is none.
    fn open(&self, key: &str) -> Result<Option<Arc<dyn ReadAt>>>;
    /// Puts a small file unless there is one, and returns whether it did.
    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool>;
    /// Gives a draft its key. A file that has the key already is the same one and counts as young
    /// from now on; one with another content is an error, where it is looked at.
    fn publish(&self, key: &str, draft: Draft) -> Result<()>;
    /// Removes a file; returns `false` where it is known that there was none.
    fn remove(&self, key: &str) -> Result<bool>;

    /// A folder on the disk for drafts and for what is mapped, with a folder per set; without one
    /// they are kept in memory.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Where a file is, for messages.
    fn place(&self, key: &str) -> PathBuf {
        PathBuf::from(format!("{}/{key}", self.name().trim_end_matches('/')))
    }

    /// Brings a published file near, so that reading its parts is quick, and refuses it where its
    /// bytes have another BLAKE3.
    fn fetch(&self, _key: &str, _blake3: &str) -> Result<()> {
        Ok(())
    }

    /// Keeps the commits of a set and its sweep apart until the guard is dropped; without locks the
    /// least age of what is swept does.
    fn lock(&self, _set: &str, _purpose: LockPurpose) -> Result<Guard> {
        Ok(Guard::none())
    }

    /// The nearer copy of what is truly elsewhere: it is swept too.
    fn near(&self) -> Option<&dyn Backing> {
        None
    }
}

/// What lies in a folder of a [`Backing`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its files, in the order of their keys.
    pub files: Vec<FileInfo>,
    /// Names of its folders, in order.
    pub folders: Vec<String>,
}

/// What is known of a file without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its key, from the store's root on.
    pub key: String,
    /// Its bytes.
    pub n_bytes: u64,
    /// How long ago it was written; nothing where that is not known, so that it is never swept.
    pub age: Duration,
}

impl FileInfo {
    /// The last part of its key.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }
}

/// What a set is locked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockPurpose {
    /// A commit; any number of them go on at once.
    Commit,
    /// A sweep, during which nothing is committed.
    Sweep,
}

/// A lock that is held until this is dropped, where there are locks.
pub struct Guard {
    _held: Option<Box<dyn Any + Send + Sync>>,
}

impl Guard {
    /// No lock.
    pub fn none() -> Self {
        Self { _held: None }
    }

    /// A lock that `held` lets go when it is dropped.
    pub fn holding(held: impl Any + Send + Sync) -> Self {
        Self { _held: Some(Box::new(held)) }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
