// SPDX-License-Identifier: MIT OR Apache-2.0

use rayon::prelude::*;

use super::buffer::AlignedVec;
use super::conv::plan_panels;
use super::kernel::{ConvCall, Kernels, Panel, Pixels, Window, conv_rows, softmax_row};
use super::pool::Pool;

/// Bytes of attention weights that are kept at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// Softmax attention, head by head: a head's keys and values are packed as the weights of two
/// matrix products, between which only some rows of the attention matrix exist.
#[derive(Debug)]
pub(super) struct Attention {
    n_heads: usize,
    n_tokens: usize,
    /// Values of a query.
    head_dim: usize,
    /// Values between the tokens of the output of a head: a query in whole vectors.
    px: usize,
    /// Values between rows of attention weights: the tokens in whole vectors.
    row: usize,
    /// Rows of attention weights that are kept.
    block: usize,
    /// Keys as weights, one output per token.
    key_panels: Vec<Panel>,
    /// Values as weights, one output per value.
    value_panels: Vec<Panel>,
}

/// What one head needs.
#[derive(Debug)]
pub(super) struct HeadBuffers {
    keys: AlignedVec,
    values: AlignedVec,
    weights: AlignedVec,
    bias: AlignedVec,
}

impl Attention {
    pub(super) fn new(kernels: &Kernels, dim: usize, n_heads: usize, n_tokens: usize) -> Self {
        let head_dim = dim / n_heads;
        let row = n_tokens.next_multiple_of(kernels.lanes);
        let most = (BLOCK_BYTES / (row * size_of::<f32>())).max(8);
        Self {
            n_heads,
            n_tokens,
            head_dim,
            px: head_dim.next_multiple_of(kernels.lanes),
            row,
            block: n_tokens.div_ceil(n_tokens.div_ceil(most)),
            key_panels: plan_panels(kernels.lanes, kernels.vectors, n_tokens, head_dim),
            value_panels: plan_panels(kernels.lanes, kernels.vectors, head_dim, row),
        }
    }

    pub(super) fn n_heads(&self) -> usize {
        self.n_heads
    }

    /// Values between the tokens of a head's output.
    pub(super) fn px(&self) -> usize {
        self.px
    }

    /// Values between the outputs of two heads.
    pub(super) fn map_len(&self) -> usize {
        self.n_tokens * self.px
    }

    /// Attends; `qkv` has queries (scaled), keys and values of all heads for every token, `out`
    /// one map per head.
    pub(super) fn run(
        &self,
        kernels: &Kernels,
        qkv: &[f32],
        out: &mut [f32],
        buffers: &Pool<HeadBuffers>,
        parallel: bool,
    ) {
        let run = |(head, out): (usize, &mut [f32])| {
            buffers.with(|| self.buffers(), |buffers| self.head(kernels, qkv, head, buffers, out));
        };
        if parallel {
            out.par_chunks_mut(self.map_len()).enumerate().for_each(run);
        } else {
            out.chunks_mut(self.map_len()).enumerate().for_each(run);
        }
    }

    fn buffers(&self) -> HeadBuffers {
        HeadBuffers {
            keys: AlignedVec::zeros(self.row * self.head_dim),
            values: AlignedVec::zeros(self.row * self.px),
            weights: AlignedVec::zeros(self.block * self.row),
            bias: AlignedVec::zeros(self.row.max(self.px)),
        }
    }

    fn head(
        &self,
        kernels: &Kernels,
        qkv: &[f32],
        head: usize,
        buffers: &mut HeadBuffers,
        out: &mut [f32],
    ) {
        let HeadBuffers { keys, values, weights, bias } = buffers;
        let dim = self.n_heads * self.head_dim;
        let (px, query) = (3 * dim, head * self.head_dim);
        self.pack_keys(kernels, &qkv[dim + query..], px, keys);
        self.pack_values(kernels, &qkv[2 * dim + query..], px, values);
        let linear = [f32::NEG_INFINITY, f32::INFINITY];
        let dense = |px| Pixels { start: 0, row: 0, px, ring: usize::MAX };
        for first in (0..self.n_tokens).step_by(self.block) {
            let n = self.block.min(self.n_tokens - first);
            let scores = ConvCall {
                panels: &self.key_panels,
                weights: keys,
                bias,
                window: Window { runs: &[0], run_len: self.head_dim, runs_per_pass: 1 },
                clamp: linear,
                input: &qkv[query + first * px..],
                from: dense(px),
                first_row: 0,
                n_rows: 1,
                width: n,
                to: dense(self.row),
                residual: None,
            };
            conv_rows(kernels, &scores, weights);
            for row in weights[..n * self.row].chunks_exact_mut(self.row) {
                softmax_row(kernels, row, self.n_tokens);
            }
            let mix = ConvCall {
                panels: &self.value_panels,
                weights: values,
                window: Window { runs: &[0], run_len: self.n_tokens, runs_per_pass: 1 },
                input: weights,
                from: dense(self.row),
                to: dense(self.px),
                ..scores
            };
            conv_rows(kernels, &mix, &mut out[first * self.px..]);
        }
    }

    /// Lays the heads' maps beside each other, token after token.
    pub(super) fn gather(&self, maps: &[f32], tokens: &mut [f32]) {
        let dim = self.n_heads * self.head_dim;
        for (token, out) in tokens.chunks_exact_mut(dim).enumerate() {
            let heads = maps.chunks_exact(self.map_len()).zip(out.chunks_exact_mut(self.head_dim));
            for (map, out) in heads {
                out.copy_from_slice(&map[token * self.px..][..self.head_dim]);
            }
        }
    }

    /// One output channel per token: a panel has, for each value of a query, the keys' values.
    fn pack_keys(&self, kernels: &Kernels, keys: &[f32], px: usize, packed: &mut [f32]) {
        for panel in &self.key_panels {
            let width = panel.vectors * kernels.lanes;
            let n = width.min(self.n_tokens - panel.channel);
            let packed = &mut packed[panel.offset..][..width * self.head_dim];
            for lane in 0..n {
                let key = &keys[(panel.channel + lane) * px..][..self.head_dim];
                for (value, to) in key.iter().zip(packed[lane..].iter_mut().step_by(width)) {
                    *to = *value;
                }
            }
        }
    }

    /// One output channel per value of a head: a panel has, for each token, some of its values.
    fn pack_values(&self, kernels: &Kernels, values: &[f32], px: usize, packed: &mut [f32]) {
        for panel in &self.value_panels {
            let width = panel.vectors * kernels.lanes;
            let n = width.min(self.head_dim - panel.channel);
            let tokens = packed[panel.offset..].chunks_exact_mut(width).take(self.n_tokens);
            for (token, to) in tokens.enumerate() {
                to[..n].copy_from_slice(&values[token * px + panel.channel..][..n]);
            }
        }
    }
}
