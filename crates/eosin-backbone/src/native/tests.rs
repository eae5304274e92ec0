// SPDX-License-Identifier: MIT OR Apache-2.0

use super::conv::{ConvRows, PackedConv};
use super::depthwise::PackedDepthwise;
use super::kernel::Pixels;
use super::winograd::Winograd;
use super::{EfficientNet, Input, Isa, ResNet};
use crate::arch::{
    Activation, Conv, ConvShape, EfficientNetArch, EfficientNetArgs, EfficientNetWeights, Padding,
    ResNetArch, ResNetArgs, ResNetBlock, ResNetWeights,
};
use crate::{WeightMap, WeightTensor};

/// Numbers between −1 and 1 that look random (SplitMix64).
pub(super) struct Noise(pub(super) u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub(super) fn take(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.next()).collect()
    }
}

/// `all`, or under Miri, a thousand times slower, `few` that reach every tail of the loops.
pub(super) fn sizes<T: Clone, const N: usize, const M: usize>(all: [T; N], few: [T; M]) -> Vec<T> {
    if cfg!(miri) { few.to_vec() } else { all.to_vec() }
}

fn input(px: usize) -> Input {
    Input::new(px, [0.5; 3], [0.25; 3])
}

fn conv(noise: &mut Noise, shape: ConvShape, activation: Activation) -> Conv {
    let n: usize = shape.weight_shape().iter().product();
    Conv { shape, weight: noise.take(n), bias: noise.take(shape.out_channels), activation }
}

/// One output value in f64, straight from the definition; `at` gives zeros outside of the image.
fn direct(
    conv: &Conv,
    at: impl Fn(usize, usize, usize) -> f32,
    y: usize,
    x: usize,
    out: usize,
) -> f64 {
    let shape = conv.shape;
    let per_group = shape.in_channels / shape.groups;
    let group = out / (shape.out_channels / shape.groups);
    let mut sum = f64::from(conv.bias[out]);
    for c in 0..per_group {
        for ky in 0..shape.kernel {
            for kx in 0..shape.kernel {
                let w = ((out * per_group + c) * shape.kernel + ky) * shape.kernel + kx;
                let value = at(y * shape.stride + ky, x * shape.stride + kx, group * per_group + c);
                sum += f64::from(conv.weight[w]) * f64::from(value);
            }
        }
    }
    match conv.activation {
        Activation::Relu6 => sum.clamp(0.0, 6.0),
        Activation::Relu => sum.max(0.0),
        _ => sum,
    }
}

#[test]
fn convolutions_of_every_size_and_instruction_set_agree_with_the_definition() {
    let mut noise = Noise(1);
    // in, out, kernel, stride, output width, rows: tails of pixels, vectors, panels and passes.
    for (cin, cout, kernel, stride, width, n_rows) in sizes(
        [
            (3, 32, 3, 2, 9, 3),
            (24, 40, 1, 1, 13, 2),
            (5, 7, 3, 1, 1, 1),
            (700, 50, 1, 1, 7, 1),
            (64, 17, 3, 2, 5, 2),
            (16, 100, 1, 2, 11, 3),
        ],
        [(3, 20, 3, 2, 5, 2), (9, 7, 1, 1, 5, 1), (800, 5, 1, 1, 2, 1)],
    ) {
        let shape = ConvShape {
            in_channels: cin,
            out_channels: cout,
            kernel,
            stride,
            groups: 1,
            padding: Padding::Same,
        };
        let conv = conv(&mut noise, shape, Activation::Relu6);
        for isa in Isa::available() {
            let kernels = isa.kernels();
            for px in [cin, cin.next_multiple_of(kernels.lanes)] {
                let columns = (width - 1) * stride + kernel;
                let lines = (n_rows - 1) * stride + kernel;
                let row = columns * px;
                let input = noise.take(lines * row);
                let packed = PackedConv::new(kernels, &conv, row, px).unwrap();
                let out_px = cout.next_multiple_of(kernels.lanes);
                let mut out = vec![f32::NAN; n_rows * width * out_px];
                let residual = noise.take(out.len());
                let rows = ConvRows {
                    input: &input,
                    from: Pixels { start: 0, row: stride * row, px: stride * px, ring: usize::MAX },
                    first_row: 0,
                    n_rows,
                    width,
                    to: Pixels { start: 0, row: width * out_px, px: out_px, ring: usize::MAX },
                    residual: None,
                };
                packed.rows(kernels, &rows, &mut out);
                for (i, pixel) in out.chunks_exact(out_px).enumerate() {
                    for (c, &value) in pixel.iter().enumerate().take(cout) {
                        let at = |y: usize, x: usize, c: usize| input[y * row + x * px + c];
                        let expected = direct(&conv, at, i / width, i % width, c);
                        let error = (f64::from(value) - expected).abs();
                        assert!(error < 1e-4, "{isa:?} {shape:?} at {i}, {c}: {value} {expected}");
                    }
                    assert!(pixel[cout..].iter().all(|&v| v == 0.0), "padded channels stay zero");
                }
                let without = out.clone();
                let linear = Conv { activation: Activation::None, ..conv.clone() };
                let packed = PackedConv::new(kernels, &linear, row, px).unwrap();
                packed.rows(kernels, &rows, &mut out);
                let mut with = without;
                packed.rows(kernels, &ConvRows { residual: Some(&residual), ..rows }, &mut with);
                for i in 0..out.len() {
                    assert!((out[i] + residual[i] - with[i]).abs() < 1e-6, "residual is added");
                }
            }
        }
    }
}

