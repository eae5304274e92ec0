// SPDX-License-Identifier: MIT OR Apache-2.0

use super::TensorSpec;
use super::conv::{take_layer_norm, take_linear};
use crate::WeightMap;
use crate::native::{LayerNorm, Linear};

/// What follows a network's own pooling.
#[derive(Clone, Debug, PartialEq)]
pub enum Tail {
    /// CLIP's linear layer, without bias.
    Projection(Linear),
    /// A query that attends to every token.
    Attention(AttentionPool),
}

/// Pooling by one learned query (Yu et al. 2022, CoCa; in CONCH the contrastive pooler and its
/// layer norm), with everything that does not depend on the tile computed when it is loaded.
///
/// A query is the same for every tile, so a head's score of a token is one product with the
/// normalised token, and what is the same for every token falls out of the softmax.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionPool {
    /// Per head, the factors of a token without mean and of variance 1: `n_heads` × width.
    pub scores: Vec<f32>,
    /// Number of heads.
    pub n_heads: usize,
    /// From a mean of such tokens to the outputs of all heads, each of which takes its own mean.
    pub values: Linear,
    /// After the heads.
    pub proj: Linear,
    /// After `proj`.
    pub norm: LayerNorm,
}

impl AttentionPool {
    /// ε of its layer norms, which its authors leave at PyTorch's default.
    pub const NORM_EPS: f64 = 1e-5;

    /// The tensors that the pooling of tokens of `width` values to `pool_width` needs, under the
    /// names that they have in CONCH's image tower.
    pub fn tensors(width: usize, pool_width: usize) -> Vec<TensorSpec> {
        let specs: [(&str, &[usize]); 13] = [
            ("attn_pool_contrast.query", &[1, pool_width]),
            ("attn_pool_contrast.ln_q.weight", &[pool_width]),
            ("attn_pool_contrast.ln_q.bias", &[pool_width]),
            ("attn_pool_contrast.ln_k.weight", &[width]),
            ("attn_pool_contrast.ln_k.bias", &[width]),
            ("attn_pool_contrast.attn.q_proj_weight", &[pool_width, pool_width]),
            ("attn_pool_contrast.attn.k_proj_weight", &[pool_width, width]),
            ("attn_pool_contrast.attn.v_proj_weight", &[pool_width, width]),
            ("attn_pool_contrast.attn.in_proj_bias", &[3 * pool_width]),
            ("attn_pool_contrast.attn.out_proj.weight", &[pool_width, pool_width]),
            ("attn_pool_contrast.attn.out_proj.bias", &[pool_width]),
            ("ln_contrast.weight", &[pool_width]),
            ("ln_contrast.bias", &[pool_width]),
        ];
        specs.map(|(name, shape)| TensorSpec { name: name.into(), shape: shape.into() }).into()
    }

    /// Takes those tensors; what is missing is noted in `weights`. `pool_width` is a multiple of
    /// `n_heads`.
    pub(crate) fn take(
        weights: &mut WeightMap,
        width: usize,
        pool_width: usize,
        n_heads: usize,
    ) -> Self {
        let mut matrix = |part: &str, n_in: usize| {
            let name = format!("attn_pool_contrast.attn.{part}_proj_weight");
            weights.take(&name, &[pool_width, n_in]).values
        };
        let [query, key, value] = [matrix("q", pool_width), matrix("k", width), matrix("v", width)];
        let biases = weights.take("attn_pool_contrast.attn.in_proj_bias", &[3 * pool_width]).values;
        let token = weights.take("attn_pool_contrast.query", &[1, pool_width]).values;
        let of_query = take_layer_norm(weights, "attn_pool_contrast.ln_q", pool_width);
        let of_tokens = take_layer_norm(weights, "attn_pool_contrast.ln_k", width);
        let mut normed = vec![0.0; pool_width];
        normalise(&token, Self::NORM_EPS, &mut normed);
        let affine = normed.iter().zip(&of_query.weight).zip(&of_query.bias);
        let normed: Vec<f32> = affine.map(|((x, weight), bias)| x * weight + bias).collect();
        let query = query.chunks_exact(pool_width).zip(&biases);
        let query: Vec<f64> =
            query.map(|(row, bias)| dot(row, &normed) + f64::from(*bias)).collect();
        let head = pool_width / n_heads;
        let scale = 1.0 / (head as f64).sqrt();
        let mut scores = Vec::with_capacity(n_heads * width);
        for (rows, query) in key.chunks_exact(head * width).zip(query.chunks_exact(head)) {
            for (i, weight) in of_tokens.weight.iter().enumerate() {
                let column = rows.iter().skip(i).step_by(width);
                let sum: f64 = column.zip(query).map(|(k, q)| f64::from(*k) * q).sum();
                scores.push((sum * scale * f64::from(*weight)) as f32);
            }
        }
        let bias = value.chunks_exact(width).zip(&biases[2 * pool_width..]);
        let bias =
            bias.map(|(row, bias)| (dot(row, &of_tokens.bias) + f64::from(*bias)) as f32).collect();
        let scaled = |row: &[f32]| -> Vec<f32> {
            row.iter().zip(&of_tokens.weight).map(|(v, weight)| v * weight).collect()
        };
        let value = value.chunks_exact(width).flat_map(scaled).collect();
        Self {
            scores,
            n_heads,
            values: Linear { n_in: width, n_out: pool_width, weight: value, bias },
            proj: take_linear(weights, "attn_pool_contrast.attn.out_proj", pool_width, pool_width),
            norm: take_layer_norm(weights, "ln_contrast", pool_width),
        }
    }

    /// Pools the tokens of one tile into `out`.
    pub(crate) fn pool(&self, tokens: &[f32], out: &mut [f32]) {
        let Linear { n_in: width, n_out, .. } = self.values;
        let mut normed = vec![0.0; tokens.len()];
        for (token, normed) in tokens.chunks_exact(width).zip(normed.chunks_exact_mut(width)) {
            normalise(token, Self::NORM_EPS, normed);
        }
        let mut heads = Vec::with_capacity(n_out);
        for (head, factors) in self.scores.chunks_exact(width).enumerate() {
            let rows = normed.chunks_exact(width);
            let scores: Vec<f64> = rows.clone().map(|token| dot(token, factors)).collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut mean = vec![0.0; width];
            let mut total = 0.0;
            for (token, score) in rows.zip(scores) {
                let weight = (score - largest).exp();
                total += weight;
                mean.iter_mut().zip(token).for_each(|(sum, x)| *sum += weight * f64::from(*x));
            }
            let mean: Vec<f32> = mean.into_iter().map(|sum| (sum / total) as f32).collect();
            let n = n_out / self.n_heads;
            heads.extend((head * n..(head + 1) * n).map(|i| self.values.output(i, &mean)));
        }
        let pooled: Vec<f32> = (0..n_out).map(|i| self.proj.output(i, &heads)).collect();
        normalise(&pooled, Self::NORM_EPS, out);
        for ((x, weight), bias) in out.iter_mut().zip(&self.norm.weight).zip(&self.norm.bias) {
            *x = *x * weight + bias;
        }
    }
}

/// Takes the mean from a row and brings its variance to 1.
fn normalise(row: &[f32], eps: f64, out: &mut [f32]) {
    let n = row.len() as f64;
    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    let scale = 1.0 / (variance + eps).sqrt();
    out.iter_mut().zip(row).for_each(|(out, &x)| *out = ((f64::from(x) - mean) * scale) as f32);
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum()
}
