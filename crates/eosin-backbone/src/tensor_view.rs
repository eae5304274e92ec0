// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::ArrayExtent;

use crate::WeightTensor;
use crate::budget::Budget;

/// A tensor's values in a file, whose shape is known to fit its bytes.
///
/// [`TensorView::new`] is the one way from a file's bytes to a tensor, whatever the format.
pub(crate) struct TensorView<'a> {
    value_type: ValueType,
    shape: Vec<usize>,
    n_values: usize,
    /// From the first value on.
    bytes: &'a [u8],
    /// Steps between values; none where they follow each other in the order of the shape.
    strides: Option<Vec<usize>>,
}

/// Types of values that weights come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueType {
    F16,
    Bf16,
    F32,
    F64,
    /// Of remainders alone.
    I8,
}

/// Where a tensor lies in its bytes.
pub(crate) enum Placement {
    /// The bytes are the tensor's and no others.
    Whole,
    /// From the value `offset` on, with these steps between values along each side.
    Strided { offset: usize, strides: Vec<usize> },
}

impl ValueType {
    fn n_bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl<'a> TensorView<'a> {
    /// Refuses a shape that its bytes cannot hold.
    pub(crate) fn new(
        value_type: ValueType,
        shape: &[usize],
        placement: Placement,
        bytes: &'a [u8],
    ) -> Result<Self, String> {
        let size = value_type.n_bytes();
        let sides: Vec<u64> = shape.iter().map(|&side| side as u64).collect();
        let extent = ArrayExtent::new(&sides, size)?;
        let n_values = extent.n_values();
        let view = |bytes, strides| {
            Ok(Self { value_type, shape: shape.to_vec(), n_values, bytes, strides })
        };
        let (offset, strides) = match placement {
            Placement::Whole => {
                extent.holding(bytes.len() as u64)?;
                return view(bytes, None);
            }
            Placement::Strided { offset, strides } => (offset, strides),
        };
        if strides.len() != shape.len() {
            return Err("a shape that does not fit its strides".into());
        }
        if n_values == 0 {
            return view(&[], None);
        }
        let far = || format!("values beyond a storage of {} bytes", bytes.len());
        let last = shape.iter().zip(&strides).try_fold(offset, |at, (&side, &stride)| {
            (side - 1).checked_mul(stride).and_then(|step| at.checked_add(step))
        });
        let end = last.and_then(|last| last.checked_add(1)).and_then(|n| n.checked_mul(size));
        let start = offset.checked_mul(size).ok_or_else(far)?;
        let bytes = end.and_then(|end| bytes.get(start..end)).ok_or_else(far)?;
        let strides = Some(strides).filter(|strides| !follow_each_other(shape, strides));
        view(bytes, strides)
    }

    /// The values as `f32`, in the order of the shape.
    pub(crate) fn read(&self, budget: &mut Budget) -> Result<WeightTensor, String> {
        budget.values(self.n_values)?;
        let values = match self.value_type {
            ValueType::F16 => self.widen(|b| half::f16::from_le_bytes(b).to_f32()),
            ValueType::Bf16 => self.widen(|b| half::bf16::from_le_bytes(b).to_f32()),
            ValueType::F32 => self.widen(f32::from_le_bytes),
            ValueType::F64 => self.widen(|b| f64::from_le_bytes(b) as f32),
            ValueType::I8 => self.widen(|b| f32::from(i8::from_le_bytes(b))),
        };
        WeightTensor::new(self.shape.clone(), values)
    }

    /// The values of a whole float16 tensor with 256ths of its last places added.
    pub(crate) fn read_with_remainder(
        &self,
        remainder: &Self,
        budget: &mut Budget,
    ) -> Result<WeightTensor, String> {
        budget.values(self.n_values)?;
        let value = |(half, remainder): (&[u8; 2], &u8)| {
            let exponent = i32::from((u16::from_le_bytes(*half) >> 10) & 31).max(1);
            let last_place = f32::from_bits((127 + exponent - 25) as u32 * (1 << 23));
            let low = f32::from(i8::from_le_bytes([*remainder])) / 256.0 * last_place;
            half::f16::from_le_bytes(*half).to_f32() + low
        };
        let halves = self.bytes.as_chunks::<2>().0.iter();
        let values = halves.zip(remainder.bytes).map(value).collect();
        WeightTensor::new(self.shape.clone(), values)
    }

    fn widen<const N: usize>(&self, read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let Some(strides) = &self.strides else {
            return self.bytes.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect();
        };
        let mut index = vec![0_usize; self.shape.len()];
        let mut values = Vec::with_capacity(self.n_values);
        for _ in 0..self.n_values {
            // Strides can permute: some convolutions of old checkpoints are stored channels-last.
            // The last value was found within the bytes, so no product here overflows.
            let at: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum();
            values.push(self.bytes[at * N..].first_chunk().map_or(0.0, |bytes| read(*bytes)));
            for (i, &side) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < side {
                    break;
                }
                *i = 0;
            }
        }
        values
    }
}

/// Whether values lie in the order of the shape without gaps; sides of one take no step.
fn follow_each_other(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1_usize;
    shape.iter().zip(strides).rev().all(|(&side, &stride)| {
        let follows = side == 1 || stride == expected;
        expected = expected.saturating_mul(side);
        follows
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(n: u16) -> Vec<u8> {
        (0..n).flat_map(|v| f32::from(v).to_le_bytes()).collect()
    }

    fn strided(shape: &[usize], offset: usize, strides: &[usize], n: u16) -> Option<Vec<f32>> {
        let placement = Placement::Strided { offset, strides: strides.to_vec() };
        let bytes = bytes(n);
        let view = TensorView::new(ValueType::F32, shape, placement, &bytes).ok()?;
        Some(view.read(&mut Budget::new(bytes.len())).unwrap().values)
    }

    #[test]
    fn the_shape_times_the_type_is_the_length() {
        let is_sound = |shape: &[usize], n| {
            TensorView::new(ValueType::F32, shape, Placement::Whole, &bytes(n)).is_ok()
        };
        assert!(is_sound(&[2, 3], 6) && is_sound(&[], 1) && is_sound(&[0, 4], 0));
        assert!(!is_sound(&[2, 3], 5) && !is_sound(&[2, 3], 7) && !is_sound(&[0], 1));
        assert!(!is_sound(&[usize::MAX, 2], 1) && !is_sound(&[0, 1 << 40], 0));
    }

    #[test]
    fn strides_permute_and_stay_within_the_storage() {
        assert_eq!(strided(&[2, 2], 1, &[1, 2], 5), Some(vec![1.0, 3.0, 2.0, 4.0]));
        assert_eq!(strided(&[2, 2], 1, &[2, 1], 5), Some(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(strided(&[2, 2], 2, &[2, 1], 5), None);
        assert_eq!(strided(&[2], 0, &[usize::MAX], 5), None);
        assert_eq!(strided(&[2], usize::MAX, &[1], 5), None);
        assert_eq!(strided(&[2, 2], 0, &[2], 5), None);
        assert_eq!(strided(&[3, 1], 0, &[1, 7], 5), Some(vec![0.0, 1.0, 2.0]));
    }

    #[test]
    fn a_stride_of_zero_is_paid_for() {
        let placement = Placement::Strided { offset: 0, strides: vec![0] };
        let bytes = bytes(1);
        let view = TensorView::new(ValueType::F32, &[1 << 31], placement, &bytes).unwrap();
        assert!(view.read(&mut Budget::new(bytes.len())).is_err());
    }
}