#[test]
fn depthwise_convolutions_agree_with_the_definition() {
    let mut noise = Noise(2);
    for (channels, kernel, stride, width, n_rows) in
        [(16, 3, 1, 9, 3), (40, 5, 2, 7, 2), (7, 3, 2, 1, 1), (33, 5, 1, 14, 4)]
    {
        let shape = ConvShape {
            in_channels: channels,
            out_channels: channels,
            kernel,
            stride,
            groups: channels,
            padding: Padding::Same,
        };
        let conv = conv(&mut noise, shape, Activation::Relu);
        for isa in Isa::available() {
            let kernels = isa.kernels();
            let px = channels.next_multiple_of(kernels.lanes);
            let row = ((width - 1) * stride + kernel) * px;
            let input = noise.take(((n_rows - 1) * stride + kernel) * row);
            let windows: Vec<usize> = (0..n_rows)
                .flat_map(|y| (0..kernel).map(move |ky| (y * stride + ky) * row))
                .collect();
            let packed = PackedDepthwise::new(kernels, &conv).unwrap();
            let mut out = vec![f32::NAN; n_rows * width * px];
            packed.rows(kernels, &input, &windows, width, &mut out);
            for (i, pixel) in out.chunks_exact(px).enumerate() {
                for (c, &value) in pixel.iter().enumerate().take(channels) {
                    let at = |y: usize, x: usize, c: usize| input[y * row + x * px + c];
                    let expected = direct(&conv, at, i / width, i % width, c);
                    let error = (f64::from(value) - expected).abs();
                    assert!(error < 1e-4, "{isa:?} {shape:?} at {i}, {c}: {value} {expected}");
                }
            }
        }
    }
}

/// Weights that keep activations healthy: He-scaled noise, folded norms.
fn weights(arch: &EfficientNetArch) -> EfficientNetWeights {
    let mut noise = Noise(3);
    let mut map = WeightMap::new("noise");
    let mut convs = vec![("conv_stem".to_string(), arch.stem), ("conv_head".into(), arch.head)];
    for block in &arch.blocks {
        convs.extend(block.expand.map(|e| (format!("{}.conv_pw", block.name), e)));
        convs.push((format!("{}.conv_dw", block.name), block.depthwise));
        let project = if block.expand.is_some() { "conv_pwl" } else { "conv_pw" };
        convs.push((format!("{}.{project}", block.name), block.project));
    }
    for (name, shape) in convs {
        let size = shape.weight_shape();
        let n: usize = size.iter().product();
        let scale = (6.0 / (n / size[0]) as f32).sqrt();
        let values = noise.take(n).into_iter().map(|v| v * scale).collect();
        map.insert(format!("{name}.weight"), WeightTensor { shape: size.to_vec(), values });
        let values = noise.take(size[0]).into_iter().map(|v| v * 0.1).collect();
        map.insert(format!("{name}.bias"), WeightTensor { shape: vec![size[0]], values });
    }
    let taken = arch.take(&mut map);
    map.finish(&[]).unwrap();
    taken
}

