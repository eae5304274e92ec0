// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeMap;
use std::rc::Rc;

/// A value that a pickle builds. Classes are names without meaning, calls are kept as data:
/// nothing in a pickle is ever run.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// None, a byte string or anything else that weights have no use for.
    Other,
    /// A truth value.
    Bool(bool),
    /// An integer; larger ones than 64 bits are [`Value::Other`].
    Int(i64),
    /// A text.
    Text(Rc<str>),
    /// A tuple or list.
    List(Rc<Vec<Value>>),
    /// A dictionary in its order; keys that are no text are dropped.
    Dict(Rc<Vec<(Rc<str>, Value)>>),
    /// The full name of a class or function.
    Global(Rc<str>),
    /// A class or function with the arguments that Python would call it with.
    Call(Rc<str>, Rc<Vec<Value>>),
    /// What stands outside of the pickle, such as a storage.
    Persistent(Rc<Value>),
}

/// The most values on the stack and in the memo: checkpoints have some thousands.
const MAX_VALUES: usize = 4_000_000;

/// The deepest nesting: values are dropped by recursion, so a deeper one could exhaust the stack.
const MAX_DEPTH: u16 = 100;

/// Reads one pickle from the start of `bytes`; returns its value and length.
pub fn read_pickle(bytes: &[u8]) -> Result<(Value, usize), String> {
    let mut reader = Reader { bytes, ..Reader::default() };
    reader.run()?;
    let (value, _) = reader.pop()?;
    Ok((value, reader.at))
}

/// A value with the depth of its nesting.
type Nested = (Value, u16);

#[derive(Default)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Nested>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Nested>,
}

impl<'a> Reader<'a> {
    fn run(&mut self) -> Result<(), String> {
        loop {
            if self.stack.len().max(self.memo.len()) > MAX_VALUES {
                return Err(format!("a pickle of more than {MAX_VALUES} values"));
            }
            let op = self.u8()?;
            match op {
                b'.' => return Ok(()),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' | 0x90 => drop(self.pop_mark()?),
                b'2' => {
                    let top = self.top()?.clone();
                    self.stack.push(top);
                }
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'N' | 0x8F => self.push(Value::Other),
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
                b')' | b']' => self.push(Value::List(Rc::default())),
                b'}' => self.push(Value::Dict(Rc::default())),
                b't' | b'l' => {
                    let items = self.pop_mark()?;
                    self.push_list(items)?;
                }
                0x85..=0x87 => {
                    let n = usize::from(op - 0x84);
                    let from = self.stack.len().checked_sub(n).ok_or("an empty stack")?;
                    let items = self.stack.split_off(from);
                    self.push_list(items)?;
                }
                b'd' => {
                    let items = self.pop_mark()?;
                    self.push(Value::Dict(Rc::default()));
                    self.set_items(items)?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.pop_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set_items(vec![key, value])?;
                }
                b'u' => {
                    let items = self.pop_mark()?;
                    self.set_items(items)?;
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
        self.push(Value::Text(text.into()));
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
        let value = std::str::from_utf8(bytes).map_or(Value::Other, |t| Value::Text(t.into()));
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
            let value = self.memo.get(&key).ok_or("a memo entry that was never made")?.clone();
            self.stack.push(value);
        } else {
            let value = self.top()?.clone();
            self.memo.insert(key, value);
        }
        Ok(())
    }

    fn object(&mut self, op: u8) -> Result<(), String> {
        if op == b'c' {
            let (module, name) = (self.line()?, self.line()?);
            self.push(Value::Global(format!("{module}.{name}").into()));
            return Ok(());
        }
        if op == 0x92 {
            self.pop()?;
        }
        let (argument, depth) = self.pop()?;
        if op == b'Q' {
            return self.push_over(Value::Persistent(Rc::new(argument)), depth);
        }
        let (callee, callee_depth) = self.pop()?;
        let value = match (op, callee, argument) {
            (0x93, Value::Text(module), Value::Text(name)) => {
                Value::Global(format!("{module}.{name}").into())
            }
            // State of an object that was saved whole; its tensors lie in dictionaries.
            (b'b', Value::Call(name, arguments), state) => {
                let mut with_state = arguments.to_vec();
                with_state.push(state);
                Value::Call(name, Rc::new(with_state))
            }
            (b'b', object, _) => object,
            // The one call with a meaning here: an ordered dictionary is a dictionary.
            (_, Value::Global(name), _) if &*name == "collections.OrderedDict" => {
                Value::Dict(Rc::default())
            }
            (_, Value::Global(name), Value::List(arguments)) => Value::Call(name, arguments),
            _ => Value::Other,
        };
        self.push_over(value, depth.max(callee_depth))
    }

    fn append(&mut self, items: Vec<Nested>) -> Result<(), String> {
        let deepest = deepest(&items);
        let (list, depth) = self.top()?;
        if let Value::List(list) = list {
            Rc::make_mut(list).extend(items.into_iter().map(|(value, _)| value));
            *depth = deeper(deepest)?.max(*depth);
        }
        Ok(())
    }

    /// Puts key, value, key, value, … into the dictionary on top; keys that are no text are
    /// dropped.
    fn set_items(&mut self, items: Vec<Nested>) -> Result<(), String> {
        let deepest = deepest(&items);
        let (dict, depth) = self.top()?;
        let Value::Dict(entries) = dict else { return Ok(()) };
        let entries = Rc::make_mut(entries);
        let mut items = items.into_iter().map(|(value, _)| value);
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            if let Value::Text(key) = key {
                entries.push((key, value));
            }
        }
        *depth = deeper(deepest)?.max(*depth);
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push((value, 0));
    }

    fn push_list(&mut self, items: Vec<Nested>) -> Result<(), String> {
        let deepest = deepest(&items);
        let items = items.into_iter().map(|(value, _)| value).collect();
        self.push_over(Value::List(Rc::new(items)), deepest)
    }

    /// Pushes a value that holds others, the deepest of which is `depth` deep.
    fn push_over(&mut self, value: Value, depth: u16) -> Result<(), String> {
        self.stack.push((value, deeper(depth)?));
        Ok(())
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

    fn pop(&mut self) -> Result<Nested, String> {
        self.stack.pop().ok_or_else(|| "an empty stack".into())
    }

    fn top(&mut self) -> Result<&mut Nested, String> {
        self.stack.last_mut().ok_or_else(|| "an empty stack".into())
    }

    fn pop_mark(&mut self) -> Result<Vec<Nested>, String> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or("a missing mark")?))
    }
}

fn deepest(items: &[Nested]) -> u16 {
    items.iter().map(|(_, depth)| *depth).max().unwrap_or(0)
}

fn deeper(depth: u16) -> Result<u16, String> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err("values nested too deeply".into()) }
}
