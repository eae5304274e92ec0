// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use eosin_core::{Error, Progress, Result};
use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use crate::cache::open_regular;
use crate::http::{Client, Failure, Head};
use crate::options::HubOptions;

/// The largest file that is fetched: above every published backbone, below a full disk by mistake.
const MAX_BYTES: u64 = 64 << 30;
/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// A file on the hub and where its bytes gather.
pub struct Transfer<'a> {
    pub client: &'a Client,
    pub options: &'a HubOptions,
    pub repo: &'a str,
    pub file: &'a str,
    pub head: &'a Head,
    pub incomplete: &'a Path,
    pub progress: &'a dyn Progress,
}

impl Transfer<'_> {
    /// Fetches until every byte is there, taking up broken attempts where they ended.
    pub fn run(&self) -> Result<u64> {
        if let Some(size) = self.head.size.filter(|&size| size > MAX_BYTES) {
            return Err(self.damaged(format!("at most {MAX_BYTES} bytes"), format!("{size}")));
        }
        let name = format!("fetch {}/{}", self.repo, self.file);
        self.progress.start(&name, self.head.size.unwrap_or(0));
        self.progress.advance(present(self.incomplete));
        let result = retried(self.options, || self.attempt());
        self.progress.finish();
        match result {
            Ok(n_bytes) => Ok(n_bytes),
            Err(Failure::NoFile(error) | Failure::Final(error)) => Err(error),
            Err(Failure::Passing(found)) => Err(self.broken(&found)),
        }
    }

    /// One request; what arrived stays for the next.
    fn attempt(&self) -> Result<u64, Failure> {
        let mut from = present(self.incomplete);
        if self.head.size == Some(from) && from > 0 {
            return Ok(from);
        }
        if self.head.size.is_some_and(|size| from > size) {
            // More than the file has: of another file, or damaged.
            self.discard()?;
            from = 0;
        }
        let response = self.client.get(self.repo, &self.head.commit, self.file, from)?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            self.discard()?;
            return Err(Failure::Passing("the hub does not have the bytes asked for".into()));
        }
        // A server that knows no ranges sends everything again.
        let append = from > 0 && response.status() == StatusCode::PARTIAL_CONTENT;
        let mut file = self.open(append)?;
        let mut reader = response.into_body().into_reader();
        let mut n_bytes = if append { from } else { 0 };
        let limit = self.head.size.unwrap_or(MAX_BYTES);
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = reader.read(&mut chunk).map_err(|e| Failure::Passing(e.to_string()))?;
            if n == 0 {
                break;
            }
            n_bytes += n as u64;
            if n_bytes > limit {
                self.discard()?;
                return Err(Failure::Final(
                    self.damaged(format!("{limit} bytes"), "more".to_string()),
                ));
            }
            file.write_all(&chunk[..n])
                .map_err(|e| Failure::Final(Error::io("write", self.incomplete, e)))?;
            self.progress.advance(n as u64);
        }
        file.sync_all().map_err(|e| Failure::Final(Error::io("write", self.incomplete, e)))?;
        match self.head.size {
            Some(size) if n_bytes < size => {
                Err(Failure::Passing(format!("{n_bytes} of {size} bytes")))
            }
            _ => Ok(n_bytes),
        }
    }

    /// Compares with the digest that is expected; what differs is thrown away.
    pub fn check(&self, sha256: Option<&str>) -> Result<String> {
        let found = digest(self.incomplete)?;
        // The etag of a large file is its digest.
        let is_digest =
            |etag: &&str| etag.len() == 64 && etag.bytes().all(|b| b.is_ascii_hexdigit());
        let etag = Some(self.head.etag.as_str()).filter(is_digest);
        for expected in [etag, sha256].into_iter().flatten() {
            if !expected.eq_ignore_ascii_case(&found) {
                let _ = std::fs::remove_file(self.incomplete);
                return Err(self.damaged(format!("SHA-256 {expected}"), found));
            }
        }
        Ok(found)
    }

    fn open(&self, append: bool) -> Result<File, Failure> {
        let mut options = OpenOptions::new();
        options.create(true).append(append).write(true).truncate(!append);
        let opened = options.open(self.incomplete);
        opened.map_err(|e| Failure::Final(Error::io("write", self.incomplete, e)))
    }

    fn discard(&self) -> Result<(), Failure> {
        std::fs::remove_file(self.incomplete)
            .map_err(|e| Failure::Final(Error::io("remove", self.incomplete, e)))
    }

    fn damaged(&self, expected: String, found: String) -> Error {
        Error::data(
            format!("{}/{}", self.repo, self.file),
            expected,
            found,
            "run it again; if it stays so, the hub's file is not the one that the card describes",
        )
    }

    fn broken(&self, found: &str) -> Error {
        let got = present(self.incomplete);
        unreachable_hub(
            &self.client.address(self.repo, &self.head.commit, self.file),
            found,
            &format!("run it again: it continues after the {got} bytes that are there"),
        )
    }
}

/// Tries until it succeeds, fails for good, or failed too often.
pub fn retried<T>(
    options: &HubOptions,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut pause = options.pause;
    let mut left = options.attempts.max(1);
    loop {
        left -= 1;
        match attempt() {
            Err(Failure::Passing(found)) if left > 0 => {
                tracing::info!(found, "the hub is asked again");
                std::thread::sleep(pause);
                pause = pause.saturating_mul(2);
            }
            result => return result,
        }
    }
}

/// The hub did not answer, or not to the end.
pub fn unreachable_hub(address: &str, found: &str, hint: &str) -> Error {
    Error::Environment {
        action: "fetch",
        path: address.into(),
        source: std::io::Error::other(found.to_string()),
        hint: hint.into(),
    }
}

/// Bytes of a file that are there.
fn present(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

/// SHA-256 of a file in hexadecimal.
pub fn digest(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut file = open_regular(path)?;
    std::io::copy(&mut file, &mut hasher).map_err(|e| Error::io("read", path, e))?;
    Ok(format!("{:x}", hasher.finalize()))
}
