// SPDX-License-Identifier: MIT OR Apache-2.0

use super::kernel::{Elementwise, apply, layer_norm_rows, softmax_row};
use super::linear::TokenLayer;
use super::tests::{Noise, sizes};
use super::{
    Input, Isa, LayerNorm, Linear, MlpActivation, Precision, TokenPooling, Vit, VitBlockWeights,
    VitWeights,
};
use crate::arch::{Activation, Conv, ConvShape, Padding};

const EPS: f64 = 1e-6;

fn linear(noise: &mut Noise, n_in: usize, n_out: usize) -> Linear {
    let scale = 1.5 / (n_in as f32).sqrt();
    let weight = noise.take(n_in * n_out).into_iter().map(|w| w * scale).collect();
    Linear { n_in, n_out, weight, bias: noise.take(n_out) }
}

fn norm(noise: &mut Noise, n: usize) -> LayerNorm {
    let weight = noise.take(n).into_iter().map(|w| 1.0 + 0.3 * w).collect();
    LayerNorm { weight, bias: noise.take(n) }
}

fn weights(
    dim: usize,
    n_heads: usize,
    n_prefix: usize,
    activation: MlpActivation,
    pooling: TokenPooling,
) -> VitWeights {
    let noise = &mut Noise(7);
    // Inner norms are tried with the pooling that no other option goes with.
    let has_inner = pooling == TokenPooling::Tokens;
    // No whole number of 16-wide vectors, as in Virchow; a norm after them asks for whole ones.
    let (side, grid, hidden) = (8, 5, if has_inner { 64 } else { 56 });
    let shape = ConvShape {
        in_channels: 3,
        out_channels: dim,
        kernel: side,
        stride: side,
        groups: 1,
        padding: Padding::Symmetric,
    };
    let n = shape.weight_shape().iter().product();
    let gates = 1 + usize::from(activation == MlpActivation::SwiGlu);
    let mut block = || VitBlockWeights {
        norm1: norm(noise, dim),
        qkv: linear(noise, dim, 3 * dim),
        attn_norm: has_inner.then(|| norm(noise, dim)),
        proj: linear(noise, dim, dim).scaled(&noise.take(dim)),
        norm2: norm(noise, dim),
        fc1: linear(noise, dim, gates * hidden),
        mlp_norm: has_inner.then(|| norm(noise, hidden)),
        fc2: linear(noise, hidden, dim),
    };
    let blocks = vec![block(), block()];
    VitWeights {
        patch: Conv {
            shape,
            weight: noise.take(n).iter().map(|w| w * 0.1).collect(),
            bias: noise.take(dim),
            activation: Activation::None,
        },
        prefix: noise.take(n_prefix * dim),
        positions: noise.take(grid * grid * dim),
        pre_norm: (activation == MlpActivation::QuickGelu).then(|| norm(noise, dim)),
        blocks,
        norm: norm(noise, dim),
        n_heads,
        norm_eps: EPS as f32,
        activation,
        pooling,
    }
}

type Tokens = Vec<Vec<f64>>;

fn apply_norm(norm: &LayerNorm, x: &Tokens) -> Tokens {
    let row = |x: &Vec<f64>| {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (variance + EPS).sqrt();
        let affine = norm.weight.iter().zip(&norm.bias);
        let row = x.iter().zip(affine);
        row.map(|(v, (w, b))| (v - mean) * scale * f64::from(*w) + f64::from(*b)).collect()
    };
    x.iter().map(row).collect()
}

fn apply_inner(norm: Option<&LayerNorm>, x: Tokens) -> Tokens {
    match norm {
        Some(norm) => apply_norm(norm, &x),
        None => x,
    }
}

fn apply_linear(linear: &Linear, x: &Tokens) -> Tokens {
    let value = |x: &Vec<f64>, o: usize| {
        let row = &linear.weight[o * linear.n_in..(o + 1) * linear.n_in];
        row.iter().zip(x).map(|(w, v)| f64::from(*w) * v).sum::<f64>() + f64::from(linear.bias[o])
    };
    x.iter().map(|x| (0..linear.n_out).map(|o| value(x, o)).collect()).collect()
}

