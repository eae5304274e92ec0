// SPDX-License-Identifier: MIT OR Apache-2.0

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use eosin_core::{Error, Matrix, Result};
use flate2::read::DeflateDecoder;

use super::matrix::{check_unpacked, open_regular};
use super::npy::{damaged, read_array, tiles_of};
use super::{Imported, imported_contract};

/// The end record's size without its comment, which may be as long as 16 bits count.
const END_BYTES: u64 = 22;
const MAX_TAIL: u64 = END_BYTES + u16::MAX as u64;
/// A directory of more members is no archive of arrays.
const MAX_MEMBERS: usize = 10_000;

/// One file of the archive, as its directory describes it.
struct Member {
    name: String,
    deflated: bool,
    packed: u64,
    bytes: u64,
    header_at: u64,
}

/// Imports one array of an `.npz` archive, plain or compressed, as rows of `backbone`.
///
/// `array` names it; without a name, the archive must hold exactly one that is called
/// `embeddings`, `features` or `feats`, or only one array. Tiles are told as for
/// [`super::import_npy`].
pub fn import_npz(path: &Path, backbone: &str, array: Option<&str>) -> Result<Imported> {
    let (file, _) = open_regular(path)?;
    let mut input = BufReader::new(file);
    let members = read_directory(path, &mut input)?;
    let member = choose(&members, array)?;
    let embeddings = read_member(path, &mut input, member)?;
    let part = (members.len() > 1).then_some(member.name.as_str());
    let (metas, views) = tiles_of(path, part, embeddings.n_rows())?;
    let contract = imported_contract("npz", backbone, embeddings.n_cols() as u32);
    Ok(Imported { contract, metas, views, embeddings })
}

fn choose<'a>(members: &'a [Member], wanted: Option<&str>) -> Result<&'a Member> {
    let usual = ["embeddings", "features", "feats"];
    let mut fitting: Vec<&Member> = members
        .iter()
        .filter(|m| wanted.map_or(usual.contains(&m.name.as_str()), |w| m.name == w))
        .collect();
    if fitting.is_empty() && wanted.is_none() {
        fitting = members.iter().collect();
    }
    if let [one] = fitting[..] {
        return Ok(one);
    }
    let names: Vec<&str> = members.iter().map(|m| m.name.as_str()).collect();
    Err(Error::input(
        "array of the archive",
        format!("one of {}", names.join(", ")),
        wanted.unwrap_or("none"),
        "name the array to import",
    ))
}

fn read_member(path: &Path, input: &mut BufReader<File>, member: &Member) -> Result<Matrix> {
    // Sizes in the local header may be missing; its own length is all that is taken from it.
    let mut header = [0; 30];
    seek_read(path, input, member.header_at, &mut header)?;
    if header[..4] != *b"PK\x03\x04" {
        return Err(damaged(path, "a member of a zip archive", "another beginning"));
    }
    let skip = i64::from(u16_at(&header, 26)) + i64::from(u16_at(&header, 28));
    input.seek_relative(skip).map_err(|e| Error::io("read", path, e))?;
    let mut packed = input.take(member.packed);
    if member.deflated {
        check_unpacked(path, member.packed, member.bytes)?;
        // The decoder's own end is not trusted: no more than was announced is taken from it.
        read_array(path, &mut DeflateDecoder::new(packed).take(member.bytes), member.bytes)
    } else {
        read_array(path, &mut packed, member.bytes)
    }
}

/// The arrays that the archive's central directory names, without their `.npy`.
fn read_directory(path: &Path, input: &mut BufReader<File>) -> Result<Vec<Member>> {
    let wrong = |found: &str| damaged(path, "an .npz archive", found);
    let file_bytes = input.seek(SeekFrom::End(0)).map_err(|e| Error::io("read", path, e))?;
    let tail_at = file_bytes.saturating_sub(MAX_TAIL);
    let mut tail = vec![0; (file_bytes - tail_at) as usize];
    seek_read(path, input, tail_at, &mut tail)?;
    let end = tail
        .windows(END_BYTES as usize)
        .rposition(|w| w.starts_with(b"PK\x05\x06"))
        .ok_or_else(|| wrong("no directory at its end"))?;
    let end = &tail[end..];
    let n_members = usize::from(u16_at(end, 10));
    let (length, at) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
    if n_members > MAX_MEMBERS || at.checked_add(length).is_none_or(|e| e > file_bytes) {
        return Err(wrong("a directory outside the file; archives above 4 GiB are not read"));
    }
    let mut directory = vec![0; length as usize];
    seek_read(path, input, at, &mut directory)?;
    let mut rest = directory.as_slice();
    let mut members = Vec::new();
    for _ in 0..n_members {
        let entry = rest.get(..46).filter(|e| e.starts_with(b"PK\x01\x02"));
        let entry = entry.ok_or_else(|| wrong("a damaged directory"))?;
        let lengths = [28, 30, 32].map(|i| usize::from(u16_at(entry, i)));
        let whole = 46 + lengths.iter().sum::<usize>();
        let name = rest.get(46..46 + lengths[0]).ok_or_else(|| wrong("a damaged directory"))?;
        let name = String::from_utf8_lossy(name);
        let (packed, bytes) = (u64::from(u32_at(entry, 20)), u64::from(u32_at(entry, 24)));
        let method = u16_at(entry, 10);
        if packed > file_bytes || ![0, 8].contains(&method) {
            return Err(wrong("a member that is encrypted, above 4 GiB or packed otherwise"));
        }
        if method == 0 && packed != bytes {
            return Err(wrong("a stored member of two sizes"));
        }
        if let Some(name) = name.strip_suffix(".npy") {
            members.push(Member {
                name: name.to_string(),
                deflated: method == 8,
                packed,
                bytes,
                header_at: u64::from(u32_at(entry, 42)),
            });
        }
        rest = rest.get(whole..).ok_or_else(|| wrong("a damaged directory"))?;
    }
    Ok(members)
}

fn seek_read(path: &Path, input: &mut BufReader<File>, at: u64, bytes: &mut [u8]) -> Result<()> {
    input
        .seek(SeekFrom::Start(at))
        .and_then(|_| input.read_exact(bytes))
        .map_err(|e| damaged(path, "an .npz archive", &e.to_string()))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
