// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::Path;

use eosin_core::{Card, RgbImage};

use super::*;
use eosin_backbone::{EngineOptions, LoadOptions, layers, parse_card};

const PX: usize = 32;

/// A card with random weights of a network small enough to train in a test.
fn card(family: &str, pooling: &str, dim: u32, architecture: &str) -> Card {
    let text = format!(
        r#"
        name = "tiny-{family}"
        family = "{family}"
        summary = "for tests"
        input_px = {PX}
        mean = [0.5, 0.5, 0.5]
        std = [0.25, 0.25, 0.25]
        resampling = "bilinear"
        pooling = "{pooling}"
        dim = {dim}
        precision = "f32"
        training_sources = []
        architecture = {{ {architecture} }}
        licence = {{ name = "own", allows = "commercial" }}
        weights = {{ kind = "random", seed = 5 }}
        "#
    );
    parse_card(&text, Path::new("tiny.toml")).unwrap()
}

fn resnet() -> Card {
    card("resnet", "average", 64, r#"layers = [1], block = "basic""#)
}

/// Checks of two widths in colours of their own: only the texture tells the classes.
fn tile(row: usize) -> RgbImage {
    let mut rng = ChaCha8Rng::seed_from_u64(row as u64);
    let width = if row.is_multiple_of(2) { 2 } else { 8 };
    let base: [u8; 3] = std::array::from_fn(|_| rng.random_range(40..160));
    let start = rng.random_range(0..8);
    let mut image = RgbImage::filled(PX as u32, PX as u32, [0; 3]);
    for (i, pixel) in image.data_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = (i % PX + start, i / PX + start);
        let bright = (x / width + y / width) % 2 == 1;
        for (value, base) in pixel.iter_mut().zip(base) {
            *value = base + if bright { 80 } else { 0 } + rng.random_range(0..16);
        }
    }
    image
}

fn options() -> FineTuneOptions {
    FineTuneOptions {
        epochs: 5,
        batch: 8,
        learning_rate: 1e-3,
        head_learning_rate: 1e-2,
        weight_decay: 0.0,
        seed: 1,
    }
}

/// The passes of a run on the checks, 32 tiles to train on and 24 to validate on.
fn passes(card: &Card, options: &FineTuneOptions) -> Vec<FineTuneEpoch> {
    let labels: Vec<u32> = (0..56).map(|row| row % 2).collect();
    let (train, validation): (Vec<_>, Vec<_>) = (0..56).partition(|row| *row < 32);
    let read = |row: usize| Ok(tile(row));
    let set = FineTuneSet {
        read: &read,
        labels: &labels,
        n_classes: 2,
        train: &train,
        validation: &validation,
    };
    let mut passes = Vec::new();
    let load = LoadOptions {
        engine: EngineOptions { engine: "flex".into(), device: None },
        ..LoadOptions::default()
    };
    crate::fine_tune(card, &load, &set, options, &mut |epoch| {
        passes.push(epoch.clone());
        ControlFlow::Continue(())
    })
    .unwrap();
    passes
}

#[test]
fn training_lowers_the_loss_and_scores_unseen_tiles() {
    let passes = passes(&resnet(), &options());
    let losses: Vec<f64> = passes.iter().map(|p| p.loss).collect();
    let called = passes[4].probabilities.argmax();
    let right = called.iter().enumerate().filter(|(i, c)| **c == (i % 2) as u32).count();
    eprintln!("losses {losses:.3?}, {right} of {} right", called.len());
    assert!(losses[4] < 0.5 * losses[0]);
    assert!(right >= 20, "chance is 12");
}

#[test]
fn the_seed_decides_the_result() {
    let short = FineTuneOptions { epochs: 2, ..options() };
    let first = passes(&resnet(), &short);
    assert_eq!(first, passes(&resnet(), &short));
    assert_ne!(first, passes(&resnet(), &FineTuneOptions { seed: 2, ..short }));
}

