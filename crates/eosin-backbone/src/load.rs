// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::{Path, PathBuf};

use eosin_core::{Backbone, BackboneInfo, Card, Device, Error, Result};

use crate::arch::{
    ConvNextArch, ConvNextArgs, DenseNetArch, DenseNetArgs, EfficientNetArch, EfficientNetArgs,
    EfficientNetWeights, MapPooling, ResNetArch, ResNetArgs, SwinArch, SwinArgs, Tail, TensorSpec,
    VitArch, VitArgs,
};
use crate::card::check_card;
use crate::card_bounds::n_parameters;
use crate::colour::{COLOUR_DIM, ColourStatistics};
use crate::engine::{NativeEngine, NetworkEngine, require_native};
use crate::names::to_timm_names;
use crate::native::TokenPooling;
use crate::network::{Built, Layers, NetworkBackbone, Tailed, build};
use crate::source::{Loaded, find_weights};
use crate::{EngineOptions, TensorReport, WeightMap};

/// The most values of a transformer's positions, for the grid of the card or of its training.
const MAX_POSITION_VALUES: usize = 1 << 28;

/// The family that has no network.
const COLOUR_STATISTICS: &str = "colour-statistics";

/// How a card's backbone is to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Which engine computes on which device.
    pub engine: EngineOptions,
    /// A weights file to use instead of the card's.
    pub weights: Option<PathBuf>,
}

/// An architecture family.
struct Family {
    name: &'static str,
    poolings: &'static [&'static str],
    /// Tensors that a checkpoint may have beyond the network's: classifiers and training heads.
    ignored: &'static [&'static str],
    plan: fn(&Card) -> Result<Plan>,
}

/// What a family makes of a card.
struct Plan {
    dim: usize,
    specs: Vec<TensorSpec>,
    has_native: bool,
    take: TakeLayers,
}

/// A card's family, what it makes of the card, and how large that is.
struct Planned {
    family: &'static Family,
    plan: Plan,
    n_parameters: u64,
}

type TakeLayers = Box<dyn Fn(&mut WeightMap) -> (Layers, Option<Tail>)>;

static FAMILIES: [Family; 6] = [
    Family { name: "convnext", poolings: &["average"], ignored: &["head.fc."], plan: convnext },
    Family { name: "densenet", poolings: &["average"], ignored: &["classifier."], plan: densenet },
    Family {
        name: "efficientnet",
        poolings: &["average", "centre"],
        ignored: &["classifier."],
        plan: efficientnet,
    },
    Family { name: "resnet", poolings: &["average"], ignored: &["fc.", "layer4."], plan: resnet },
    Family { name: "swin", poolings: &["average"], ignored: &["head."], plan: swin },
    Family {
        name: "vit",
        poolings: &["cls", "mean", "cls+mean", "attention"],
        ignored: &[
            "head.",
            "head_dist.",
            "fc_norm.",
            "classifier.",
            "mask_token",
            "pooler.",
            "embeddings.",
            "text_model.",
            "text_projection.",
            "logit_scale",
            "vision_model.embeddings.position_ids",
            // CoCa's second pooler, for captions, and the projection to its text's space.
            "attn_pool_caption.",
            "ln_caption.",
            "proj_contrast",
            // BEiT-3's projections to the space that it shares with text.
            "vision_head.",
            "language_head.",
        ],
        plan: vit,
    },
];

/// Makes the backbone that a card describes ready to run on the engine of this crate.
pub fn load(card: &Card, options: &LoadOptions) -> Result<Box<dyn Backbone>> {
    if card.family == COLOUR_STATISTICS {
        let info = colour_statistics(card)?;
        let network = Box::new(ColourStatistics);
        return Ok(Box::new(NetworkBackbone { info, network, flops: None }));
    }
    require_native(&options.engine, planned(card)?.plan.has_native)?;
    load_on(card, options.weights.as_deref(), &NativeEngine)
}

