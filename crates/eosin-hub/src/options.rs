// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;
use std::time::Duration;

/// Where a hub is and how it is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct HubOptions {
    /// The hub's address, with its scheme; none where only the cache is to serve.
    pub endpoint: Option<String>,
    /// What gated models want to see; sent to the endpoint alone, never to where it redirects.
    pub token: Option<String>,
    /// Whether the token may be sent without encryption to another machine.
    pub insecure: bool,
    /// The folder of the cache.
    pub cache: PathBuf,
    /// Whether the cache is to serve alone.
    pub offline: bool,
    /// An HTTP proxy's address.
    pub proxy: Option<String>,
    /// How long nothing may arrive before an attempt is given up.
    pub patience: Duration,
    /// How often a broken transfer is taken up again.
    pub attempts: u32,
    /// How long to wait before the second attempt; each further one waits twice as long.
    pub pause: Duration,
}

/// A file of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Owner and name.
    pub repo: &'a str,
    /// A branch, tag or commit; where it is a commit, the file of another is refused.
    pub revision: &'a str,
    /// Path within the repository; without it the first of the usual names of weights.
    pub file: Option<&'a str>,
    /// SHA-256 that the file must have; of an index, that of its shards' digests in the order of
    /// their names, as they identify the weights elsewhere.
    pub sha256: Option<&'a str>,
}

impl HubOptions {
    /// A cache without a hub.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: None,
            token: None,
            insecure: false,
            cache: cache.into(),
            offline: false,
            proxy: None,
            patience: Duration::from_secs(30),
            attempts: 5,
            pause: Duration::from_secs(1),
        }
    }
}

impl std::fmt::Debug for HubOptions {
    /// Leaves the token out, so that no log holds it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubOptions")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl<'a> Wanted<'a> {
    /// The weights of a repository's main branch.
    pub fn new(repo: &'a str) -> Self {
        Self { repo, revision: "main", file: None, sha256: None }
    }
}
