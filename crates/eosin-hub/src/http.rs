// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests of a hub: what is asked, and what its answers mean.

use eosin_core::{Error, Result};
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

use crate::address::{Origin, check_token};
use crate::names;
use crate::options::HubOptions;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 10;

/// A connection to one hub.
pub struct Client {
    agent: Agent,
    endpoint: String,
    origin: Origin,
    token: Option<String>,
}

/// What a hub tells of a file before it sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub commit: String,
    pub etag: String,
    pub size: Option<u64>,
}

/// Why a request failed.
pub enum Failure {
    /// The file is not in the repository, though the repository is there.
    NoFile(Error),
    /// Asking again may help.
    Passing(String),
    /// Asking again will not.
    Final(Error),
}

impl Client {
    pub fn new(options: &HubOptions) -> Result<Self> {
        let Some(endpoint) = &options.endpoint else {
            return Err(Error::input(
                "model hub",
                "its address",
                "none",
                "give it by --hub URL or HF_ENDPOINT: the address before the model's name in your \
                 browser; or fetch the file yourself and name it by --weights",
            ));
        };
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(Error::input(
                "model hub",
                "an address that starts with https://",
                endpoint.as_str(),
                "write the whole address",
            ));
        }
        let origin = Origin::of(endpoint)?;
        if options.token.is_some() && !options.insecure {
            check_token(&origin, options.proxy.as_deref())?;
        }
        let proxy = options.proxy.as_deref().map(Proxy::new).transpose().map_err(|e| {
            Error::input(
                "proxy",
                "an address such as http://proxy:3128",
                e.to_string(),
                "mend HTTPS_PROXY",
            )
        })?;
        let certificates = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here, since a token must not go to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .tls_config(certificates)
            .user_agent(concat!("eosin/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(options.patience))
            .timeout_connect(Some(options.patience))
            .timeout_recv_response(Some(options.patience))
            .timeout_per_read(Some(options.patience))
            .build()
            .new_agent();
        let endpoint = endpoint.trim_end_matches('/').to_string();
        Ok(Self { agent, endpoint, origin, token: options.token.clone() })
    }

    /// The address of a file.
    pub fn address(&self, repo: &str, revision: &str, file: &str) -> String {
        // A slash in a revision is part of its name.
        let revision = names::escaped(revision).replace('/', "%2F");
        format!("{}/{repo}/resolve/{revision}/{}", self.endpoint, names::escaped(file))
    }

    /// Asks for commit, etag and size.
    pub fn head(&self, repo: &str, revision: &str, file: &str) -> Result<Head, Failure> {
        let mut address = self.address(repo, revision, file);
        for _ in 0..MAX_REDIRECTS {
            let mut request = self.agent.head(&address);
            if let Some(token) = self.token_for(&address) {
                request = request.header("authorization", token);
            }
            let response = request.call().map_err(|e| failure(&address, e))?;
            let (status, headers) = (response.status(), response.headers());
            // A repository that moved redirects within the hub; one to another host is where the
            // bytes are, and only the hub's own answer has the headers.
            let told = headers.contains_key("x-linked-etag") || headers.contains_key("etag");
            if status.is_redirection()
                && !(told && headers.contains_key("x-repo-commit"))
                && let Some(location) = text(headers, "location")
            {
                address = joined(&address, location).map_err(Failure::Final)?;
                continue;
            }
            if !status.is_success() && !status.is_redirection() {
                return Err(refusal(repo, revision, file, status, headers));
            }
            return told_by(headers).ok_or_else(|| Failure::Final(no_hub(&address)));
        }
        Err(Failure::Final(too_many_redirects(&address)))
    }

    /// Asks for the bytes from `from` on.
    pub fn get(
        &self,
        repo: &str,
        revision: &str,
        file: &str,
        from: u64,
    ) -> Result<Response<Body>, Failure> {
        let mut address = self.address(repo, revision, file);
        for _ in 0..MAX_REDIRECTS {
            let mut request = self.agent.get(&address);
            if let Some(token) = self.token_for(&address) {
                request = request.header("authorization", token);
            }
            if from > 0 {
                request = request.header("range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(|e| failure(&address, e))?;
            let status = response.status();
            if status.is_redirection()
                && let Some(location) = text(response.headers(), "location")
            {
                address = joined(&address, location).map_err(Failure::Final)?;
                continue;
            }
            if !status.is_success() && status != StatusCode::RANGE_NOT_SATISFIABLE {
                return Err(refusal(repo, revision, file, status, response.headers()));
            }
            return Ok(response);
        }
        Err(Failure::Final(too_many_redirects(&address)))
    }

    /// The authorization for an address: none beyond the hub itself, so that no redirect takes it
    /// to another host, to another port or away from encryption.
    fn token_for(&self, address: &str) -> Option<String> {
        let is_hub = address.strip_prefix(&self.endpoint).is_some_and(|rest| rest.starts_with('/'))
            && Origin::of(address).is_ok_and(|origin| origin == self.origin);
        self.token.as_ref().filter(|_| is_hub).map(|token| format!("Bearer {token}"))
    }
}

/// The headers that a hub sends with every file.
fn told_by(headers: &HeaderMap) -> Option<Head> {
    let etag = text(headers, "x-linked-etag").or_else(|| text(headers, "etag"))?;
    let etag = etag.trim_start_matches("W/").trim_matches('"').to_string();
    let commit = text(headers, "x-repo-commit")?.to_string();
    let size = text(headers, "x-linked-size").or_else(|| text(headers, "content-length"));
    let size = size.and_then(|size| size.parse().ok());
    (names::is_plain(&etag) && names::is_plain(&commit)).then_some(Head { commit, etag, size })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The address that a redirect names.
fn joined(address: &str, location: &str) -> Result<String> {
    if location.starts_with("https://") || location.starts_with("http://") {
        return Ok(location.to_string());
    }
    let after_scheme = address.find("://").map_or(0, |at| at + 3);
    let host_end = address[after_scheme..].find('/').map_or(address.len(), |at| after_scheme + at);
    if location.starts_with('/') && !location.starts_with("//") {
        return Ok(format!("{}{location}", &address[..host_end]));
    }
    Err(Error::data(address, "a redirect to an address", location, "check the hub's address"))
}

/// What an answer that is no file means.
fn refusal(
    repo: &str,
    revision: &str,
    file: &str,
    status: StatusCode,
    headers: &HeaderMap,
) -> Failure {
    let code = text(headers, "x-error-code").unwrap_or_default();
    let told = text(headers, "x-error-message").unwrap_or_default();
    let found = format!("{} {code} {told}", status.as_u16());
    let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
    let input = |subject: String, expected: &str, hint: &str| {
        Error::input(subject, expected, found.clone(), hint)
    };
    match (status.as_u16(), code) {
        (_, "GatedRepo") | (403, _) => Failure::Final(input(
            format!("access to {repo}"),
            "a token of someone who was granted access",
            "ask for access on the model's page, then give your token by HF_TOKEN",
        )),
        // A hub does not tell a private repository from none.
        (401, _) | (404, "RepoNotFound") => Failure::Final(input(
            format!("access to {repo}"),
            "a public repository, or a token that may read it",
            "check its name; if it is private or gated, give your token by HF_TOKEN",
        )),
        (404, "RevisionNotFound") => Failure::Final(input(
            format!("revision {revision} of {repo}"),
            "a branch, tag or commit that it has",
            "leave `revision` out for the main branch",
        )),
        (404 | 410, _) => Failure::NoFile(input(
            format!("{file} in {repo}"),
            "a file that it has",
            "name the file as the hub shows it, in the card's `file`",
        )),
        (408 | 429 | 500.., _) => Failure::Passing(found),
        _ => Failure::Final(input(
            format!("{file} in {repo}"),
            "an answer with the file",
            "check the hub's address",
        )),
    }
}

fn failure(address: &str, error: ureq::Error) -> Failure {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::Final(Error::input(
            "model hub",
            "an address",
            address,
            "write the whole address, such as it stands in your browser",
        )),
        other => Failure::Passing(other.to_string()),
    }
}

fn no_hub(address: &str) -> Error {
    Error::data(
        address,
        "the headers ETag and X-Repo-Commit of a model hub",
        "an answer without them",
        "check the hub's address",
    )
}

fn too_many_redirects(address: &str) -> Error {
    Error::data(
        address,
        format!("at most {MAX_REDIRECTS} redirects"),
        "more",
        "check the hub's address",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_the_hub_alone() {
        let mut options = HubOptions::new("cache");
        options.endpoint = Some("https://hub.example/".into());
        options.token = Some("secret".into());
        let client = Client::new(&options).ok().unwrap();
        let address = client.address("a/b", "refs/pr/1", "sub/f 1");
        assert_eq!(address, "https://hub.example/a/b/resolve/refs%2Fpr%2F1/sub/f%201");
        assert_eq!(client.token_for(&address).unwrap(), "Bearer secret");
        assert!(client.token_for("https://hub.example.evil/a").is_none());
        assert!(client.token_for("https://cdn.example/a").is_none());
        assert!(client.token_for("http://hub.example/a").is_none());
        assert!(client.token_for("https://hub.example:8443/a").is_none());
        assert!(!format!("{options:?}").contains("secret"));
    }

    #[test]
    fn redirects_are_joined() {
        let at = "https://hub.example/a/b";
        assert_eq!(joined(at, "/c/d").unwrap(), "https://hub.example/c/d");
        assert_eq!(joined(at, "https://cdn.example/x").unwrap(), "https://cdn.example/x");
        assert!(joined(at, "//evil.example/x").is_err());
        assert!(joined(at, "ftp://x").is_err());
    }
}
