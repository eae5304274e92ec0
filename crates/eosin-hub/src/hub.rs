// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use eosin_core::{Error, Progress, Result};
use sha2::{Digest, Sha256};

use crate::cache::{Cache, RepoCache, create_parent};
use crate::http::{Client, Failure, Head};
use crate::names;
use crate::options::{HubOptions, Wanted};
use crate::transfer::{Transfer, digest, retried, unreachable_hub};
use crate::weights::{USUAL_NAMES, is_index, shards};

/// A model hub with its cache.
pub struct Hub {
    options: HubOptions,
    cache: Cache,
    /// None where the cache serves alone.
    client: Option<Client>,
}

/// A file that is in the cache now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// Its path within the repository.
    pub file: String,
    /// The commit that it is of.
    pub commit: String,
    /// SHA-256 of the file; of an index, that of its shards' digests in the order of their names.
    pub sha256: String,
    /// Bytes that came over the network now, shards included; 0 where the cache had them all.
    pub n_bytes: u64,
}

/// What came of asking the hub for a file.
enum Answer {
    Head(Head),
    /// The hub cannot be reached, for this reason.
    Silent(String),
}

impl Hub {
    /// A hub; without an endpoint this is an error unless it is offline.
    pub fn new(options: HubOptions) -> Result<Self> {
        let client = if options.offline { None } else { Some(Client::new(&options)?) };
        Ok(Self { cache: Cache::new(&options.cache), options, client })
    }

    /// Brings a file into the cache, with the shards that it names if it is an index.
    ///
    /// Without a name the usual names of weights are tried in turn. Where the hub is silent, a
    /// file of the cache serves.
    pub fn fetch(&self, wanted: &Wanted, progress: &dyn Progress) -> Result<Fetched> {
        let mut fetched = self.find(wanted, progress)?;
        if is_index(&fetched.file) {
            let mut digests = String::new();
            for shard in shards(&fetched.path)? {
                let file = match fetched.file.rsplit_once('/') {
                    Some((folder, _)) => format!("{folder}/{shard}"),
                    None => shard,
                };
                let wanted = Wanted { revision: &fetched.commit, sha256: None, ..*wanted };
                let shard = self.fetch_file(&wanted, &file, progress).map_err(of_failure)?;
                fetched.n_bytes += shard.n_bytes;
                digests.push_str(&shard.sha256);
            }
            // The index says where tensors are, the shards what they are: their digests are the
            // weights' identity, and the only one that a pin can hold.
            fetched.sha256 = format!("{:x}", Sha256::digest(digests));
            expect_digest(&fetched, wanted)?;
        }
        Ok(fetched)
    }

    fn find(&self, wanted: &Wanted, progress: &dyn Progress) -> Result<Fetched> {
        if let Some(file) = wanted.file {
            return self.fetch_file(wanted, file, progress).map_err(of_failure);
        }
        for file in USUAL_NAMES {
            match self.fetch_file(wanted, file, progress) {
                Err(Failure::NoFile(_)) => {}
                found => return found.map_err(of_failure),
            }
        }
        Err(Error::input(
            format!("weights in {}", wanted.repo),
            format!("one of {}", USUAL_NAMES.join(", ")),
            "none of them",
            "name the file as the hub shows it, in the card's `file`",
        ))
    }

