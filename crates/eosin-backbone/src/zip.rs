// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

/// An entry's bytes by its name. Only stored entries are read: that is how PyTorch writes them.
pub fn stored_entries(file: &[u8]) -> Result<BTreeMap<&str, &[u8]>, String> {
    let (n_entries, mut at) = central_directory(file)?;
    let mut entries = BTreeMap::new();
    for _ in 0..n_entries {
        if u32_at(file, at)? != 0x0201_4B50 {
            return Err(format!("no zip directory entry at byte {at}"));
        }
        let method = u16_at(file, at + 10)?;
        let mut size = u64::from(u32_at(file, at + 24)?);
        let compressed = u64::from(u32_at(file, at + 20)?);
        let name_len = usize::from(u16_at(file, at + 28)?);
        let extra_len = usize::from(u16_at(file, at + 30)?);
        let comment_len = usize::from(u16_at(file, at + 32)?);
        let mut offset = u64::from(u32_at(file, at + 42)?);
        let name = slice(file, at + 46, name_len)?;
        let name = std::str::from_utf8(name).map_err(|_| "an entry's name is no UTF-8")?;
        let extra = slice(file, at + 46 + name_len, extra_len)?;
        wide_fields(extra, &mut size, compressed, &mut offset)?;
        if method != 0 {
            return Err(format!("entry {name} is compressed; PyTorch stores its entries"));
        }
        if entries.contains_key(name) {
            return Err(format!("two entries of the name {name}"));
        }
        // The local header repeats the name and has an extra field of its own length.
        let local = usize::try_from(offset).map_err(|_| "an offset is too large")?;
        let skip = usize::from(u16_at(file, local.saturating_add(26))?)
            + usize::from(u16_at(file, local.saturating_add(28))?);
        let size = usize::try_from(size).map_err(|_| "a size is too large")?;
        entries.insert(name, slice(file, local.saturating_add(30 + skip), size)?);
        at += 46 + name_len + extra_len + comment_len;
    }
    Ok(entries)
}

/// Number of entries and offset of the directory.
fn central_directory(file: &[u8]) -> Result<(u64, usize), String> {
    // The end record is 22 bytes and a comment of at most 65,535.
    let first = file.len().saturating_sub(22 + 65_535);
    let end = (first..file.len().saturating_sub(21))
        .rev()
        .find(|&at| file[at..].starts_with(b"PK\x05\x06"))
        .ok_or("no end of a zip directory: the file is truncated")?;
    let n_entries = u64::from(u16_at(file, end + 10)?);
    let offset = u64::from(u32_at(file, end + 16)?);
    // Large files carry a zip64 record, found through a locator right before the end record.
    let locator = end.wrapping_sub(20);
    let (n_entries, offset) = match u32_at(file, locator) {
        Ok(0x0706_4B50) => {
            let record = usize_at(file, locator + 8)?;
            if u32_at(file, record)? != 0x0606_4B50 {
                return Err("no zip64 directory where its locator points".into());
            }
            (u64_at(file, record.saturating_add(32))?, u64_at(file, record.saturating_add(48))?)
        }
        _ => (n_entries, offset),
    };
    // An entry takes 46 bytes at least, so more than this cannot be there.
    if n_entries > file.len() as u64 / 46 {
        return Err(format!("{n_entries} entries, more than the file has room for"));
    }
    Ok((n_entries, usize::try_from(offset).map_err(|_| "an offset is too large")?))
}

/// Takes 64-bit sizes and offsets from a zip64 extra field, where the 32-bit ones overflow.
fn wide_fields(
    extra: &[u8],
    size: &mut u64,
    compressed: u64,
    offset: &mut u64,
) -> Result<(), String> {
    let mut at = 0;
    while at + 4 <= extra.len() {
        let (id, len) = (u16_at(extra, at)?, usize::from(u16_at(extra, at + 2)?));
        if id == 1 {
            let mut field = at + 4;
            if *size == u64::from(u32::MAX) {
                *size = u64_at(extra, field)?;
                field += 8;
            }
            if compressed == u64::from(u32::MAX) {
                field += 8;
            }
            if *offset == u64::from(u32::MAX) {
                *offset = u64_at(extra, field)?;
            }
        }
        at += 4 + len;
    }
    Ok(())
}

fn slice(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], String> {
    at.checked_add(len)
        .and_then(|end| bytes.get(at..end))
        .ok_or_else(|| format!("{len} bytes at {at} lie beyond the end: the file is truncated"))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], String> {
    slice(bytes, at, N)?.try_into().map_err(|_| "a field is cut".to_string())
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, String> {
    array(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, String> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, String> {
    array(bytes, at).map(u64::from_le_bytes)
}

fn usize_at(bytes: &[u8], at: usize) -> Result<usize, String> {
    usize::try_from(u64_at(bytes, at)?).map_err(|_| "an offset is too large".into())
}
