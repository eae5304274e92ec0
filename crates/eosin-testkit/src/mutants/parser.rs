// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::Result;

use super::bytes::mutate_bytes;
use super::random::Random;
use super::text::mutate_text;

/// What reads a file.
type ReadFile = Box<dyn Fn(&Path, &[u8]) -> Result<()> + Send + Sync>;

/// One parser with sound inputs for it.
pub struct MutantParser {
    /// How inputs are damaged.
    pub alphabet: Alphabet,
    /// Parts of the format that are spliced into inputs.
    pub words: &'static [&'static [u8]],
    /// Sound inputs, of which every one is accepted.
    pub seeds: Vec<Seed>,
    /// Reads one input, which lies in a file and is given as bytes too, to the end.
    pub read: ReadFile,
}

/// What inputs are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// Numbers at places.
    Bytes,
    /// Words, spaces and marks.
    Text,
}

/// A sound input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// A file's name; its extension is kept, since some readers go by it.
    pub name: String,
    /// The contents.
    pub bytes: Vec<u8>,
}

/// Larger seeds are drawn once where others are drawn sixteen times.
const LARGE_BYTES: usize = 256 << 10;

impl Seed {
    /// A text or bytes under a file's name.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }

    /// A file. It must be there: a fixture that is gone is a fault of the tests.
    ///
    /// # Panics
    /// Where the file cannot be read.
    pub fn file(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match std::fs::read(path) {
            Ok(bytes) => Self { name, bytes },
            Err(error) => panic!("the seed {}: {error}", path.display()),
        }
    }
}

impl MutantParser {
    /// The mutant of this number, with the name of the seed that it was made from; parsers of
    /// other names get other damage.
    pub(super) fn mutant(&self, name: &str, seed: u64, number: u64) -> Seed {
        let mut random = Random::of_mutant(seed, name, number);
        let mut from = random.one_of(&self.seeds);
        if from.bytes.len() > LARGE_BYTES && !random.once_in(16) {
            from = random.one_of(&self.seeds);
        }
        let other = &random.one_of(&self.seeds).bytes;
        let mutate = match self.alphabet {
            Alphabet::Bytes => mutate_bytes,
            Alphabet::Text => mutate_text,
        };
        Seed::new(&from.name, mutate(&from.bytes, other, self.words, &mut random))
    }
}
