// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;

/// The values that a pickle builds, each once: lists and dictionaries hold places of others.
///
/// What a pickle names twice is one value here as in Python, so that a dictionary that is filled
/// after it was used is filled for every user, and a shared value costs nothing. Values may hold
/// themselves; who walks through them bounds depth and steps.
#[derive(Debug)]
pub struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Place,
    /// Bytes that the pickle takes.
    pub length: usize,
}

/// Where a value is in its pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u32);

/// A value that a pickle builds. Classes are names without meaning, calls are kept as data:
/// nothing in a pickle is ever run.
#[derive(Debug, PartialEq)]
pub enum Value<'a> {
    /// A byte string or anything else that weights have no use for.
    Other,
    /// Python's `None`.
    Nothing,
    /// A truth value.
    Bool(bool),
    /// An integer; larger ones than 64 bits are [`Value::Other`].
    Int(i64),
    /// A text.
    Text(&'a str),
    /// A tuple or list.
    List(Vec<Place>),
    /// A dictionary in its order, where a later entry replaces an earlier one of its key; keys that
    /// are no text are dropped.
    Dict(Vec<(&'a str, Place)>),
    /// Module and name of a class or function.
    Global(&'a str, &'a str),
    /// A class or function with the list of arguments that Python would call it with.
    Call(Place, Place),
    /// What stands outside of the pickle, such as a storage.
    Persistent(Place),
}

/// The most values, items of lists, marks and memo entries: checkpoints have some thousands.
const MAX_VALUES: usize = 4_000_000;

/// Reads one pickle from the start of `bytes`.
pub fn read_pickle(bytes: &[u8]) -> Result<Pickle<'_>, String> {
    let mut reader = Reader { bytes, ..Reader::default() };
    reader.run()?;
    let root = reader.pop()?;
    Ok(Pickle { values: reader.values, root, length: reader.at })
}

impl<'a> Pickle<'a> {
    /// The value that the pickle is for.
    pub fn root(&self) -> Place {
        self.root
    }

    /// The value at a place.
    pub fn get(&self, place: Place) -> &Value<'a> {
        // Places are made by this module alone, for values that are there.
        self.values.get(place.0 as usize).unwrap_or(&Value::Other)
    }

    /// Every value once, in the order in which they were made.
    pub fn values(&self) -> impl Iterator<Item = &Value<'a>> {
        self.values.iter()
    }

    /// The items of a list or tuple; none of anything else.
    pub fn items(&self, place: Place) -> Option<&[Place]> {
        if let Value::List(items) = self.get(place) { Some(items) } else { None }
    }

    /// Whether a value is the class or function of this full name.
    pub fn is_global(&self, place: Place, full_name: &str) -> bool {
        let Value::Global(module, name) = self.get(place) else { return false };
        is_named(module, name, full_name)
    }
}

fn is_named(module: &str, name: &str, full_name: &str) -> bool {
    let rest = full_name.strip_prefix(module).and_then(|rest| rest.strip_prefix('.'));
    rest == Some(name)
}

#[derive(Default)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Place>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Place>,
    /// Items of all lists and entries of all dictionaries.
    n_held: usize,
}

