// SPDX-License-Identifier: MIT OR Apache-2.0

use eosin_core::{Error, Result};

use super::buffer::AlignedVec;
use super::conv::{clamp_of, padded_bias};
use super::kernel::{DepthwiseCall, Kernels, depthwise_rows};
use crate::arch;

/// A depthwise convolution with its weights packed for a kernel.
#[derive(Debug)]
pub(super) struct PackedDepthwise {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Channels, padded to whole vectors.
    pub(super) channels: usize,
    weights: AlignedVec,
    bias: AlignedVec,
    clamp: [f32; 2],
}

impl PackedDepthwise {
    pub(super) fn new(kernels: &Kernels, conv: &arch::Conv) -> Result<Self> {
        let shape = conv.shape;
        let taps = shape.kernel * shape.kernel;
        let fits = shape.groups == shape.in_channels
            && shape.groups == shape.out_channels
            && conv.weight.len() == shape.out_channels * taps;
        if !fits {
            return Err(Error::input(
                "depthwise convolution",
                "one kernel per channel",
                format!("{} weights for {shape:?}", conv.weight.len()),
                "check the architecture's shapes",
            ));
        }
        if !matches!((shape.kernel, shape.stride), (3 | 5, 1 | 2)) {
            return Err(Error::unsupported(
                format!("a depthwise kernel of {} with stride {}", shape.kernel, shape.stride),
                &["3 or 5 with stride 1 or 2"],
                "choose another engine for this backbone",
            ));
        }
        let channels = shape.out_channels.next_multiple_of(kernels.lanes);
        let mut weights = AlignedVec::zeros(channels * taps);
        for channel in 0..shape.out_channels {
            let (vector, lane) = (channel / kernels.lanes, channel % kernels.lanes);
            for tap in 0..taps {
                let to = (vector * taps + tap) * kernels.lanes + lane;
                weights[to] = conv.weight[channel * taps + tap];
            }
        }
        Ok(Self {
            kernel: shape.kernel,
            stride: shape.stride,
            channels,
            weights,
            bias: padded_bias(conv, channels)?,
            clamp: clamp_of(conv.activation)?,
        })
    }

    /// Computes as many rows of `width` pixels as `rows` has windows, one after the other.
    pub(super) fn rows(
        &self,
        kernels: &Kernels,
        input: &[f32],
        rows: &[usize],
        width: usize,
        out: &mut [f32],
    ) {
        let call = DepthwiseCall {
            kernel: self.kernel,
            stride: self.stride,
            weights: &self.weights,
            bias: &self.bias,
            clamp: self.clamp,
            input,
            rows,
            channels: self.channels,
            width,
        };
        depthwise_rows(kernels, &call, out);
    }
}