/// The same on any engine that takes the families' layers; `weights` is a file to use instead of
/// the card's.
pub fn load_on(
    card: &Card,
    weights: Option<&Path>,
    engine: &dyn NetworkEngine,
) -> Result<Box<dyn Backbone>> {
    let planned = planned(card)?;
    let ((layers, tail), identity) = read_layers(card, weights, &planned)?;
    let mut info = card.info(identity, planned.n_parameters, engine.name());
    let flops = layers.flops(card.input_px as usize);
    let Built { mut network, precision } = build(layers, card, engine)?;
    info.precision = precision;
    if let Some(tail) = tail {
        network = Box::new(Tailed { network, tail });
    }
    Ok(Box::new(NetworkBackbone { info, network, flops }))
}

/// A card's weights in the order of its layers, with what follows its pooling; `weights` is a file
/// to use instead of the card's.
pub fn layers(card: &Card, weights: Option<&Path>) -> Result<(Layers, Option<Tail>)> {
    Ok(read_layers(card, weights, &planned(card)?)?.0)
}

/// Finds the weights, takes the layers out of them and refuses what is left; with their identity.
fn read_layers(
    card: &Card,
    weights: Option<&Path>,
    planned: &Planned,
) -> Result<((Layers, Option<Tail>), String)> {
    let Loaded { mut weights, identity } = find_weights(card, weights, &planned.plan.specs)?;
    let layers = take_layers(planned, &mut weights);
    weights.finish(planned.family.ignored)?;
    match layers {
        Some(layers) => Ok((layers, identity)),
        // With so little in the weights something is missing, which was the error before this.
        None => Err(too_large(card)),
    }
}

/// Takes the layers out of the weights, noting there what is wrong.
///
/// Zeros stand in for what is missing, so that every fault is told at once; where the weights are
/// so few that zeros would be most of the network, the faults alone are noted and nothing is made.
fn take_layers(planned: &Planned, weights: &mut WeightMap) -> Option<(Layers, Option<Tail>)> {
    if weights.n_values() < planned.n_parameters / 4 {
        weights.compare(&planned.plan.specs);
        return None;
    }
    Some((planned.plan.take)(weights))
}

/// Compares a card's weights with its architecture, and where they fit gives them to the engine of
/// this crate, if it has the family, as loading does: what is sound here can be loaded, and what
/// cannot be is an error.
pub fn check(card: &Card, options: &LoadOptions) -> Result<TensorReport> {
    if card.family == COLOUR_STATISTICS {
        colour_statistics(card)?;
        return Ok(TensorReport::default());
    }
    let planned = planned(card)?;
    let weights = options.weights.as_deref();
    let Loaded { mut weights, .. } = find_weights(card, weights, &planned.plan.specs)?;
    let layers = take_layers(&planned, &mut weights);
    let report = weights.report(planned.family.ignored);
    if report.is_sound() {
        let (layers, _) = layers.ok_or_else(|| too_large(card))?;
        if serves(card, None) {
            build(layers, card, &NativeEngine)?;
        }
    }
    Ok(report)
}

/// Compares tensors in memory, under any program's names, with a card's architecture.
pub fn check_tensors(card: &Card, tensors: WeightMap) -> Result<TensorReport> {
    let planned = planned_of_any_dim(card)?;
    let mut weights = to_timm_names(tensors, &planned.plan.specs);
    take_layers(&planned, &mut weights);
    Ok(weights.report(planned.family.ignored))
}

/// Names and shapes of the tensors that a card's network needs, under timm's names.
pub fn tensors(card: &Card) -> Result<Vec<TensorSpec>> {
    Ok(planned_of_any_dim(card)?.plan.specs)
}

fn colour_statistics(card: &Card) -> Result<BackboneInfo> {
    check_card(card, &named(card))?;
    expect_dim(card, COLOUR_DIM)?;
    Ok(card.info("none".into(), 0, "native".into()))
}

fn planned(card: &Card) -> Result<Planned> {
    let planned = planned_of_any_dim(card)?;
    expect_dim(card, planned.plan.dim)?;
    Ok(planned)
}

