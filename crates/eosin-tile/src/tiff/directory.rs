// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use eosin_core::{Error, Result};

use super::{FileBytes, tag};
use crate::budget::HeaderBudget;

/// How offsets are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// 32-bit offsets.
    Classic,
    /// 64-bit offsets.
    Big,
    /// Hamamatsu's: classic entries, then the upper 32 bits of every value in a list of their own.
    Ndpi,
}

/// An open TIFF file and the directories of its main chain.
#[derive(Debug)]
pub(crate) struct Tiff {
    name: PathBuf,
    bytes: FileBytes,
    little: bool,
    layout: Layout,
    directories: Vec<Directory>,
    budget: HeaderBudget,
}

/// One image file directory: where each tag's values lie.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    entries: BTreeMap<u16, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: u16,
    count: u64,
    /// Where the values begin; inside the entry itself if they fit.
    at: u64,
    /// For NDPI: the upper half of a single inline value.
    high: u32,
}

/// Directories in a chain and entries in a directory beyond which a file is taken for damaged.
const MAX_DIRECTORIES: usize = 4096;
const MAX_ENTRIES: u64 = 512;

/// Memory that an entry takes in its directory, with a copy of it.
const ENTRY_BYTES: u64 = 96;

/// Whether these first bytes are a TIFF's.
pub(crate) fn is_tiff(head: &[u8]) -> bool {
    matches!(head.get(..4), Some([b'I', b'I', 42 | 43, 0] | [b'M', b'M', 0, 42 | 43]))
}

