// SPDX-License-Identifier: MIT OR Apache-2.0

use std::io::{self, Read};

/// Refuses a text, number or tag that is longer than any, and a file that is larger: parsers hold
/// one of these in memory whole, however long it is.
pub(crate) struct TokenGuard<R> {
    inner: R,
    syntax: Syntax,
    in_text: bool,
    is_escaped: bool,
    length: usize,
    bytes_left: u64,
}

/// What the text between marks is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Json,
    Xml,
}

/// Bytes of a text, number or tag.
const MAX_TOKEN: usize = 1 << 20;

impl<R: Read> TokenGuard<R> {
    pub(crate) fn new(inner: R, syntax: Syntax, max_bytes: u64) -> Self {
        let (in_text, is_escaped) = (false, false);
        Self { inner, syntax, in_text, is_escaped, length: 0, bytes_left: max_bytes }
    }

    /// Whether a token ends at this byte.
    fn ends_token(&mut self, byte: u8) -> bool {
        if self.syntax == Syntax::Xml {
            return matches!(byte, b'<' | b'>');
        }
        if self.is_escaped {
            self.is_escaped = false;
            return false;
        }
        match byte {
            b'"' => {
                self.in_text = !self.in_text;
                true
            }
            b'\\' if self.in_text => {
                self.is_escaped = true;
                false
            }
            _ => !self.in_text && matches!(byte, b',' | b':' | b'[' | b']' | b'{' | b'}'),
        }
    }
}

impl<R: Read> Read for TokenGuard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let refused = |found: String| Err(io::Error::new(io::ErrorKind::InvalidData, found));
        self.bytes_left = match self.bytes_left.checked_sub(n as u64) {
            Some(left) => left,
            None => return refused("more bytes than any file of annotations has".into()),
        };
        for &byte in buffer.get(..n).unwrap_or_default() {
            self.length = if self.ends_token(byte) { 0 } else { self.length + 1 };
            if self.length > MAX_TOKEN {
                return refused(format!("a text, number or tag of more than {MAX_TOKEN} bytes"));
            }
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], syntax: Syntax, max_bytes: u64) -> io::Result<usize> {
        TokenGuard::new(text, syntax, max_bytes).read_to_end(&mut Vec::new())
    }

    #[test]
    fn long_tokens_and_files_are_refused() {
        let long = "a".repeat(MAX_TOKEN);
        let most = u64::MAX;
        assert!(read(format!("[\"{long}\",\"{long}\"]").as_bytes(), Syntax::Json, most).is_ok());
        for text in [format!("[\"{long}a\"]"), format!("[\"\\\"{long}\"]"), format!("[1{long}]")] {
            assert!(read(text.as_bytes(), Syntax::Json, most).is_err());
        }
        assert!(read(format!("<a b=\"{long}\"/>").as_bytes(), Syntax::Xml, most).is_err());
        assert!(read(format!("<a>{long}</a>").as_bytes(), Syntax::Xml, most).is_ok());
        assert!(read(b"[1,2]", Syntax::Json, 5).is_ok());
        assert!(read(b"[1,2]", Syntax::Json, 4).is_err());
    }
}
