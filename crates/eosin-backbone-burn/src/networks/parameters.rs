// SPDX-License-Identifier: MIT OR Apache-2.0

//! A walk over the tensors of a network that training moves, always in the same order.

use burn::{Dispatch, tensor::Tensor};

/// What is done with each tensor.
pub(super) trait Visitor {
    fn tensor<const D: usize>(&mut self, tensor: &mut Tensor<Dispatch, D>);
}

/// Whatever holds such tensors.
pub(super) trait Parameters {
    fn visit(&mut self, visitor: &mut impl Visitor);
}

impl<const D: usize> Parameters for Tensor<Dispatch, D> {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.tensor(self);
    }
}

impl<T: Parameters> Parameters for Option<T> {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        for part in self.iter_mut() {
            part.visit(visitor);
        }
    }
}

impl<T: Parameters> Parameters for Vec<T> {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        for part in self.iter_mut() {
            part.visit(visitor);
        }
    }
}

impl<T: Parameters, const N: usize> Parameters for [T; N] {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        for part in self.iter_mut() {
            part.visit(visitor);
        }
    }
}

impl<A: Parameters, B: Parameters> Parameters for (A, B) {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        self.0.visit(visitor);
        self.1.visit(visitor);
    }
}
