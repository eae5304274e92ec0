// SPDX-License-Identifier: MIT OR Apache-2.0

//! A server with a hub's layout on a local port, with faults to inject into its answers.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};

/// The commit of every repository's main branch.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong with the next answer that sends a body.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The connection ends after so many bytes.
    CutAfter(usize),
    /// Half of the bytes, then nothing for longer than anybody waits.
    Stall,
    /// Ten pieces with pauses between them.
    Slow(Duration),
    /// An error status.
    Status(u16),
    /// No answer at all.
    HangUp,
    /// A byte is another.
    Damage,
    /// The whole file, whatever part was asked for.
    NoRange,
}

#[derive(Default)]
struct State {
    files: BTreeMap<(String, String), Vec<u8>>,
    faults: VecDeque<Fault>,
    token: Option<String>,
    storage: Option<String>,
    without_headers: bool,
    any_revision: bool,
    ranges: Vec<Option<usize>>,
    n_requests: usize,
    saw_token: bool,
}

pub struct Server {
    address: std::net::SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (state, stop) =
            (Arc::new(Mutex::new(State::default())), Arc::new(AtomicBool::new(false)));
        let (shared, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&shared);
                // A client that has hung up is no fault of the server's.
                std::thread::spawn(move || drop(serve(stream.unwrap(), &state)));
            }
        });
        Self { address, state, stop }
    }

    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn put(&self, repo: &str, file: &str, bytes: &[u8]) {
        self.state().files.insert((repo.into(), file.into()), bytes.to_vec());
    }

    pub fn inject(&self, fault: Fault) {
        self.state().faults.push_back(fault);
    }

    pub fn demand_token(&self, token: &str) {
        self.state().token = Some(format!("Bearer {token}"));
    }

    /// Redirects for bytes to another server, as a hub does for large files.
    pub fn store_at(&self, storage: &Self) {
        self.state().storage = Some(storage.address());
    }

    pub fn forget_headers(&self) {
        self.state().without_headers = true;
    }

    /// Serves the same files as every revision, as a hub that lies does.
    pub fn serve_any_revision(&self) {
        self.state().any_revision = true;
    }

    pub fn etag(&self, repo: &str, file: &str) -> String {
        etag(&self.state().files[&(repo.to_string(), file.to_string())])
    }

    /// Where each request for bytes began.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        self.state().ranges.clone()
    }

    pub fn n_gets(&self) -> usize {
        self.state().ranges.len()
    }

    pub fn n_requests(&self) -> usize {
        self.state().n_requests
    }

    pub fn saw_token(&self) -> bool {
        self.state().saw_token
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection, so that the port closes.
        drop(TcpStream::connect(self.address));
    }
}

fn etag(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Answers one request and closes the connection.
fn serve(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_string());
    }
    let mut words = request.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let mut state = state.lock().unwrap();
    state.n_requests += 1;
    state.saw_token |= headers.contains_key("authorization");
    let refuse = |stream: &mut TcpStream, status: &str, code: &str| {
        write!(
            stream,
            "HTTP/1.1 {status}\r\nX-Error-Code: {code}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    };
    if state.token.is_some() && state.token != headers.get("authorization").cloned() {
        return refuse(&mut stream, "401 Unauthorized", "GatedRepo");
    }
    let parts: Vec<&str> = path.trim_start_matches('/').splitn(5, '/').collect();
    let [owner, name, "resolve", revision, file] = parts[..] else {
        return refuse(&mut stream, "404 Not Found", "RepoNotFound");
    };
    let repo = format!("{owner}/{name}");
    if !state.files.keys().any(|(known, _)| *known == repo) {
        return refuse(&mut stream, "404 Not Found", "RepoNotFound");
    }
    if revision != "main" && revision != COMMIT && !state.any_revision {
        return refuse(&mut stream, "404 Not Found", "RevisionNotFound");
    }
    let Some(bytes) = state.files.get(&(repo, file.to_string())).cloned() else {
        return refuse(&mut stream, "404 Not Found", "EntryNotFound");
    };
    let told = format!(
        "X-Repo-Commit: {COMMIT}\r\nX-Linked-Etag: \"{}\"\r\nX-Linked-Size: {}\r\nConnection: close\r\n",
        etag(&bytes),
        bytes.len()
    );
    let told = if state.without_headers { "Connection: close\r\n".to_string() } else { told };
    if let Some(storage) = &state.storage {
        let location = format!("Location: {storage}{path}\r\nContent-Length: 0\r\n");
        return write!(stream, "HTTP/1.1 302 Found\r\n{told}{location}\r\n");
    }
    if method == "HEAD" {
        return write!(stream, "HTTP/1.1 200 OK\r\n{told}Content-Length: {}\r\n\r\n", bytes.len());
    }
    let range = headers.get("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-'));
    let range: Option<usize> = range.and_then(|from| from.parse().ok());
    state.ranges.push(range);
    let fault = state.faults.pop_front();
    drop(state);
    send(&mut stream, bytes, range, &told, fault)
}

fn send(
    stream: &mut TcpStream,
    mut bytes: Vec<u8>,
    range: Option<usize>,
    told: &str,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    match fault {
        Some(Fault::HangUp) => return Ok(()),
        Some(Fault::Status(status)) => {
            return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{told}\r\n");
        }
        Some(Fault::Damage) => bytes[100] ^= 1,
        _ => {}
    }
    let from = range.filter(|_| !matches!(fault, Some(Fault::NoRange)));
    let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
    let body = &bytes[from.unwrap_or(0)..];
    write!(stream, "HTTP/1.1 {status}\r\n{told}Content-Length: {}\r\n\r\n", body.len())?;
    match fault {
        Some(Fault::CutAfter(n)) => stream.write_all(&body[..n]),
        Some(Fault::Stall) => {
            stream.write_all(&body[..body.len() / 2])?;
            std::thread::sleep(Duration::from_secs(2));
            Ok(())
        }
        Some(Fault::Slow(pause)) => body.chunks(body.len() / 10).try_for_each(|piece| {
            std::thread::sleep(pause);
            stream.write_all(piece)
        }),
        _ => stream.write_all(body),
    }
}