/// Simpson's rule on the density: independent of any rational approximation.
fn normal_cdf(x: f64) -> f64 {
    let n = 400;
    let h = x / f64::from(n);
    let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let inner: f64 =
        (1..n).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * density(f64::from(i) * h)).sum();
    0.5 + h / 3.0 * (density(0.0) + inner + density(x))
}

fn activate(what: MlpActivation, x: &[f64]) -> Vec<f64> {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match what {
        MlpActivation::Gelu => x.iter().map(|&v| v * normal_cdf(v)).collect(),
        MlpActivation::QuickGelu => x.iter().map(|&v| v * sigmoid(1.702 * v)).collect(),
        MlpActivation::SwiGlu => {
            let (values, gates) = x.split_at(x.len() / 2);
            values.iter().zip(gates).map(|(v, g)| v * sigmoid(*v) * g).collect()
        }
    }
}

fn attend(qkv: &Tokens, n_heads: usize) -> Tokens {
    let dim = qkv[0].len() / 3;
    let d = dim / n_heads;
    let mut out = vec![vec![0.0; dim]; qkv.len()];
    for head in 0..n_heads {
        for (i, query) in qkv.iter().enumerate() {
            let score = |key: &Vec<f64>| -> f64 {
                let products = (0..d).map(|c| query[head * d + c] * key[dim + head * d + c]);
                (products.sum::<f64>() / (d as f64).sqrt()).exp()
            };
            let scores: Vec<f64> = qkv.iter().map(score).collect();
            let total: f64 = scores.iter().sum();
            for c in 0..d {
                let mixed = scores.iter().zip(qkv).map(|(s, v)| s * v[2 * dim + head * d + c]);
                out[i][head * d + c] = mixed.sum::<f64>() / total;
            }
        }
    }
    out
}

/// The network in f64 from the definition, for one tile of 40 pixels with mean and std 0.5.
fn reference(w: &VitWeights, tile: &[u8]) -> Vec<f64> {
    let (dim, side, grid) = (w.patch.shape.out_channels, 8, 5);
    let mut x: Tokens =
        w.prefix.chunks(dim).map(|t| t.iter().map(|&v| f64::from(v)).collect()).collect();
    for patch in 0..grid * grid {
        let value = |o: usize| {
            let mut sum = f64::from(w.patch.bias[o]) + f64::from(w.positions[patch * dim + o]);
            for i in 0..3 * side * side {
                let (c, y, x) = (i / (side * side), i / side % side, i % side);
                let (y, x) = (patch / grid * side + y, patch % grid * side + x);
                let byte = tile[(y * grid * side + x) * 3 + c];
                sum += f64::from(w.patch.weight[o * 3 * side * side + i])
                    * (f64::from(byte) / 127.5 - 1.0);
            }
            sum
        };
        x.push((0..dim).map(value).collect());
    }
    if let Some(norm) = &w.pre_norm {
        x = apply_norm(norm, &x);
    }
    let add = |x: &mut Tokens, y: Tokens| {
        x.iter_mut().flatten().zip(y.into_iter().flatten()).for_each(|(x, y)| *x += y);
    };
    for block in &w.blocks {
        let qkv = apply_linear(&block.qkv, &apply_norm(&block.norm1, &x));
        let attended = apply_inner(block.attn_norm.as_ref(), attend(&qkv, w.n_heads));
        add(&mut x, apply_linear(&block.proj, &attended));
        let hidden = apply_linear(&block.fc1, &apply_norm(&block.norm2, &x));
        let hidden = hidden.iter().map(|h| activate(w.activation, h)).collect();
        add(&mut x, apply_linear(&block.fc2, &apply_inner(block.mlp_norm.as_ref(), hidden)));
    }
    let x = apply_norm(&w.norm, &x);
    let n_prefix = w.prefix.len() / dim;
    let patches = &x[n_prefix..];
    let mean = (0..dim).map(|c| patches.iter().map(|t| t[c]).sum::<f64>() / patches.len() as f64);
    match w.pooling {
        TokenPooling::Cls => x[0].clone(),
        TokenPooling::Mean => mean.collect(),
        TokenPooling::ClsMean => x[0].iter().copied().chain(mean).collect(),
        TokenPooling::Tokens => x.concat(),
    }
}

