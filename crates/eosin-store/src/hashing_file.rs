// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::File;
use std::io::{Error, Result, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Large enough for the digest's widest vector code and for few system calls.
const BUFFER: usize = 1 << 20;
/// Buffers on their way to the disk; more would only take memory.
const IN_FLIGHT: usize = 3;

/// A file that knows the digest of what was written to it.
///
/// What is longer than a buffer is digested, written and synced on a thread of its own, so that
/// encoding does not wait for the disk.
pub(crate) struct HashingFile {
    buffer: Vec<u8>,
    target: Target,
}

enum Target {
    /// Nothing has been written yet.
    Here(File),
    Worker(Worker),
    Ended,
}

struct Worker {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    end: Receiver<(String, u64)>,
    thread: JoinHandle<Result<()>>,
}

/// What a file holds, while its bytes may still be on their way to the disk.
#[derive(Debug)]
pub(crate) struct Written {
    /// BLAKE3 of all bytes, in hexadecimal digits.
    pub(crate) digest: String,
    pub(crate) bytes: u64,
    pub(crate) sync: Sync,
}

/// The making durable of a file.
#[derive(Debug)]
pub(crate) enum Sync {
    Done,
    Pending(JoinHandle<Result<()>>),
}

impl Sync {
    /// Waits until the bytes are on the disk.
    pub(crate) fn wait(&mut self) -> Result<()> {
        match std::mem::replace(self, Self::Done) {
            Self::Done => Ok(()),
            Self::Pending(thread) => join(thread),
        }
    }
}

impl HashingFile {
    pub(crate) fn new(file: File) -> Self {
        Self { buffer: Vec::with_capacity(BUFFER), target: Target::Here(file) }
    }

    /// Writes what is left; the file is whole, and durable once `sync` has been waited for.
    pub(crate) fn end(&mut self) -> Result<Written> {
        match std::mem::replace(&mut self.target, Target::Ended) {
            Target::Here(mut file) => {
                file.write_all(&self.buffer)?;
                file.sync_all()?;
                let digest = blake3::hash(&self.buffer).to_hex().to_string();
                Ok(Written { digest, bytes: self.buffer.len() as u64, sync: Sync::Done })
            }
            Target::Worker(worker) => {
                let sent = worker.full.send(std::mem::take(&mut self.buffer));
                drop(worker.full);
                // A worker that stopped early has its reason to tell.
                match (sent, worker.end.recv()) {
                    (Ok(()), Ok((digest, bytes))) => {
                        Ok(Written { digest, bytes, sync: Sync::Pending(worker.thread) })
                    }
                    _ => Err(join(worker.thread).err().unwrap_or_else(ended)),
                }
            }
            Target::Ended => Err(ended()),
        }
    }

    /// Hands the full buffer on.
    fn drain(&mut self) -> Result<()> {
        let worker = match std::mem::replace(&mut self.target, Target::Ended) {
            Target::Here(file) => Worker::start(file)?,
            Target::Worker(worker) => worker,
            Target::Ended => return Err(ended()),
        };
        let full = std::mem::take(&mut self.buffer);
        let next = worker.full.send(full).ok().and_then(|()| worker.empty.recv().ok());
        match next {
            Some(buffer) => {
                self.buffer = buffer;
                self.target = Target::Worker(worker);
                Ok(())
            }
            None => Err(join(worker.thread).err().unwrap_or_else(ended)),
        }
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.buffer.len() == BUFFER {
            self.drain()?;
        }
        let n = bytes.len().min(BUFFER - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> Result<()> {
        // The end of the file is what counts; flushing per page would make small writes.
        Ok(())
    }
}

impl Worker {
    fn start(file: File) -> Result<Self> {
        let (full, incoming) = sync_channel(IN_FLIGHT);
        let (outgoing, empty) = channel();
        for _ in 0..IN_FLIGHT {
            // The receiver is at hand, so this cannot fail.
            let _ = outgoing.send(Vec::with_capacity(BUFFER));
        }
        let (told, end) = channel();
        let thread = Builder::new()
            .name("shard writer".into())
            .spawn(move || work(file, &incoming, &outgoing, &told))?;
        Ok(Self { full, empty, end, thread })
    }
}

fn work(
    mut file: File,
    incoming: &Receiver<Vec<u8>>,
    outgoing: &Sender<Vec<u8>>,
    told: &Sender<(String, u64)>,
) -> Result<()> {
    let mut hasher = blake3::Hasher::new();
    let mut written = 0;
    for mut buffer in incoming {
        hasher.update(&buffer);
        file.write_all(&buffer)?;
        written += buffer.len() as u64;
        buffer.clear();
        // The other side may have ended, and then needs no buffer.
        let _ = outgoing.send(buffer);
    }
    let _ = told.send((hasher.finalize().to_hex().to_string(), written));
    file.sync_all()
}

fn join(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| Err(Error::other("the writing thread panicked")))
}

fn ended() -> Error {
    Error::other("the file was ended before")
}