    fn fetch_file(
        &self,
        wanted: &Wanted,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<Fetched, Failure> {
        names::check(wanted.repo, wanted.revision, file).map_err(Failure::Final)?;
        let repo = self.cache.repo(wanted.repo);
        match self.ask(wanted, file)? {
            Answer::Head(head) => self.bring(&repo, wanted, file, &head, progress),
            Answer::Silent(reason) => self.of_cache(wanted, file, &reason),
        }
    }

    fn ask(&self, wanted: &Wanted, file: &str) -> Result<Answer, Failure> {
        let Some(client) = &self.client else { return Ok(Answer::Silent("offline".into())) };
        match retried(&self.options, || client.head(wanted.repo, wanted.revision, file)) {
            Ok(head) => Ok(Answer::Head(head)),
            Err(Failure::Passing(reason)) => Ok(Answer::Silent(reason)),
            Err(other) => Err(other),
        }
    }

    /// Makes blob and link, fetching what is missing.
    fn bring(
        &self,
        repo: &RepoCache,
        wanted: &Wanted,
        file: &str,
        head: &Head,
        progress: &dyn Progress,
    ) -> Result<Fetched, Failure> {
        let Some(client) = &self.client else {
            return self.of_cache(wanted, file, "offline");
        };
        if names::is_commit(wanted.revision) && !head.commit.eq_ignore_ascii_case(wanted.revision) {
            return Err(Failure::Final(Error::data(
                format!("{}/{file} on the hub", wanted.repo),
                format!("commit {}", wanted.revision),
                format!("commit {}", head.commit),
                "the hub does not serve the commit that the card pins: check its address",
            )));
        }
        let (blob, incomplete) = (repo.blob(&head.etag), repo.incomplete(&head.etag));
        let mut n_bytes = 0;
        let _lock = repo.lock(&head.etag).map_err(Failure::Final)?;
        let sha256 = if blob.is_file() {
            check(&blob, wanted, file).map_err(Failure::Final)?
        } else {
            create_parent(&blob).map_err(Failure::Final)?;
            let transfer = Transfer {
                client,
                options: &self.options,
                repo: wanted.repo,
                file,
                head,
                incomplete: &incomplete,
                progress,
            };
            let before = std::fs::metadata(&incomplete).map_or(0, |m| m.len());
            n_bytes = transfer.run().map_err(Failure::Final)?.saturating_sub(before);
            let sha256 = transfer.check(own_digest(wanted, file)).map_err(Failure::Final)?;
            std::fs::rename(&incomplete, &blob)
                .map_err(|e| Failure::Final(Error::io("rename", &incomplete, e)))?;
            sha256
        };
        let path = repo.link(&head.etag, &head.commit, file).map_err(Failure::Final)?;
        repo.set_commit(wanted.revision, &head.commit).map_err(Failure::Final)?;
        Ok(Fetched { path, file: file.into(), commit: head.commit.clone(), sha256, n_bytes })
    }

    /// What an earlier run fetched, where the hub is silent.
    fn of_cache(&self, wanted: &Wanted, file: &str, reason: &str) -> Result<Fetched, Failure> {
        let found = self.cache.find(wanted.repo, wanted.revision, file);
        let commit = self.cache.repo(wanted.repo).commit(wanted.revision);
        if let (Some(path), Some(commit)) = (found, commit) {
            let sha256 = check(&path, wanted, file).map_err(Failure::Final)?;
            tracing::info!(reason, file, "the hub was not asked; the cache has the file");
            return Ok(Fetched { path, file: file.into(), commit, sha256, n_bytes: 0 });
        }
        let address = format!("{}/{file}", wanted.repo);
        let hint = if self.client.is_none() {
            "go online once, or fetch the file yourself and name it by --weights"
        } else {
            "check the network, the hub's address and the proxy, then run it again"
        };
        let error = unreachable_hub(&address, reason, hint);
        // Offline, another of the usual names may be in the cache.
        if self.client.is_none() && wanted.file.is_none() {
            return Err(Failure::NoFile(error));
        }
        Err(Failure::Final(error))
    }
}

/// The digest that this very file must have: a pinned index is told by its shards.
fn own_digest<'a>(wanted: &Wanted<'a>, file: &str) -> Option<&'a str> {
    wanted.sha256.filter(|_| !is_index(file))
}

/// A cached file's digest, compared with the card's.
fn check(path: &Path, wanted: &Wanted, file: &str) -> Result<String> {
    let found = digest(path)?;
    match own_digest(wanted, file) {
        Some(expected) if !found.eq_ignore_ascii_case(expected) => {
            Err(differs(path, wanted.repo, file, expected, found))
        }
        _ => Ok(found),
    }
}

/// Compares what was fetched, with its shards, with the card's digest.
fn expect_digest(fetched: &Fetched, wanted: &Wanted) -> Result<()> {
    match wanted.sha256 {
        Some(expected) if !fetched.sha256.eq_ignore_ascii_case(expected) => {
            let found = fetched.sha256.clone();
            Err(differs(&fetched.path, wanted.repo, &fetched.file, expected, found))
        }
        _ => Ok(()),
    }
}

fn differs(path: &Path, repo: &str, file: &str, expected: &str, found: String) -> Error {
    Error::data(
        format!("{repo}/{file} in the cache"),
        format!("SHA-256 {expected}"),
        found,
        format!("remove {} and fetch it again, or mend the card", path.display()),
    )
}

fn of_failure(failure: Failure) -> Error {
    match failure {
        Failure::NoFile(error) | Failure::Final(error) => error,
        Failure::Passing(found) => unreachable_hub("the hub", &found, "run it again"),
    }
}
