// SPDX-License-Identifier: MIT OR Apache-2.0

//! All that the command prints goes through here.
//!
//! The standard library's `println!` panics where nobody reads any more, as in
//! `eosin store ls | head -1`. The macros of the same names below stand before it in this crate, so
//! that no print can pass by them; a reader that is gone ends the command quietly.

use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Result, Write, stderr, stdout};
use std::process::ExitCode;

use eosin::crates::core::Error as Refused;

/// What shells say of a program that a broken pipe has ended: 128 and the number of SIGPIPE.
const BROKEN_PIPE: u8 = 141;

/// As the standard library's, with [`to_stdout`] behind it.
macro_rules! print {
    ($($part:tt)*) => { $crate::output::to_stdout(format_args!($($part)*)) };
}

/// As the standard library's, with [`to_stdout`] behind it.
macro_rules! println {
    ($($part:tt)*) => {
        $crate::output::to_stdout(format_args!("{}\n", format_args!($($part)*)))
    };
}

/// As the standard library's, with [`to_stderr`] behind it.
macro_rules! eprintln {
    ($($part:tt)*) => {
        $crate::output::to_stderr(format_args!("{}\n", format_args!($($part)*)))
    };
}

/// Writes to standard output at once, and ends the process where that is not possible: quietly
/// where the reader is gone, with an error for anything else, such as a full disk.
pub fn to_stdout(text: Arguments) {
    let mut out = stdout().lock();
    let written = out.write_fmt(text).and_then(|()| out.flush());
    drop(out);
    if let Err(error) = written {
        end(error);
    }
}

/// Writes to standard error; where the reader is gone the process ends quietly. Any other fault
/// has no place left to be told.
pub fn to_stderr(text: Arguments) {
    let _ = Stderr.write_fmt(text);
}

/// Prints what the parser of arguments has to say, help or a fault, and gives its exit code.
pub fn of_arguments(said: &clap::Error) -> ExitCode {
    if let Err(error) = said.print().and_then(|()| stdout().flush()) {
        end(error);
    }
    u8::try_from(said.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Standard error, for whoever writes to it on their own, such as the log.
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        quietly(stderr().write(bytes))
    }

    fn flush(&mut self) -> Result<()> {
        quietly(stderr().flush())
    }
}

fn quietly<T>(written: Result<T>) -> Result<T> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => end(error),
        other => other,
    }
}

fn end(error: Error) -> ! {
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(i32::from(BROKEN_PIPE));
    }
    let refused = Refused::io("write", "standard output", error);
    crate::exit::report(&refused.into());
    std::process::exit(i32::from(crate::exit::ENVIRONMENT));
}