#[test]
fn transformers_agree_with_the_definition_and_change_no_bit_with_threads() {
    for (dim, n_heads, n_prefix, activation, pooling) in sizes(
        [
            (48, 3, 1, MlpActivation::Gelu, TokenPooling::Cls),
            (32, 4, 5, MlpActivation::SwiGlu, TokenPooling::ClsMean),
            (80, 1, 0, MlpActivation::QuickGelu, TokenPooling::Mean),
            (176, 2, 1, MlpActivation::Gelu, TokenPooling::Cls),
            (48, 4, 2, MlpActivation::Gelu, TokenPooling::Tokens),
        ],
        [(32, 4, 5, MlpActivation::SwiGlu, TokenPooling::ClsMean)],
    ) {
        let weights = weights(dim, n_heads, n_prefix, activation, pooling);
        let n_tiles = if cfg!(miri) { 1 } else { 3 };
        let tiles: Vec<u8> =
            Noise(8).take(n_tiles * 4800).iter().map(|v| (v * 127.0 + 128.0) as u8).collect();
        let expected: Vec<f64> = tiles.chunks(4800).flat_map(|t| reference(&weights, t)).collect();
        let input = Input::new(40, [0.5; 3], [0.5; 3]);
        for isa in Isa::available() {
            let vit = Vit::new(&weights, &Input { isa, ..input }).unwrap();
            assert_eq!(vit.dim() * n_tiles, expected.len());
            let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            let mut first = vec![0.0; expected.len()];
            pool(1).install(|| vit.embed(&tiles, n_tiles, &mut first)).unwrap();
            for (value, expected) in first.iter().zip(&expected) {
                let error = (f64::from(*value) - expected).abs();
                assert!(error < 1e-4, "{isa:?} {activation:?}: {value} {expected}");
            }
            for (threads, batch) in sizes([(2, 3), (2, 1), (5, 2), (1, 1)], [(2, 1)]) {
                let mut out = vec![0.0; expected.len()];
                pool(threads).install(|| {
                    for (t, o) in tiles.chunks(batch * 4800).zip(out.chunks_mut(batch * vit.dim()))
                    {
                        vit.embed(t, o.len() / vit.dim(), o).unwrap();
                    }
                });
                assert!(out == first, "{isa:?}, {threads} threads, batches of {batch}");
            }
        }
    }
}

#[test]
fn activations_are_accurate_over_their_whole_range() {
    let x: Vec<f32> =
        (-4800..4800).step_by(if cfg!(miri) { 100 } else { 1 }).map(|i| i as f32 / 400.0).collect();
    for isa in Isa::available() {
        let kernels = isa.kernels();
        for (what, name) in [
            (Elementwise::Gelu, MlpActivation::Gelu),
            (Elementwise::QuickGelu, MlpActivation::QuickGelu),
        ] {
            let mut y = x.clone();
            apply(kernels, what, &mut y, &[]);
            let wide: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
            for ((x, y), expected) in x.iter().zip(&y).zip(activate(name, &wide)) {
                let error = (f64::from(*y) - expected).abs();
                assert!(error < 5e-7 * f64::from(x.abs().max(1.0)), "{isa:?} {x}: {y} {expected}");
            }
        }
    }
}

#[test]
fn softmax_and_layer_norm_survive_extreme_rows() {
    for isa in Isa::available() {
        let kernels = isa.kernels();
        for (n, offset) in [(1, 0.0), (17, 1e4), (33, -1e4)] {
            let mut row: Vec<f32> = (0..64).map(|i| offset + i as f32).collect();
            softmax_row(kernels, &mut row, n);
            assert!((row[..n].iter().sum::<f32>() - 1.0).abs() < 1e-5, "{isa:?}: {row:?}");
            assert!(n == 1 || (row[n - 1] / row[n - 2] - 1f32.exp()).abs() < 1e-5);
            assert!(row[n..n.next_multiple_of(kernels.lanes)].iter().all(|&v| v == 0.0));
        }
        let constant = vec![1e6; 64];
        let mut out = vec![f32::NAN; 64];
        layer_norm_rows(kernels, &constant, (&[2.0; 64], &[3.0; 64]), 1e-6, &mut out);
        assert!(out.iter().all(|&v| (v - 3.0).abs() < 1e-3), "{isa:?}: {out:?}");
    }
}