fn lite(depth: f64) -> EfficientNetArch {
    EfficientNetArch::new(&EfficientNetArgs {
        width: 1.0,
        depth,
        lite: true,
        padding: Padding::Same,
        norm_eps: 1e-3,
    })
}

/// A convolution of a square map, from the definition.
fn apply(conv: &Conv, side: usize, input: &[f32]) -> (usize, Vec<f32>) {
    let (before, channels) = (conv.shape.pads(side).0, conv.shape.in_channels);
    let at = |y: usize, x: usize, c: usize| match (y.checked_sub(before), x.checked_sub(before)) {
        (Some(y), Some(x)) if y < side && x < side => input[(y * side + x) * channels + c],
        _ => 0.0,
    };
    let n = conv.shape.n_out(side);
    let out = (0..n * n * conv.shape.out_channels)
        .map(|i| {
            let (pixel, c) = (i / conv.shape.out_channels, i % conv.shape.out_channels);
            direct(conv, at, pixel / n, pixel % n, c) as f32
        })
        .collect();
    (n, out)
}

/// The network in f64 from the definition, for one tile.
fn reference(weights: &EfficientNetWeights, side: usize, tile: &[u8]) -> Vec<f64> {
    let image: Vec<f32> = tile.iter().map(|&v| (f32::from(v) / 255.0 - 0.5) / 0.25).collect();
    let (mut side, mut map) = apply(&weights.stem, side, &image);
    for block in &weights.blocks {
        let input = map.clone();
        if let Some(expand) = &block.expand {
            (side, map) = apply(expand, side, &map);
        }
        (side, map) = apply(&block.depthwise, side, &map);
        (side, map) = apply(&block.project, side, &map);
        if block.residual {
            map.iter_mut().zip(&input).for_each(|(v, i)| *v += i);
        }
    }
    let (side, map) = apply(&weights.head, side, &map);
    let dim = weights.head.shape.out_channels;
    let n = (side * side) as f64;
    (0..dim)
        .map(|c| map.iter().skip(c).step_by(dim).map(|&v| f64::from(v)).sum::<f64>() / n)
        .collect()
}

