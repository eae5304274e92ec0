// SPDX-License-Identifier: MIT OR Apache-2.0

/// What reading weights may cost, by the size of their files.
///
/// A small file can ask for much: a storage under thousands of names, a tensor of one value with
/// strides of zero, dictionaries that hold each other. Every reader of weights pays here before it
/// makes or visits anything, so the cost is bounded by what was stored.
pub(crate) struct Budget {
    bytes: u64,
    names: usize,
    visits: usize,
}

/// Bytes of tensors per byte of file. Widening float16 takes two; the rest is for tensors that are
/// stored once and named twice.
const PER_FILE_BYTE: u64 = 4;
/// Bytes that the smallest file may take.
const FREE_BYTES: u64 = 16 << 20;
/// Tensors of all files together; the largest backbones have some thousands.
const MAX_NAMES: usize = 1 << 15;
/// The longest name of a tensor in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 512;
/// Values of a pickle that are visited on the way to tensors.
const MAX_VISITS: usize = 1 << 20;

/// How deep dictionaries may lie in each other.
pub(crate) const MAX_DEPTH: usize = 64;

impl Budget {
    /// The budget of a file of so many bytes.
    pub(crate) fn new(file_bytes: usize) -> Self {
        let mut budget = Self { bytes: FREE_BYTES, names: MAX_NAMES, visits: MAX_VISITS };
        budget.add_file(file_bytes);
        budget
    }

    /// Adds a further file's bytes, such as a shard's; names and visits stay those of one network.
    pub(crate) fn add_file(&mut self, file_bytes: usize) {
        self.bytes = self.bytes.saturating_add(PER_FILE_BYTE.saturating_mul(file_bytes as u64));
    }

    /// Pays for a tensor of this name.
    pub(crate) fn name(&mut self, name: &str) -> Result<(), String> {
        if name.len() > MAX_NAME_BYTES {
            return Err(format!("a name of {} bytes for a tensor", name.len()));
        }
        let left = self.names.checked_sub(1);
        self.names = left.ok_or_else(|| format!("more than {MAX_NAMES} tensors"))?;
        Ok(())
    }

    /// Pays for values in memory.
    pub(crate) fn values(&mut self, n_values: usize) -> Result<(), String> {
        let n_bytes = (n_values as u64).saturating_mul(size_of::<f32>() as u64);
        let left = self.bytes.checked_sub(n_bytes);
        self.bytes = left.ok_or_else(|| {
            format!("tensors that take more than {PER_FILE_BYTE} times the bytes of the file")
        })?;
        Ok(())
    }

    /// Pays for values of a pickle that are visited.
    pub(crate) fn visits(&mut self, n: usize) -> Result<(), String> {
        let left = self.visits.checked_sub(n);
        self.visits =
            left.ok_or_else(|| format!("a pickle of more than {MAX_VISITS} steps to tensors"))?;
        Ok(())
    }
}
