// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// A Python peer that answers one JSON line per request, so that contenders can take turns.
pub struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What a peer says of one repeat of one contender.
#[derive(Debug, Deserialize)]
pub struct Answer {
    pub system: String,
    pub version: String,
    /// Time for the whole request, in seconds.
    pub seconds: f64,
    /// What it computed, for comparison with ours.
    #[serde(default)]
    pub check: Vec<f64>,
}

impl Peer {
    /// Starts the script with every thread pool pinned to `threads`.
    pub fn start(python: &Path, script: &Path, threads: usize) -> Result<Self> {
        let mut command = Command::new(python);
        command.arg(script).arg("--threads").arg(threads.to_string());
        for pool in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(pool, threads.to_string());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {}", python.display()))?;
        let input = child.stdin.take().context("the peer has no input")?;
        let output = BufReader::new(child.stdout.take().context("the peer has no output")?);
        Ok(Self { child, input, output })
    }

    /// Asks for one repeat of every contender that the peer has for this request.
    pub fn ask(&mut self, request: &serde_json::Value) -> Result<Vec<Answer>> {
        writeln!(self.input, "{request}")?;
        self.input.flush()?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the peer stopped at {request}; its error is above");
        }
        serde_json::from_str(&line).with_context(|| format!("the peer answered {line}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