#[test]
fn an_interruption_ends_the_run() {
    let (labels, read) = ([0, 1, 0, 1], |row: usize| Ok(tile(row)));
    let set = FineTuneSet {
        read: &read,
        labels: &labels,
        n_classes: 2,
        train: &[0, 1],
        validation: &[2, 3],
    };
    let mut n_passes = 0;
    crate::fine_tune(&resnet(), &LoadOptions::default(), &set, &options(), &mut |_| {
        n_passes += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(n_passes, 1);
}

/// The values of every parameter, in the order of the walk.
#[derive(Default)]
struct Values(Vec<Vec<f32>>);

impl Visitor for Values {
    fn tensor<const D: usize>(&mut self, tensor: &mut Tensor<Dispatch, D>) {
        self.0.push(values(tensor.clone()).unwrap());
    }
}

fn values_of(parameters: &mut impl Parameters) -> Vec<Vec<f32>> {
    let mut values = Values::default();
    parameters.visit(&mut values);
    values.0
}

/// Without weight decay only a gradient moves a parameter. The first step moves the scores alone,
/// which start at zero, the second one everything before them.
fn moves(card: &Card, make: impl FnOnce(Layers, BurnDevice) -> (Vec<Vec<f32>>, Vec<Vec<f32>>)) {
    let device = BurnDevice::open("flex", None).unwrap().tracked();
    let (layers, _) = layers(card, None).unwrap();
    let (before, after) = make(layers, device);
    assert!(before.len() > 3 && before.len() == after.len(), "{}", card.name);
    for (i, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_ne!(before, after, "{}: parameter {i} of {}", card.name, after.len());
    }
}

/// Parameters before and after two steps.
fn two_steps(mut trunk: impl Trunk, card: &Card, device: &BurnDevice) -> [Vec<Vec<f32>>; 2] {
    let before = values_of(&mut trunk);
    let (labels, read) = ([0, 1, 0, 1, 0], |row: usize| Ok(tile(row)));
    let set = FineTuneSet {
        read: &read,
        labels: &labels,
        n_classes: 2,
        train: &[0, 1, 2, 3],
        validation: &[4],
    };
    let options = FineTuneOptions { epochs: 1, batch: 2, ..options() };
    let head = Classifier::new(None, card.dim as usize, 2, device);
    let run = Run { card, device, set: &set, options: &options };
    run.train(&mut trunk, head, &mut |_| ControlFlow::Continue(())).unwrap();
    [before, values_of(&mut trunk)]
}

macro_rules! gradients_reach {
    ($name:ident, $family:ident, $new:expr, $card:expr) => {
        #[test]
        fn $name() {
            let card = $card;
            moves(&card, |layers, device| {
                let Layers::$family(weights) = layers else { panic!("another family") };
                let trunk = $new(weights, device.clone());
                let [before, after] = two_steps(trunk, &card, &device);
                (before, after)
            });
        }
    };
}

const HALF: [f64; 3] = [0.5; 3];

gradients_reach!(
    every_layer_of_an_efficientnet_is_trained,
    EfficientNet,
    |w, d| EfficientNet::new(w, HALF, HALF, d),
    card(
        "efficientnet",
        "average",
        320,
        r#"width = 0.25, depth = 0.3, lite = false, padding = "same", norm_eps = 1e-3"#
    )
);
gradients_reach!(
    every_layer_of_a_resnet_is_trained,
    ResNet,
    |w, d| ResNet::new(w, HALF, HALF, d),
    resnet()
);
gradients_reach!(
    every_layer_of_a_densenet_is_trained,
    DenseNet,
    |w, d| DenseNet::new(w, HALF, HALF, d),
    card("densenet", "average", 44, "layers = [1, 1], growth = 8")
);
gradients_reach!(
    every_layer_of_a_convnext_is_trained,
    ConvNext,
    |w, d| ConvNext::new(w, HALF, HALF, d),
    card("convnext", "average", 16, "depths = [1, 1], widths = [8, 16]")
);
gradients_reach!(
    every_layer_of_a_swin_is_trained,
    Swin,
    |w, d| Swin::new(w, PX, HALF, HALF, d),
    card("swin", "average", 16, "width = 8, depths = [2, 1], heads = [2, 2], window = 4")
);
gradients_reach!(every_layer_of_a_vit_is_trained, Vit, |w, d| Vit::new(w, HALF, HALF, d), vit(0));

fn vit(projection: usize) -> Card {
    let architecture = format!(
        "patch = 8, width = 16, depth = 2, heads = 2, mlp = \"gelu\", mlp_ratio = 2.0, \
         embed_class = true, layer_scale = true, norm_eps = 1e-6, position_px = {PX}, \
         projection = {projection}"
    );
    card("vit", "cls", if projection > 0 { projection as u32 } else { 16 }, &architecture)
}

#[test]
fn a_projection_is_part_of_what_is_trained() {
    let passes = passes(&vit(8), &FineTuneOptions { epochs: 3, ..options() });
    assert!(passes[2].loss < passes[0].loss, "{} then {}", passes[0].loss, passes[2].loss);
}

#[test]
fn poses_are_those_of_a_square() {
    let pixels: Vec<u8> = [1, 2, 3, 4].into_iter().flat_map(|v| [v; 3]).collect();
    let corners = |pose| in_pose(&pixels, 2, pose).into_iter().step_by(3).collect::<Vec<u8>>();
    assert_eq!(corners(0), [1, 2, 3, 4]);
    assert_eq!(corners(1), [3, 1, 4, 2]);
    assert_eq!(corners(2), [4, 3, 2, 1]);
    assert_eq!(corners(4), [2, 1, 4, 3]);
    let mut all: Vec<_> = (0..8).map(corners).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let read = |row: usize| Ok(tile(row));
    let one_class = FineTuneSet {
        read: &read,
        labels: &[0, 0, 1],
        n_classes: 2,
        train: &[0, 1],
        validation: &[2],
    };
    let engine = |name: &str| LoadOptions {
        engine: EngineOptions { engine: name.into(), device: None },
        ..LoadOptions::default()
    };
    let run = |set: &FineTuneSet, engine_name: &str, options: &FineTuneOptions| {
        let each = &mut |_: &FineTuneEpoch| ControlFlow::Continue(());
        crate::fine_tune(&resnet(), &engine(engine_name), set, options, each)
            .unwrap_err()
            .to_string()
    };
    let sound = FineTuneSet { train: &[0, 2], ..one_class };
    assert!(run(&one_class, "auto", &options()).contains("two classes"));
    assert!(run(&sound, "native", &options()).contains("training on engine `native`"));
    let still = FineTuneOptions { learning_rate: 0.0, ..options() };
    assert!(run(&sound, "auto", &still).contains("learning_rate"));
}