impl Tiff {
    /// Maps a file and reads its directories.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::parse(path, FileBytes::map(path)?)
    }

    /// Reads directories from bytes; `name` is for messages.
    pub(crate) fn parse(name: &Path, bytes: FileBytes) -> Result<Self> {
        if !is_tiff(&bytes) {
            return Err(Error::data(
                name,
                "a TIFF header",
                "other bytes",
                "check that the file is a slide and that its copy is complete",
            ));
        }
        let little = bytes[0] == b'I';
        let version = if little { bytes[2] } else { bytes[3] };
        let layout = if version == 43 { Layout::Big } else { Layout::Classic };
        let budget = HeaderBudget::of(bytes.len() as u64);
        let name = name.to_path_buf();
        let mut tiff = Self { name, bytes, little, layout, directories: Vec::new(), budget };
        tiff.detect_ndpi();
        let first = match tiff.layout {
            Layout::Classic => tiff.uint(4, 4),
            Layout::Ndpi => tiff.uint(4, 8),
            Layout::Big => tiff.uint(8, 8),
        };
        tiff.directories = tiff.chain(first.unwrap_or(0))?;
        if tiff.directories.is_empty() {
            return Err(tiff.fault("at least one image directory", "none"));
        }
        Ok(tiff)
    }

    /// The directories of the main chain.
    pub(crate) fn directories(&self) -> &[Directory] {
        &self.directories
    }

    /// The directories that a directory's SubIFDs tag names.
    pub(crate) fn sub_directories(&self, directory: &Directory) -> Result<Vec<Directory>> {
        let offsets = self.uints(directory, tag::SUB_IFDS)?;
        if offsets.len() > MAX_DIRECTORIES {
            return Err(self.fault(
                format!("at most {MAX_DIRECTORIES} sub-directories"),
                offsets.len().to_string(),
            ));
        }
        offsets.into_iter().map(|at| self.directory(at).map(|(directory, _)| directory)).collect()
    }

    /// Begins the budget for headers anew, for work that is asked for after the slide was opened.
    pub(crate) fn renew_budget(&self) {
        self.budget.renew();
    }

    /// Whether numbers begin with their lowest byte.
    pub(crate) fn is_little(&self) -> bool {
        self.little
    }

    /// The file, for messages.
    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `len` bytes from `at`, if the file has them.
    pub(crate) fn slice(&self, at: u64, len: u64) -> Option<&[u8]> {
        let end = at.checked_add(len)?;
        self.bytes.get(usize::try_from(at).ok()?..usize::try_from(end).ok()?)
    }

    /// An error about this file.
    pub(crate) fn fault(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::data(
            &self.name,
            expected,
            found,
            "copy the slide again, or open it in its vendor's viewer to see whether it is damaged",
        )
    }

    /// All values of an integer tag; none if the tag is absent.
    pub(crate) fn uints(&self, directory: &Directory, tag: u16) -> Result<Vec<u64>> {
        let Some(entry) = directory.entries.get(&tag) else { return Ok(Vec::new()) };
        let size = match entry.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 13 => 4,
            16..=18 => 8,
            other => {
                return Err(self.fault(format!("integers in tag {tag}"), format!("type {other}")));
            }
        };
        let values = self.values(entry, tag, size)?;
        self.spend(entry.count.saturating_mul(8))?;
        let mut out: Vec<u64> =
            values.chunks_exact(size as usize).map(|v| self.number(v)).collect();
        if entry.high != 0
            && let [value] = out.as_mut_slice()
        {
            *value |= u64::from(entry.high) << 32;
        }
        Ok(out)
    }

    /// The first value of an integer tag.
    pub(crate) fn first_uint(&self, directory: &Directory, tag: u16) -> Result<Option<u64>> {
        Ok(self.uints(directory, tag)?.first().copied())
    }

    /// All values of a tag as real numbers; none if the tag is absent.
    pub(crate) fn reals(&self, directory: &Directory, tag: u16) -> Result<Vec<f64>> {
        let Some(entry) = directory.entries.get(&tag) else { return Ok(Vec::new()) };
        let size = match entry.kind {
            5 | 12 => 8,
            11 => 4,
            _ => return Ok(self.uints(directory, tag)?.into_iter().map(|v| v as f64).collect()),
        };
        let values = self.values(entry, tag, size)?;
        self.spend(entry.count.saturating_mul(8))?;
        let value = |v: &[u8]| match entry.kind {
            5 => self.number(&v[..4]) as f64 / self.number(&v[4..]) as f64,
            11 => f64::from(f32::from_bits(self.number(v) as u32)),
            _ => f64::from_bits(self.number(v)),
        };
        Ok(values.chunks_exact(size as usize).map(value).collect())
    }

    /// The first value of a tag as a real number.
    pub(crate) fn real(&self, directory: &Directory, tag: u16) -> Result<Option<f64>> {
        Ok(self.reals(directory, tag)?.first().copied().filter(|v| v.is_finite()))
    }

    /// A text tag without its closing zero; undecodable bytes are replaced.
    pub(crate) fn text(&self, directory: &Directory, tag: u16) -> Result<Option<String>> {
        let Some(entry) = directory.entries.get(&tag) else { return Ok(None) };
        if !matches!(entry.kind, 1 | 2 | 7) {
            return Ok(None);
        }
        let bytes = self.values(entry, tag, 1)?;
        self.spend(entry.count)?;
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        Ok(Some(String::from_utf8_lossy(&bytes[..end]).trim().to_string()))
    }

    /// The bytes of a tag of undefined or byte type; empty if it is absent.
    pub(crate) fn raw(&self, directory: &Directory, tag: u16) -> Result<&[u8]> {
        match directory.entries.get(&tag) {
            Some(entry) => {
                self.spend(entry.count)?;
                self.values(entry, tag, 1)
            }
            None => Ok(&[]),
        }
    }

    /// The ICC profile of the first image.
    pub(crate) fn icc_profile(&self) -> Option<&[u8]> {
        let profile = self.raw(self.directories().first()?, tag::ICC_PROFILE).ok()?;
        (!profile.is_empty()).then_some(profile)
    }

    fn values(&self, entry: &Entry, tag: u16, size: u64) -> Result<&[u8]> {
        entry.count.checked_mul(size).and_then(|len| self.slice(entry.at, len)).ok_or_else(|| {
            self.fault(
                format!("{} values of tag {tag} at byte {}", entry.count, entry.at),
                format!("a file of {} bytes", self.bytes.len()),
            )
        })
    }

    fn spend(&self, bytes: u64) -> Result<()> {
        self.budget.spend(bytes).map_err(|found| {
            self.fault(format!("headers that fit a file of {} bytes", self.bytes.len()), found)
        })
    }

    fn number(&self, bytes: &[u8]) -> u64 {
        let fold = |acc: u64, &b: &u8| acc << 8 | u64::from(b);
        if self.little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) }
    }

    fn uint(&self, at: u64, size: u64) -> Option<u64> {
        self.slice(at, size).map(|bytes| self.number(bytes))
    }

    /// A classic header may be NDPI's: its first directory then has Hamamatsu's tag. Above 4 GB the
    /// classic offset is only the lower half, so the 8-byte reading is tried as well.
    fn detect_ndpi(&mut self) {
        if self.layout != Layout::Classic {
            return;
        }
        for (layout, size) in [(Layout::Classic, 4), (Layout::Ndpi, 8)] {
            self.layout = layout;
            let first = self.uint(4, size).unwrap_or(0);
            if let Ok((directory, _)) = self.directory(first)
                && directory.has(tag::NDPI_FORMAT)
            {
                self.layout = Layout::Ndpi;
                return;
            }
        }
        self.layout = Layout::Classic;
    }

    fn chain(&self, first: u64) -> Result<Vec<Directory>> {
        let mut directories = Vec::new();
        let mut seen = HashSet::new();
        let mut at = first;
        while at != 0 {
            if !seen.insert(at) || directories.len() == MAX_DIRECTORIES {
                return Err(
                    self.fault("a chain of image directories that ends", "one that does not")
                );
            }
            let (directory, next) = self.directory(at)?;
            directories.push(directory);
            at = next;
        }
        Ok(directories)
    }

    /// The directory at `at` and where the next one is.
    fn directory(&self, at: u64) -> Result<(Directory, u64)> {
        let past_end = || {
            self.fault(
                format!("an image directory at byte {at}"),
                format!("a file of {} bytes", self.bytes.len()),
            )
        };
        let (count_size, entry_size, next_size) = match self.layout {
            Layout::Classic => (2, 12, 4),
            Layout::Ndpi => (2, 12, 8),
            Layout::Big => (8, 20, 8),
        };
        let n_entries = self.uint(at, count_size).ok_or_else(past_end)?;
        if n_entries == 0 || n_entries > MAX_ENTRIES {
            return Err(self.fault(
                format!("1 to {MAX_ENTRIES} tags in the directory at byte {at}"),
                n_entries.to_string(),
            ));
        }
        self.spend(n_entries * ENTRY_BYTES)?;
        let start = at + count_size;
        let list = self.slice(start, n_entries * entry_size).ok_or_else(past_end)?;
        let after = start + n_entries * entry_size;
        let next = self.uint(after, next_size).ok_or_else(past_end)?;
        let mut entries = BTreeMap::new();
        for (i, raw) in list.chunks_exact(entry_size as usize).enumerate() {
            let value_size = if self.layout == Layout::Big { 8 } else { 4 };
            let kind = self.number(&raw[2..4]) as u16;
            let count = self.number(&raw[4..4 + value_size]);
            let Some(size) = kind_size(kind) else { continue };
            let high = match self.layout {
                Layout::Ndpi => self.uint(after + 8 + 4 * i as u64, 4).unwrap_or(0) as u32,
                _ => 0,
            };
            let inline = count.checked_mul(size).is_some_and(|len| len <= value_size as u64);
            let at = if inline {
                start + i as u64 * entry_size + 4 + value_size as u64
            } else {
                self.number(&raw[4 + value_size..]) | u64::from(high) << 32
            };
            let high = if inline { high } else { 0 };
            entries.insert(self.number(&raw[..2]) as u16, Entry { kind, count, at, high });
        }
        Ok((Directory { entries }, next))
    }
}

impl Directory {
    /// Whether the tag is there.
    pub(crate) fn has(&self, tag: u16) -> bool {
        self.entries.contains_key(&tag)
    }
}

fn kind_size(kind: u16) -> Option<u64> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16..=18 => Some(8),
        _ => None,
    }
}