#[test]
#[cfg_attr(miri, ignore = "a whole network; its kernels are tested alone")]
fn efficientnet_agrees_with_the_definition_on_every_instruction_set() {
    let (arch, side) = (lite(1.0), 37);
    let weights = weights(&arch);
    let tile: Vec<u8> =
        Noise(4).take(side * side * 3).iter().map(|v| (v * 127.0 + 128.0) as u8).collect();
    let expected = reference(&weights, side, &tile);
    let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    assert!(largest > 0.1, "the reference is alive: {largest}");
    for isa in Isa::available() {
        let network = EfficientNet::new(&weights, &Input { isa, ..input(side) }).unwrap();
        assert_eq!((network.dim(), network.isa()), (1280, isa));
        let mut out = vec![0.0; 1280];
        network.embed(&tile, 1, &mut out).unwrap();
        for (value, expected) in out.iter().zip(&expected) {
            let error = (f64::from(*value) - expected).abs();
            assert!(error < 1e-4 * largest, "{isa:?}: {value} {expected}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "a whole network; its kernels are tested alone")]
fn threads_and_batch_size_change_no_bit() {
    let (arch, side) = (lite(1.1), 48);
    let network = EfficientNet::new(&weights(&arch), &input(side)).unwrap();
    let n_tiles = 7;
    let tiles: Vec<u8> = Noise(5)
        .take(n_tiles * side * side * 3)
        .iter()
        .map(|v| (v * 127.0 + 128.0) as u8)
        .collect();
    let mut expected = vec![0.0; n_tiles * 1280];
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    pool(1).install(|| network.embed(&tiles, n_tiles, &mut expected)).unwrap();
    for threads in [1, 2, 3, 5] {
        for batch in [1, 2, 7] {
            let mut out = vec![0.0; expected.len()];
            pool(threads).install(|| {
                for (tiles, out) in
                    tiles.chunks(batch * side * side * 3).zip(out.chunks_mut(batch * 1280))
                {
                    network.embed(tiles, out.len() / 1280, out).unwrap();
                }
            });
            assert!(out == expected, "{threads} threads, batches of {batch}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "a whole network; its kernels are tested alone")]
fn a_batch_of_the_wrong_size_is_an_error() {
    let network = EfficientNet::new(&weights(&lite(1.0)), &input(32)).unwrap();
    let error = network.embed(&[0; 100], 1, &mut [0.0; 1280]).unwrap_err();
    assert!(error.to_string().contains("3072 bytes"), "{error}");
    network.embed(&[], 0, &mut []).unwrap();
}

/// A ResNet in f64 from the definition, for one tile with mean 0.5 and std 0.25.
fn resnet_reference(weights: &ResNetWeights, side: usize, tile: &[u8]) -> Vec<f64> {
    let image: Vec<f32> = tile.iter().map(|&v| (f32::from(v) / 255.0 - 0.5) / 0.25).collect();
    let (stem_side, stem) = apply(&weights.stem, side, &image);
    let (mut side, mut channels) = ((stem_side - 1) / 2 + 1, weights.stem.shape.out_channels);
    let mut map = vec![0.0f32; side * side * channels];
    for (i, value) in map.iter_mut().enumerate() {
        let (y, x, c) = (i / channels / side, i / channels % side, i % channels);
        let near = |v: usize| (2 * v).saturating_sub(1)..(2 * v + 2).min(stem_side);
        *value = near(y)
            .flat_map(|y| near(x).map(move |x| (y, x)))
            .map(|(y, x)| stem[(y * stem_side + x) * channels + c])
            .fold(f32::NEG_INFINITY, f32::max);
    }
    for block in &weights.blocks {
        let (input, input_side) = (map.clone(), side);
        for conv in &block.convs {
            (side, map) = apply(conv, side, &map);
            channels = conv.shape.out_channels;
        }
        let residual = match &block.shortcut {
            Some(conv) => apply(conv, input_side, &input).1,
            None => input,
        };
        map.iter_mut().zip(&residual).for_each(|(v, r)| *v = (*v + r).max(0.0));
    }
    let n = (side * side) as f64;
    let mean = |c| map.iter().skip(c).step_by(channels).map(|&v| f64::from(v)).sum::<f64>() / n;
    (0..channels).map(mean).collect()
}

#[test]
#[cfg_attr(miri, ignore = "a whole network; its kernels are tested alone")]
fn resnets_agree_with_the_definition_and_change_no_bit_with_threads() {
    for (block, layers) in
        [(ResNetBlock::Basic, vec![1, 1, 1]), (ResNetBlock::Bottleneck, vec![1, 2, 1])]
    {
        let arch = ResNetArch::new(&ResNetArgs { layers, block });
        let mut noise = Noise(9);
        let mut map = WeightMap::new("noise");
        for spec in arch.tensors() {
            let n: usize = spec.shape.iter().product();
            let per_output = (n / spec.shape[0]) as f32;
            let values = match spec.name.rsplit('.').next() {
                Some("running_var") => noise.take(n).iter().map(|v| 1.0 + 0.5 * v).collect(),
                Some("weight") if spec.shape.len() == 4 => {
                    noise.take(n).iter().map(|v| v * (6.0 / per_output).sqrt()).collect()
                }
                Some("weight") => noise.take(n).iter().map(|v| 0.7 + 0.3 * v).collect(),
                _ => noise.take(n).iter().map(|v| 0.1 * v).collect(),
            };
            map.insert(spec.name, WeightTensor { shape: spec.shape, values });
        }
        let weights = arch.take(&mut map);
        map.finish(&[]).unwrap();
        // Odd and even maps on the way down.
        for side in [45, 64] {
            let (n_tiles, dim) = (3, arch.dim());
            let tile = side * side * 3;
            let tiles: Vec<u8> =
                noise.take(n_tiles * tile).iter().map(|v| (v * 127.0 + 128.0) as u8).collect();
            let expected = resnet_reference(&weights, side, &tiles[..tile]);
            let largest = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            assert!(largest > 0.1, "the reference is alive: {largest}");
            for isa in Isa::available() {
                let network = ResNet::new(&weights, &Input { isa, ..input(side) }).unwrap();
                assert_eq!((network.dim(), network.isa()), (dim, isa));
                let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
                let mut first = vec![0.0; n_tiles * dim];
                pool(1).install(|| network.embed(&tiles, n_tiles, &mut first)).unwrap();
                for (value, expected) in first.iter().zip(&expected) {
                    let error = (f64::from(*value) - expected).abs();
                    assert!(error < 1e-4 * largest, "{isa:?} {side}: {value} {expected}");
                }
                for (threads, batch) in [(2, 3), (2, 1), (5, 2), (7, 1)] {
                    let mut out = vec![0.0; n_tiles * dim];
                    pool(threads).install(|| {
                        for (t, o) in tiles.chunks(batch * tile).zip(out.chunks_mut(batch * dim)) {
                            network.embed(t, o.len() / dim, o).unwrap();
                        }
                    });
                    assert!(out == first, "{isa:?}, {threads} threads, batches of {batch}");
                }
            }
        }
    }
}

#[test]
fn winograd_agrees_with_the_definition() {
    let mut noise = Noise(11);
    for (side, cin, cout) in
        sizes([(24, 16, 20), (12, 33, 16), (14, 16, 7)], [(24, 4, 5), (12, 5, 4)])
    {
        let shape = ConvShape {
            in_channels: cin,
            out_channels: cout,
            kernel: 3,
            stride: 1,
            groups: 1,
            padding: Padding::Symmetric,
        };
        let conv = conv(&mut noise, shape, Activation::Relu);
        let plain: Vec<f32> = noise.take(side * side * cin);
        let (_, expected) = apply(&conv, side, &plain);
        for isa in Isa::available() {
            let kernels = isa.kernels();
            let px = cin.next_multiple_of(kernels.lanes);
            let row = (side + 2) * px;
            let mut input = vec![0.0; (side + 2) * row];
            for (i, pixel) in plain.chunks(cin).enumerate() {
                let at = (i / side + 1) * row + (i % side + 1) * px;
                input[at..at + cin].copy_from_slice(pixel);
            }
            let winograd = Winograd::new(kernels, &conv, side, px).unwrap().unwrap();
            let out_px = cout.next_multiple_of(kernels.lanes);
            let residual: Vec<f32> = noise.take(side * side * out_px);
            let mut buffers = winograd.buffers();
            let n_rows = winograd.rows(3);
            let mut out = vec![f32::NAN; residual.len()];
            for (strip, out) in out.chunks_mut(n_rows * side * out_px).enumerate() {
                let first = strip * n_rows;
                let n_rows = out.len() / (side * out_px);
                let input = (&input[first * row..], row);
                let residual = Some(&residual[first * side * out_px..]);
                let out = (out, side * out_px);
                winograd.run(kernels, input, residual, out, n_rows, &mut buffers);
            }
            // The definition's ReLU came before the residual: undo what it hid.
            for (i, pixel) in out.chunks_exact(out_px).enumerate() {
                for c in 0..cout {
                    let sum = expected[i * cout + c] + residual[i * out_px + c];
                    let hidden = expected[i * cout + c] == 0.0;
                    let fits = if hidden {
                        pixel[c] <= sum.max(0.0) + 1e-4
                    } else {
                        (pixel[c] - sum.max(0.0)).abs() < 1e-4
                    };
                    assert!(fits, "{isa:?} {shape:?} at {i}, {c}: {} {sum}", pixel[c]);
                }
            }
        }
    }
}
