// SPDX-License-Identifier: MIT OR Apache-2.0

//! XML, tag by tag; the file is never held.

use std::io::{BufReader, Read};

type Result<T, E = eosin_core::Error> = std::result::Result<T, E>;
use quick_xml::Reader;
use quick_xml::errors::SyntaxError;
use quick_xml::events::{BytesStart, Event};

use crate::read::{Found, Syntax, TokenGuard};

/// Tags of a file, one after the other.
pub(super) struct Tags<'r> {
    reader: Reader<BufReader<TokenGuard<&'r mut dyn Read>>>,
    buffer: Vec<u8>,
    depth: usize,
}

/// A tag that begins or ends.
#[derive(Debug)]
pub(super) enum Tag {
    Begin(Begin),
    End(String),
}

/// A tag that begins, with what it says.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

/// Tags within tags: the formats need six.
const MAX_DEPTH: usize = 64;

impl<'r> Tags<'r> {
    pub(super) fn new(file: &'r mut dyn Read, found: &Found) -> Self {
        let guard = TokenGuard::new(file, Syntax::Xml, found.limits().bytes);
        let mut reader = Reader::from_reader(BufReader::new(guard));
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), depth: 0 }
    }

    /// The next tag; `None` at the end of a whole file.
    pub(super) fn next(&mut self, found: &Found) -> Result<Option<Tag>> {
        loop {
            self.buffer.clear();
            match self.reader.read_event_into(&mut self.buffer) {
                Ok(Event::Start(tag)) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        let expected = format!("tags at most {MAX_DEPTH} deep");
                        return Err(found.fault(expected, "deeper ones"));
                    }
                    let begin = begin(&tag).map_err(|e| fault(found, &self.reader, &e))?;
                    return Ok(Some(Tag::Begin(begin)));
                }
                Ok(Event::End(tag)) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Some(Tag::End(local(tag.name().as_ref()))));
                }
                Ok(Event::Eof) if self.depth > 0 => {
                    return Err(found.ends_early(&format!("{} tags deep", self.depth)));
                }
                Ok(Event::Eof) => return Ok(None),
                // Texts between tags, comments and declarations say nothing of shapes.
                Ok(_) => {}
                Err(quick_xml::Error::Io(error)) => {
                    let error = std::io::Error::new(error.kind(), error.to_string());
                    return Err(found.io_fault(error));
                }
                Err(quick_xml::Error::Syntax(error)) if is_early_end(error) => {
                    return Err(found.ends_early("inside a tag"));
                }
                Err(error) => return Err(fault(found, &self.reader, &error)),
            }
        }
    }
}

impl Begin {
    /// What an attribute says, where it is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let named = self.attributes.iter().find(|(own, _)| own == name);
        named.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The number of an attribute that must be there.
    pub(super) fn number(&self, name: &str, found: &Found) -> Result<f64> {
        let text = self.text(name).ok_or_else(|| {
            found.fault(format!("<{} {name}=\"…\">", self.name), format!("no {name}"))
        })?;
        // A program in a language that writes a comma writes it here too.
        text.parse().or_else(|_| text.replacen(',', ".", 1).parse()).map_err(|_| {
            let shown: String = text.chars().take(40).collect();
            found.fault(format!("a number as {name} of <{}>", self.name), format!("{shown:?}"))
        })
    }

    /// The point whose coordinates are X and Y.
    pub(super) fn point(&self, found: &Found) -> Result<[f64; 2]> {
        found.point([self.number("X", found)?, self.number("Y", found)?])
    }
}

fn begin(tag: &BytesStart) -> Result<Begin, quick_xml::Error> {
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute?;
        let value = attribute.unescape_value()?.into_owned();
        attributes.push((local(attribute.key.as_ref()), value));
    }
    Ok(Begin { name: local(tag.name().as_ref()), attributes })
}

/// A name as text, damaged or not.
fn local(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// All faults of syntax but one are markup that is not closed before the end.
fn is_early_end(error: SyntaxError) -> bool {
    error != SyntaxError::InvalidBangMarkup
}

fn fault<R>(found: &Found, reader: &Reader<R>, error: &quick_xml::Error) -> eosin_core::Error {
    found.fault("XML", format!("{error}, near byte {}", reader.error_position()))
}