impl<'a> Reader<'a> {
    fn run(&mut self) -> Result<(), String> {
        loop {
            let most = self.values.len().max(self.stack.len()).max(self.marks.len());
            if most.max(self.memo.len()).max(self.n_held) > MAX_VALUES {
                return Err(format!("a pickle of more than {MAX_VALUES} values"));
            }
            let op = self.u8()?;
            match op {
                b'.' => return Ok(()),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' | 0x90 => drop(self.pop_mark()?),
                b'2' => {
                    let top = self.top()?;
                    self.stack.push(top);
                }
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'N' => self.push(Value::Nothing),
                0x8F => self.push(Value::Other),
                0x88 => self.push(Value::Bool(true)),
                0x89 => self.push(Value::Bool(false)),
                b'J' | b'K' | b'M' | 0x8A | 0x8B => self.integer(op)?,
                b'G' => {
                    self.take(8)?;
                    self.push(Value::Other);
                }
                b'X' | 0x8C | 0x8D => self.text(op)?,
                b'B' | b'C' | 0x8E | b'U' | b'T' => self.byte_string(op)?,
                b'q' | b'r' | 0x94 | b'h' | b'j' => self.memoise(op)?,
                b')' | b']' => self.push(Value::List(Vec::new())),
                b'}' => self.push(Value::Dict(Vec::new())),
                b't' | b'l' => {
                    let items = self.pop_mark()?;
                    self.push_list(items);
                }
                0x85..=0x87 => {
                    let n = usize::from(op - 0x84);
                    let from = self.stack.len().checked_sub(n).ok_or("an empty stack")?;
                    let items = self.split_off(from);
                    self.push_list(items);
                }
                b'd' => {
                    let items = self.pop_mark()?;
                    self.push(Value::Dict(Vec::new()));
                    self.set_items(&items)?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(&[item])?;
                }
                b'e' => {
                    let items = self.pop_mark()?;
                    self.append(&items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(&[key, value])?;
                }
                b'u' => {
                    let items = self.pop_mark()?;
                    self.set_items(&items)?;
                }
                b'c' | 0x93 | b'R' | 0x81 | 0x92 | b'b' | b'Q' => self.object(op)?,
                other => {
                    return Err(format!(
                        "pickle operation {other:#04x}, which weights do not need"
                    ));
                }
            }
        }
    }

    fn integer(&mut self, op: u8) -> Result<(), String> {
        let value = match op {
            b'J' => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            b'K' => Value::Int(i64::from(self.u8()?)),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            _ => {
                let n = if op == 0x8A { usize::from(self.u8()?) } else { self.len32()? };
                let digits = self.take(n)?;
                if n > 8 {
                    Value::Other
                } else {
                    let negative = digits.last().is_some_and(|b| b & 0x80 != 0);
                    let mut wide = [if negative { 0xFF } else { 0 }; 8];
                    wide[..n].copy_from_slice(digits);
                    Value::Int(i64::from_le_bytes(wide))
                }
            }
        };
        self.push(value);
        Ok(())
    }

    fn text(&mut self, op: u8) -> Result<(), String> {
        let n = match op {
            b'X' => self.len32()?,
            0x8C => usize::from(self.u8()?),
            _ => self.len64()?,
        };
        let text = std::str::from_utf8(self.take(n)?).map_err(|_| "a text that is no UTF-8")?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn byte_string(&mut self, op: u8) -> Result<(), String> {
        let n = match op {
            b'C' | b'U' => usize::from(self.u8()?),
            b'B' | b'T' => self.len32()?,
            _ => self.len64()?,
        };
        let bytes = self.take(n)?;
        // Python 2 wrote its texts as byte strings.
        let value = std::str::from_utf8(bytes).map_or(Value::Other, Value::Text);
        self.push(value);
        Ok(())
    }

    fn memoise(&mut self, op: u8) -> Result<(), String> {
        let key = match op {
            b'q' | b'h' => u32::from(self.u8()?),
            0x94 => self.memo.len() as u32,
            _ => u32::from_le_bytes(self.array()?),
        };
        if matches!(op, b'h' | b'j') {
            let value = self.memo.get(&key).ok_or("a memo entry that was never made")?;
            self.stack.push(*value);
        } else {
            let value = self.top()?;
            self.memo.insert(key, value);
        }
        Ok(())
    }

    fn object(&mut self, op: u8) -> Result<(), String> {
        if op == b'c' {
            let (module, name) = (self.line()?, self.line()?);
            self.push(Value::Global(module, name));
            return Ok(());
        }
        if op == 0x92 {
            self.pop()?;
        }
        let argument = self.pop()?;
        if op == b'Q' {
            self.push(Value::Persistent(argument));
            return Ok(());
        }
        let callee = self.pop()?;
        if op == b'b' {
            // The state of an object that was saved whole changes nothing here: tensors that are
            // read lie in dictionaries.
            self.stack.push(callee);
            return Ok(());
        }
        let value = match (op, self.value(callee), self.value(argument)) {
            (0x93, Value::Text(module), Value::Text(name)) => Value::Global(module, name),
            // The one call with a meaning here: an ordered dictionary is a dictionary.
            (_, Value::Global(module, name), Value::List(arguments))
                if is_named(module, name, "collections.OrderedDict") =>
            {
                if !arguments.is_empty() {
                    return Err("an OrderedDict made from pairs, as Python 2 wrote it".into());
                }
                Value::Dict(Vec::new())
            }
            (_, Value::Global(..), Value::List(_)) => Value::Call(callee, argument),
            _ => Value::Other,
        };
        self.push(value);
        Ok(())
    }

    fn append(&mut self, items: &[Place]) -> Result<(), String> {
        let top = self.top()?;
        if let Some(Value::List(list)) = self.values.get_mut(top.0 as usize) {
            list.extend_from_slice(items);
            self.n_held += items.len();
        }
        Ok(())
    }

    /// Puts key, value, key, value, … into the dictionary on top; keys that are no text are
    /// dropped.
    fn set_items(&mut self, items: &[Place]) -> Result<(), String> {
        let top = self.top()?;
        let text = |place: Place| match self.value(place) {
            Value::Text(key) => Some(*key),
            _ => None,
        };
        let pairs = items.as_chunks::<2>().0.iter();
        let entries: Vec<_> = pairs.filter_map(|&[key, value]| Some((text(key)?, value))).collect();
        if let Some(Value::Dict(dict)) = self.values.get_mut(top.0 as usize) {
            self.n_held += entries.len();
            dict.extend(entries);
        }
        Ok(())
    }

    fn value(&self, place: Place) -> &Value<'a> {
        self.values.get(place.0 as usize).unwrap_or(&Value::Other)
    }

    fn push_list(&mut self, items: Vec<Place>) {
        self.n_held += items.len();
        self.push(Value::List(items));
    }

    fn push(&mut self, value: Value<'a>) {
        // Fewer than MAX_VALUES of them, so a place has room for their number.
        self.stack.push(Place(self.values.len() as u32));
        self.values.push(value);
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or("a pickle that ends too early: the file is truncated")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "a cut number".to_string())
    }

    fn u8(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn len32(&mut self) -> Result<usize, String> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn len64(&mut self) -> Result<usize, String> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| "a length too large".into())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let n = rest.iter().position(|&b| b == b'\n').ok_or("an unfinished line")?;
        let line = self.take(n + 1)?;
        std::str::from_utf8(&line[..n]).map_err(|_| "a name that is no UTF-8".into())
    }

    fn pop(&mut self) -> Result<Place, String> {
        self.stack.pop().ok_or_else(|| "an empty stack".into())
    }

    fn top(&self) -> Result<Place, String> {
        self.stack.last().copied().ok_or_else(|| "an empty stack".into())
    }

    fn pop_mark(&mut self) -> Result<Vec<Place>, String> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.split_off(mark.ok_or("a missing mark")?))
    }

    /// The top of the stack from `from` on, in as much memory as it takes: `Vec::split_off` may
    /// give the stack's whole capacity away with every empty tuple.
    fn split_off(&mut self, from: usize) -> Vec<Place> {
        self.stack.drain(from..).collect()
    }
}
