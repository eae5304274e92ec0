// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use eosin_core::{Error, Result, TileMeta};

use crate::dtype::Encoded;
use crate::shard_writer::{FinishedShard, ShardWriter};

/// Shards that may be on their way at once; more would only take memory.
const IN_FLIGHT: usize = 2;
/// Less than this is encoded at once, since a thread would cost more than it saves.
const SMALL: usize = 1 << 20;

/// Rows that become a row group.
pub(crate) struct Group {
    pub(crate) metas: Vec<TileMeta>,
    pub(crate) views: Vec<u16>,
    pub(crate) values: Encoded,
}

impl Group {
    /// A group for values of the same type as `values`.
    pub(crate) fn like(values: &Encoded) -> Self {
        Self { metas: Vec::new(), views: Vec::new(), values: values.emptied() }
    }

    fn write_to(&self, shard: &mut ShardWriter) -> Result<()> {
        shard.write_group(&self.metas, &self.views, &self.values)
    }
}

/// A shard that is encoded on a thread of its own, so that rows can be taken meanwhile.
///
/// Dropping it waits for the thread, which removes what it wrote.
struct OpenShard {
    rows: usize,
    groups: Option<SyncSender<Group>>,
    thread: Option<JoinHandle<Result<FinishedShard>>>,
}

impl OpenShard {
    fn start(mut shard: ShardWriter) -> Result<Self> {
        let (groups, incoming) = sync_channel::<Group>(1);
        let work = move || {
            for group in incoming {
                // An empty group ends the shard; without it, its rows are not wanted any more.
                if group.metas.is_empty() {
                    return shard.finish();
                }
                group.write_to(&mut shard)?;
            }
            Err(stopped("the writer was dropped"))
        };
        let thread = Builder::new()
            .name("shard encoder".into())
            .spawn(work)
            .map_err(|e| Error::io("start", "a thread that writes shards", e))?;
        Ok(Self { rows: 0, groups: Some(groups), thread: Some(thread) })
    }

    /// Hands a group over; an error of an earlier one is told here or at the end.
    fn write(&mut self, group: Group) -> Result<()> {
        self.rows += group.metas.len();
        let sent = self.groups.as_ref().is_some_and(|groups| groups.send(group).is_ok());
        if sent {
            return Ok(());
        }
        let told = self.thread.take().and_then(|thread| join(thread).err());
        Err(told.unwrap_or_else(|| stopped("its thread ended early")))
    }

    /// The thread, told that its shard is complete.
    fn end(mut self, empty: Group) -> Option<JoinHandle<Result<FinishedShard>>> {
        // A thread that stopped early has its reason to tell, which joining brings out.
        let _ = self.groups.take().map(|groups| groups.send(empty));
        self.thread.take()
    }
}

impl Drop for OpenShard {
    fn drop(&mut self) {
        self.groups = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The shards that a writer makes, in the order of their rows: finished, on their way, and open.
#[derive(Default)]
pub(crate) struct Pipeline {
    done: Vec<FinishedShard>,
    threads: VecDeque<JoinHandle<Result<FinishedShard>>>,
    open: Option<OpenShard>,
    /// Rows are missing, so nothing may be committed any more.
    failed: bool,
}

impl Pipeline {
    /// Rows of the open shard.
    pub(crate) fn rows(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.rows)
    }

    /// Adds a full group to the open shard.
    pub(crate) fn write(
        &mut self,
        group: Group,
        create: impl FnOnce() -> Result<ShardWriter>,
    ) -> Result<()> {
        let written = self.try_write(group, create);
        self.failed |= written.is_err();
        written
    }

    /// Ends the open shard with a last group, which may be empty.
    pub(crate) fn end(
        &mut self,
        group: Group,
        create: impl FnOnce() -> Result<ShardWriter>,
    ) -> Result<()> {
        let ended = self.try_end(group, create);
        self.failed |= ended.is_err();
        ended
    }

    /// All shards, when they are finished.
    pub(crate) fn take(&mut self) -> Result<Vec<FinishedShard>> {
        let waited = self.wait(0);
        self.failed |= waited.is_err();
        waited?;
        if self.failed {
            return Err(stopped("an earlier write to this set failed; start again"));
        }
        Ok(std::mem::take(&mut self.done))
    }

    fn try_write(
        &mut self,
        group: Group,
        create: impl FnOnce() -> Result<ShardWriter>,
    ) -> Result<()> {
        let open = match self.open.take() {
            Some(open) => open,
            None => OpenShard::start(create()?)?,
        };
        self.open.insert(open).write(group)
    }

    fn try_end(
        &mut self,
        group: Group,
        create: impl FnOnce() -> Result<ShardWriter>,
    ) -> Result<()> {
        let empty = Group::like(&group.values);
        if self.open.is_none() && group.values.as_bytes().len() < SMALL {
            if !group.metas.is_empty() {
                self.wait(0)?;
                let mut shard = create()?;
                group.write_to(&mut shard)?;
                self.done.push(shard.finish()?);
            }
            return Ok(());
        }
        if !group.metas.is_empty() {
            self.try_write(group, create)?;
        }
        self.threads.extend(self.open.take().and_then(|open| open.end(empty)));
        self.wait(IN_FLIGHT)
    }

    /// Waits until at most `n` shards are on their way.
    fn wait(&mut self, n: usize) -> Result<()> {
        while self.threads.len() > n {
            if let Some(thread) = self.threads.pop_front() {
                self.done.push(join(thread)?);
            }
        }
        Ok(())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // What is not committed is removed when its thread hands it over.
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

fn join(thread: JoinHandle<Result<FinishedShard>>) -> Result<FinishedShard> {
    thread.join().unwrap_or_else(|_| Err(stopped("its thread panicked")))
}

fn stopped(why: &'static str) -> Error {
    Error::io("write", "a shard", std::io::Error::other(why))
}
