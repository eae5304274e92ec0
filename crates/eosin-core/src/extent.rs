// SPDX-License-Identifier: MIT OR Apache-2.0

/// How much an array in a file holds, by the shape that the file states.
///
/// Sides come from strangers: their product may overflow, and may be zero beside a side of 10¹².
/// Every reader of arrays makes an extent before it allocates or loops over anything.
///
/// ```
/// use eosin_core::ArrayExtent;
///
/// let extent = ArrayExtent::new(&[200, 1024], 2)?.holding(409_600)?;
/// assert_eq!((extent.n_values(), extent.n_bytes()), (204_800, 409_600));
/// assert!(ArrayExtent::new(&[1 << 40, 1 << 40], 4).is_err());
/// assert!(ArrayExtent::new(&[1_000_000_000_000, 0], 4).is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayExtent {
    n_values: usize,
    n_bytes: usize,
}

/// The most sides of an array; NumPy has 64, networks four.
const MAX_SIDES: usize = 64;
/// The longest side of an array without values: nothing may be made per row of what has no rows.
const MAX_EMPTY_SIDE: u64 = 1 << 16;
/// The most values: widened to eight bytes each they still have an address.
const MAX_VALUES: u64 = isize::MAX as u64 / 8;

impl ArrayExtent {
    /// The extent of an array of these sides whose values take `value_bytes` each; the error says
    /// what was found, for the caller to name the file.
    pub fn new(sides: &[u64], value_bytes: usize) -> Result<Self, String> {
        if sides.len() > MAX_SIDES {
            return Err(format!("an array of {} dimensions", sides.len()));
        }
        if sides.contains(&0) {
            return match sides.iter().find(|&&side| side > MAX_EMPTY_SIDE) {
                Some(side) => Err(format!("an array of no values with a side of {side}")),
                None => Ok(Self { n_values: 0, n_bytes: 0 }),
            };
        }
        let n_values = sides.iter().try_fold(1_u64, |n, &side| n.checked_mul(side));
        let n_values = n_values.filter(|&n| n <= MAX_VALUES);
        let n_values = n_values.and_then(|n| usize::try_from(n).ok());
        let n_bytes = n_values.and_then(|n| n.checked_mul(value_bytes));
        match (n_values, n_bytes) {
            (Some(n_values), Some(n_bytes)) if isize::try_from(n_bytes).is_ok() => {
                Ok(Self { n_values, n_bytes })
            }
            _ => Err(format!("an array of {sides:?} values, more than can be addressed")),
        }
    }

    /// The extent, where that many bytes are exactly what it takes.
    pub fn holding(self, n_bytes: u64) -> Result<Self, String> {
        if self.n_bytes as u64 == n_bytes {
            return Ok(self);
        }
        Err(format!("{n_bytes} bytes for {} values, which take {}", self.n_values, self.n_bytes))
    }

    /// Number of values.
    pub fn n_values(self) -> usize {
        self.n_values
    }

    /// Bytes that the values take in the file.
    pub fn n_bytes(self) -> usize {
        self.n_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_has_one_value() {
        assert_eq!(ArrayExtent::new(&[], 8).unwrap(), ArrayExtent { n_values: 1, n_bytes: 8 });
    }

    #[test]
    fn what_overflows_is_refused() {
        for sides in [&[u64::MAX][..], &[1 << 32, 1 << 32], &[3, 1 << 62], &[1 << 61]] {
            assert!(ArrayExtent::new(sides, 4).is_err(), "{sides:?}");
        }
        assert!(ArrayExtent::new(&[1; 65], 1).is_err());
    }

    #[test]
    fn an_empty_array_has_short_sides() {
        assert_eq!(ArrayExtent::new(&[0, 512], 4).unwrap().n_values(), 0);
        assert_eq!(ArrayExtent::new(&[512, 0], 4).unwrap().n_bytes(), 0);
        assert!(ArrayExtent::new(&[0, 1 << 40], 4).is_err());
    }

    #[test]
    fn bytes_must_be_exactly_those_of_the_shape() {
        let extent = ArrayExtent::new(&[2, 3], 4).unwrap();
        assert!(extent.holding(24).is_ok());
        assert!(extent.holding(23).is_err() && extent.holding(25).is_err());
    }
}
