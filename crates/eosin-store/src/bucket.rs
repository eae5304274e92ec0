// SPDX-License-Identifier: MIT OR Apache-2.0

//! Buckets through the `object_store` crate.

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eosin_core::{Error, Result};
use futures_util::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, WriteMultipart};
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;

use crate::objects::{ObjectInfo, Objects};

/// Bytes of one part of an upload; S3 takes parts of 5 MiB and more.
const PART: usize = 8 << 20;

/// A bucket of any service that the `object_store` crate knows: local folders, S3 and what speaks
/// its protocol.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    name: String,
    /// Calls wait for their answer, so that callers need no asynchronous code.
    runtime: Runtime,
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
        Ok(Self { store, name, runtime })
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
        let path = format!("{}/{key}", self.name.trim_end_matches('/'));
        Error::io(action, path, error.into())
    }
}

impl Objects for Bucket {
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

    fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let path = Key::from(key);
        let sent = self.runtime.block_on(async {
            let mut input = tokio::fs::File::open(file).await.map_err(|e| (Some(e), None))?;
            let upload = self.store.put_multipart(&path).await.map_err(|e| (None, Some(e)))?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
            let mut part = vec![0; PART];
            loop {
                let n = input.read(&mut part).await.map_err(|e| (Some(e), None))?;
                if n == 0 {
                    break;
                }
                upload.wait_for_capacity(2).await.map_err(|e| (None, Some(e)))?;
                upload.write(&part[..n]);
            }
            upload.finish().await.map(|_| ()).map_err(|e| (None, Some(e)))
        });
        sent.map_err(|e: (Option<std::io::Error>, Option<object_store::Error>)| match e {
            (Some(e), _) => Error::io("read", file, e),
            (None, Some(e)) => self.failed("write", key, e),
            (None, None) => Error::io("write", key, std::io::Error::other("no reason given")),
        })
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

    fn download(&self, key: &str, out: &mut dyn Write) -> Result<bool> {
        let path = Key::from(key);
        let mut pieces = match self.runtime.block_on(self.store.get(&path)) {
            Ok(found) => found.into_stream(),
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(e) => return Err(self.failed("read", key, e)),
        };
        while let Some(piece) = self.wait("read", key, pieces.try_next())? {
            out.write_all(&piece).map_err(|e| Error::io("write", "the mirror", e))?;
        }
        Ok(true)
    }

    fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        // Listing goes by whole parts of keys; what was asked for is cut out of that.
        let folder = prefix.rsplit_once('/').map(|(folder, _)| Key::from(folder));
        let found = self.store.list(folder.as_ref()).try_collect::<Vec<_>>();
        let now = std::time::SystemTime::now();
        let mut objects: Vec<ObjectInfo> = self
            .wait("list", prefix, found)?
            .into_iter()
            .map(|o| {
                let written = std::time::SystemTime::from(o.last_modified);
                let age = now.duration_since(written).unwrap_or(Duration::ZERO);
                ObjectInfo { key: o.location.to_string(), bytes: o.size, age }
            })
            .filter(|o| o.key.starts_with(prefix))
            .collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    fn remove(&self, key: &str) -> Result<()> {
        let path = Key::from(key);
        match self.runtime.block_on(self.store.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed("remove", key, e)),
        }
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