#[test]
fn weights_that_do_not_fit_name_the_rule() {
    let mut bad = weights(48, 3, 1, MlpActivation::Gelu, TokenPooling::Cls);
    bad.positions.pop();
    let refusal = |weights: &VitWeights| {
        Vit::new(weights, &Input::new(40, [0.5; 3], [0.5; 3])).unwrap_err().to_string()
    };
    assert!(refusal(&bad).contains("a position for every patch"), "{}", refusal(&bad));
    let mut cut = weights(48, 3, 1, MlpActivation::Gelu, TokenPooling::Tokens);
    cut.blocks[1].mlp_norm.iter_mut().for_each(|norm| norm.bias.truncate(48));
    assert!(refusal(&cut).contains("blocks of one shape"), "{}", refusal(&cut));
}

/// The bytes' own arithmetic in whole numbers: what rounding costs is not a matter of this test.
#[test]
fn byte_products_agree_with_the_definition_on_every_instruction_set() {
    for (n_in, n_out, n_tokens) in sizes([(48, 144, 11), (30, 80, 3), (384, 50, 17)], [(10, 20, 5)])
    {
        let noise = &mut Noise(21);
        let layer = linear(noise, n_in, n_out);
        let rows = noise.take(n_tokens * n_in);
        let residual = noise.take(n_tokens * n_out.next_multiple_of(16));
        let byte = |value: f32, most: f32| f64::from((value * (127.0 / most)).round_ties_even());
        let most = |values: &[f32]| values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        for isa in Isa::available() {
            let input =
                Input { isa, precision: Precision::Int8, ..Input::new(8, [0.5; 3], [0.5; 3]) };
            let packed = TokenLayer::new(&input, &layer).unwrap();
            let px = n_out.next_multiple_of(16);
            let mut out = vec![f32::NAN; n_tokens * px];
            let from = (rows.as_slice(), 0, n_in);
            packed.tokens(isa.kernels(), from, Some(&residual), &mut out, px);
            for (token, (row, out)) in rows.chunks(n_in).zip(out.chunks(px)).enumerate() {
                for (c, weights) in layer.weight.chunks(n_in).enumerate() {
                    let scales = (most(row), most(weights));
                    let sum: f64 = row
                        .iter()
                        .zip(weights)
                        .map(|(x, w)| byte(*x, scales.0) * byte(*w, scales.1))
                        .sum();
                    let expected = sum * f64::from(scales.0) / 127.0 * f64::from(scales.1) / 127.0
                        + f64::from(layer.bias[c])
                        + f64::from(residual[token * px + c]);
                    let error = (f64::from(out[c]) - expected).abs();
                    assert!(error < 1e-4, "{isa:?} {n_in} to {n_out}: {} {expected}", out[c]);
                }
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "a whole network; its kernels are tested alone")]
fn a_transformer_in_bytes_is_near_and_hides_no_nan() {
    let weights = weights(48, 3, 1, MlpActivation::Gelu, TokenPooling::Cls);
    let tile: Vec<u8> = Noise(8).take(4800).iter().map(|v| (v * 127.0 + 128.0) as u8).collect();
    let input = Input::new(40, [0.5; 3], [0.5; 3]);
    let embed = |weights: &VitWeights, precision| {
        let vit = Vit::new(weights, &Input { precision, ..input }).unwrap();
        let mut out = vec![0.0; vit.dim()];
        vit.embed(&tile, 1, &mut out).unwrap();
        out
    };
    let (exact, bytes) = (embed(&weights, Precision::F32), embed(&weights, Precision::Int8));
    let cosine = crate::doctor::cosine(&exact, &bytes);
    assert!((0.999..0.999_999_9).contains(&cosine), "cosine {cosine}");
    let mut bad = weights;
    bad.prefix[0] = f32::NAN;
    assert!(embed(&bad, Precision::Int8).iter().any(|v| v.is_nan()));
}
