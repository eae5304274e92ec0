// SPDX-License-Identifier: MIT OR Apache-2.0

//! As much of protocol buffers as an ONNX file needs: fields of a message, one after the other.

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer.
    Varint(u64),
    /// A text, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Four or eight bytes, of which nothing here has a use.
    Fixed,
}

/// The fields of a message by number, in their order; a damaged message ends in an error.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u64, Value<'_>), String>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        (at < message.len()).then(|| {
            let field = next(message, &mut at);
            if field.is_err() {
                at = message.len();
            }
            field
        })
    })
}

fn next<'a>(message: &'a [u8], at: &mut usize) -> Result<(u64, Value<'a>), String> {
    let key = varint(message, at)?;
    let value = match key & 7 {
        0 => Value::Varint(varint(message, at)?),
        1 => {
            take(message, at, 8)?;
            Value::Fixed
        }
        2 => {
            let length = varint(message, at)?;
            let length = usize::try_from(length).map_err(|_| "a length beyond the file")?;
            Value::Bytes(take(message, at, length)?)
        }
        5 => {
            take(message, at, 4)?;
            Value::Fixed
        }
        other => return Err(format!("a field of wire type {other}, which ONNX does not have")),
    };
    Ok((key >> 3, value))
}

/// Reads an integer of up to ten bytes, seven bits each.
pub fn varint(message: &[u8], at: &mut usize) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *message.get(*at).ok_or("an integer that is cut")?;
        *at += 1;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("an integer of more than 64 bits".into())
}

/// Appends an integer.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field that holds bytes.
pub fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a field that holds an integer.
pub fn put_integer(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3);
    put_varint(out, value);
}

fn take<'a>(message: &'a [u8], at: &mut usize, length: usize) -> Result<&'a [u8], String> {
    let end = at.checked_add(length).ok_or("a length beyond the file")?;
    let bytes = message.get(*at..end).ok_or("a field that ends after the file")?;
    *at = end;
    Ok(bytes)
}