/// What a card's family makes of it, once its numbers are known to be ones that a network can have.
fn planned_of_any_dim(card: &Card) -> Result<Planned> {
    let family = find_family(card)?;
    check_card(card, &named(card))?;
    let plan = (family.plan)(card)?;
    let n_parameters = n_parameters(&plan.specs).ok_or_else(|| too_large(card))?;
    Ok(Planned { family, plan, n_parameters })
}

/// How errors name a card whose file is not known any more.
fn named(card: &Card) -> PathBuf {
    PathBuf::from(format!("card {}", card.name))
}

fn too_large(card: &Card) -> Error {
    Error::input(
        format!("card {}, [architecture]", card.name),
        "a network of at most 2^32 values, all of them in its weights",
        format!("{:?}", card.architecture_text()),
        "compare with a card of the same family",
    )
}

/// Whether a card is of a family of this crate that a network computes; statistics of colours need
/// none. A card that is wrong is taken for one of its family, so that loading says what is wrong.
pub fn has_family(card: &Card) -> bool {
    FAMILIES.iter().any(|family| family.name == card.family)
}

/// Whether the engine of this crate runs a card, in its precision, on a device.
pub fn serves(card: &Card, device: Option<Device>) -> bool {
    let is_half = ["f16", "bf16"].contains(&card.precision.as_str());
    let has_native = |planned: Planned| planned.plan.has_native && !is_half;
    device.is_none_or(|device| device == Device::Cpu)
        && (card.family == COLOUR_STATISTICS
            || (has_family(card) && planned(card).map_or(true, has_native)))
}

fn find_family(card: &Card) -> Result<&'static Family> {
    let mut names = vec![COLOUR_STATISTICS];
    names.extend(FAMILIES.iter().map(|f| f.name));
    if card.family == "onnx" {
        return Err(Error::unsupported(
            format!("an ONNX file, which card {} is,", card.name),
            &names,
            "use eosin-backbone-onnx, the Cargo feature `onnx` of crate eosin and of the command",
        ));
    }
    let Some(family) = FAMILIES.iter().find(|f| f.name == card.family) else {
        return Err(Error::unsupported(
            format!("architecture family `{}` of card {}", card.family, card.name),
            &names,
            "name one of these in the card's `family`",
        ));
    };
    if !family.poolings.contains(&card.pooling.as_str()) {
        return Err(Error::unsupported(
            format!("pooling `{}` of card {}", card.pooling, card.name),
            family.poolings,
            "name one of these in the card's `pooling`",
        ));
    }
    Ok(family)
}

fn efficientnet(card: &Card) -> Result<Plan> {
    let args: EfficientNetArgs = card.arguments()?;
    let arch = EfficientNetArch::new(&args);
    let pooling = if card.pooling == "centre" { MapPooling::Centre } else { MapPooling::Average };
    Ok(Plan {
        dim: arch.head.out_channels,
        specs: arch.tensors(),
        has_native: args.lite,
        take: Box::new(move |weights| {
            let weights = EfficientNetWeights { pooling, ..arch.take(weights) };
            (Layers::EfficientNet(weights), None)
        }),
    })
}

fn resnet(card: &Card) -> Result<Plan> {
    let args: ResNetArgs = card.arguments()?;
    let arch = ResNetArch::new(&args);
    Ok(Plan {
        dim: arch.dim(),
        specs: arch.tensors(),
        has_native: true,
        take: Box::new(move |weights| (Layers::ResNet(arch.take(weights)), None)),
    })
}

fn densenet(card: &Card) -> Result<Plan> {
    let args: DenseNetArgs = card.arguments()?;
    let arch = DenseNetArch::new(args);
    Ok(Plan {
        dim: arch.dim(),
        specs: arch.tensors(),
        has_native: false,
        take: Box::new(move |weights| (Layers::DenseNet(arch.take(weights)), None)),
    })
}

