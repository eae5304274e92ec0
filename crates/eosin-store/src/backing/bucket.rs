// SPDX-License-Identifier: MIT OR Apache-2.0

//! Buckets through the `object_store` crate.

use std::fmt;
use std::future::Future;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use eosin_core::{Error, Result};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, WriteMultipart};
use tokio::runtime::Runtime;

use super::{Backing, Draft, FileInfo, Listing, ReadAt};

/// Bytes of one part of an upload; S3 takes parts of 5 MiB and more.
const PART: usize = 8 << 20;

/// A bucket of any service that the `object_store` crate knows: local folders, S3 and what speaks
/// its protocol.
///
/// By itself it keeps a shard that is written in memory and asks for every part that is read; with
/// [`MirrorBacking`](crate::MirrorBacking) before it both go through a folder.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    name: String,
    /// Calls wait for their answer, so that callers need no asynchronous code.
    runtime: Arc<Runtime>,
}

/// An object of which parts are asked for.
struct ObjectAt {
    store: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    key: Key,
    n_bytes: u64,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Bucket {
    /// A bucket that was opened elsewhere; `name` stands in messages.
    pub fn new(store: Arc<dyn ObjectStore>, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|e| Error::io("open", &name, e))?;
        Ok(Self { store, name, runtime: Arc::new(runtime) })
    }

    /// The bucket of `s3://bucket/prefix`, with settings in the names that the AWS tools use for
    /// their environment variables, such as `AWS_ACCESS_KEY_ID`, `AWS_REGION` or `AWS_ENDPOINT`.
    #[cfg(feature = "s3")]
    pub fn s3(url: &str, settings: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
        use object_store::prefix::PrefixStore;
        let wrong = |found: String| {
            Error::input(
                "bucket",
                "s3://bucket or s3://bucket/prefix, with credentials",
                found,
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
            )
        };
        let rest = url.strip_prefix("s3://").ok_or_else(|| wrong(url.to_string()))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            // Commits need "put if absent", which S3 answers since 2024.
            .with_conditional_put(S3ConditionalPut::ETagMatch);
        for (key, value) in settings {
            if let Ok(key) = key.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.build().map_err(|e| wrong(e.to_string()))?;
        let prefix = prefix.trim_matches('/');
        if prefix.is_empty() {
            Self::new(Arc::new(store), url)
        } else {
            Self::new(Arc::new(PrefixStore::new(store, prefix)), url)
        }
    }

    fn wait<T>(
        &self,
        action: &'static str,
        key: &str,
        answer: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T> {
        self.runtime.block_on(answer).map_err(|e| self.failed(action, key, e))
    }

    fn failed(&self, action: &'static str, key: &str, error: object_store::Error) -> Error {
        Error::io(action, self.place(key), error.into())
    }
}

impl Backing for Bucket {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn list(&self, folder: &str) -> Result<Listing> {
        let prefix = (!folder.is_empty()).then(|| Key::from(folder));
        let found = self.store.list_with_delimiter(prefix.as_ref());
        let found = self.wait("list", folder, found)?;
        let now = SystemTime::now();
        let mut files: Vec<FileInfo> = found
            .objects
            .into_iter()
            .map(|object| {
                let age = now.duration_since(SystemTime::from(object.last_modified));
                FileInfo {
                    key: object.location.to_string(),
                    n_bytes: object.size,
                    age: age.unwrap_or(Duration::ZERO),
                }
            })
            .collect();
        files.sort_by(|a, b| a.key.cmp(&b.key));
        let names = found.common_prefixes.iter().filter_map(Key::filename);
        let mut folders: Vec<String> = names.map(ToString::to_string).collect();
        folders.sort_unstable();
        Ok(Listing { files, folders })
    }

    fn read(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let path = Key::from(key);
        let bytes = self.runtime.block_on(async { self.store.get(&path).await?.bytes().await });
        match bytes {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", key, e)),
        }
    }

    fn open(&self, key: &str) -> Result<Option<Arc<dyn ReadAt>>> {
        let path = Key::from(key);
        match self.runtime.block_on(self.store.head(&path)) {
            Ok(found) => Ok(Some(Arc::new(ObjectAt {
                store: self.store.clone(),
                runtime: self.runtime.clone(),
                key: path,
                n_bytes: found.size,
            }))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", key, e)),
        }
    }

    fn create(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let path = Key::from(key);
        let put = self.store.put_opts(&path, bytes.to_vec().into(), options);
        match self.runtime.block_on(put) {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(false),
            Err(e) => Err(self.failed("commit", key, e)),
        }
    }

    /// Puts it over what has the key, which has the same bytes, and is young by that.
    fn publish(&self, key: &str, mut draft: Draft) -> Result<()> {
        let path = Key::from(key);
        let reading = |e| Error::io("read", self.place(key), e);
        let mut input = draft.reader().map_err(reading)?;
        let upload = self.wait("write", key, self.store.put_multipart(&path))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut part = vec![0; PART];
        loop {
            let n = input.read(&mut part).map_err(reading)?;
            if n == 0 {
                break;
            }
            self.wait("write", key, upload.wait_for_capacity(2))?;
            // Parts are sent by tasks of the runtime.
            let _entered = self.runtime.enter();
            upload.write(&part[..n]);
        }
        self.wait("write", key, upload.finish()).map(|_| ())
    }

    fn remove(&self, key: &str) -> Result<bool> {
        let path = Key::from(key);
        match self.runtime.block_on(self.store.delete(&path)) {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(self.failed("remove", key, e)),
        }
    }
}

impl fmt::Debug for ObjectAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectAt").field("key", &self.key).finish_non_exhaustive()
    }
}

impl ReadAt for ObjectAt {
    fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        let ends = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let end = offset.checked_add(bytes.len() as u64).filter(|&end| end <= self.n_bytes);
        let range = offset..end.ok_or_else(ends)?;
        if range.is_empty() {
            return Ok(());
        }
        let found = self.runtime.block_on(self.store.get_range(&self.key, range))?;
        if found.len() != bytes.len() {
            return Err(ends());
        }
        bytes.copy_from_slice(&found);
        Ok(())
    }
}