fn convnext(card: &Card) -> Result<Plan> {
    let args: ConvNextArgs = card.arguments()?;
    if args.depths.len() != args.widths.len() {
        return Err(Error::input(
            format!("card {}, [architecture]", card.name),
            "a depth and a width for each stage",
            format!("{args:?}"),
            "compare with a card of the same family",
        ));
    }
    let arch = ConvNextArch::new(args);
    Ok(Plan {
        dim: arch.dim(),
        specs: arch.tensors(),
        has_native: false,
        take: Box::new(move |weights| (Layers::ConvNext(arch.take(weights)), None)),
    })
}

fn swin(card: &Card) -> Result<Plan> {
    let args: SwinArgs = card.arguments()?;
    let first = card.input_px as usize / 4;
    let fits = |stage: usize| {
        let side = first >> stage;
        side << stage == first && side > 0 && side.is_multiple_of(args.window.max(1))
    };
    let divides = |(stage, &heads): (usize, &usize)| (args.width << stage).is_multiple_of(heads);
    let is_sound = args.depths.len() == args.heads.len()
        && card.input_px.is_multiple_of(4)
        && (0..args.depths.len()).all(fits)
        && args.heads.iter().enumerate().all(divides);
    if !is_sound {
        return Err(Error::input(
            format!("card {}, [architecture]", card.name),
            "heads that divide the width, and windows that divide the map of every stage",
            format!("{args:?} at {} px", card.input_px),
            "Swin-T with windows of 7 takes 224 px",
        ));
    }
    let arch = SwinArch::new(args);
    Ok(Plan {
        dim: arch.dim(),
        specs: arch.tensors(),
        has_native: false,
        take: Box::new(move |weights| (Layers::Swin(arch.take(weights)), None)),
    })
}

fn vit(card: &Card) -> Result<Plan> {
    let args: VitArgs = card.arguments()?;
    let input_px = card.input_px as usize;
    // Positions are brought from one grid to the other, with a row of the width for each patch.
    let n_patches = (args.position_px.max(input_px) / args.patch.max(1)).pow(2);
    let is_sound = args.width.is_multiple_of(args.heads)
        && n_patches * args.width <= MAX_POSITION_VALUES
        && args.position_px.min(input_px) >= args.patch;
    if !is_sound {
        return Err(Error::input(
            format!("card {}, [architecture]", card.name),
            "a width that the heads divide, and images of at least one patch and at most 2^28 values \
             of positions",
            format!("{args:?}"),
            "compare with a card of the same family",
        ));
    }
    let pooling = match card.pooling.as_str() {
        "mean" => TokenPooling::Mean,
        "cls+mean" => TokenPooling::ClsMean,
        "attention" => TokenPooling::Tokens,
        _ => TokenPooling::Cls,
    };
    check_attention_pool(card, &args, pooling)?;
    let arch = VitArch::new(args, pooling);
    Ok(Plan {
        dim: arch.dim(),
        specs: arch.tensors(),
        has_native: true,
        take: Box::new(move |weights| {
            (Layers::Vit(arch.take(weights, input_px)), arch.take_tail(weights))
        }),
    })
}

/// Pooling `attention`, and no other, has a width and heads.
fn check_attention_pool(card: &Card, args: &VitArgs, pooling: TokenPooling) -> Result<()> {
    let (width, heads) = (args.pool_width, args.pool_heads);
    let (is_sound, expected) = if pooling == TokenPooling::Tokens {
        let is_sound =
            heads > 0 && width > 0 && width.is_multiple_of(heads) && args.projection == 0;
        (is_sound, "a pool_width that pool_heads divides, and no projection")
    } else {
        (width == 0 && heads == 0, "neither pool_width nor pool_heads without pooling `attention`")
    };
    if is_sound {
        return Ok(());
    }
    Err(Error::input(
        format!("card {}, [architecture]", card.name),
        expected,
        format!("pool_width {width}, pool_heads {heads}, projection {}", args.projection),
        "compare with the card conch",
    ))
}

fn expect_dim(card: &Card, dim: usize) -> Result<()> {
    if card.dim as usize == dim {
        return Ok(());
    }
    Err(Error::input(
        format!("card {}, dim", card.name),
        format!("{dim}, which its architecture gives"),
        card.dim.to_string(),
        "mend the card",
    ))
}
