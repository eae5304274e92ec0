// SPDX-License-Identifier: MIT OR Apache-2.0

use std::path::PathBuf;

use eosin_core::{Backbone, Error, Result};

use crate::arch::{
    ConvNextArch, ConvNextArgs, DenseNetArch, DenseNetArgs, EfficientNetArch, EfficientNetArgs,
    EfficientNetWeights, MapPooling, ResNetArch, ResNetArgs, SwinArch, SwinArgs, Tail, TensorSpec,
    VitArch, VitArgs,
};
use crate::colour::{COLOUR_DIM, ColourStatistics};
use crate::engine::Engine;
use crate::names::to_timm_names;
use crate::native::TokenPooling;
use crate::network::{Built, Layers, NetworkBackbone, Tailed, build};
use crate::source::{Loaded, find_weights};
use crate::{Card, EngineOptions, TensorReport, WeightMap};

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

/// Makes the backbone that a card describes ready to run.
pub fn load(card: &Card, options: &LoadOptions) -> Result<Box<dyn Backbone>> {
    if card.family == "colour-statistics" {
        expect_dim(card, COLOUR_DIM)?;
        let info = card.info("none".into(), 0, "native".into());
        let network = Box::new(ColourStatistics);
        return Ok(Box::new(NetworkBackbone { info, network, flops: None }));
    }
    let family = find_family(card)?;
    let plan = (family.plan)(card)?;
    expect_dim(card, plan.dim)?;
    // Engine `native` has no half precision, so `auto` leaves it aside.
    let is_half = options.engine.engine == "auto" && ["f16", "bf16"].contains(&&*card.precision);
    let engine = Engine::choose(&options.engine, plan.has_native && !is_half)?;
    let ((layers, tail), identity) = read_layers(card, options, family, &plan)?;
    let parameters = plan.specs.iter().map(|s| s.shape.iter().product::<usize>() as u64).sum();
    let mut info = card.info(identity, parameters, engine.name());
    let flops = layers.flops(card.input_px as usize);
    let Built { mut network, precision } = build(layers, card, engine)?;
    info.precision = precision;
    if let Some(tail) = tail {
        network = Box::new(Tailed { network, tail });
    }
    Ok(Box::new(NetworkBackbone { info, network, flops }))
}

/// A card's weights in the order of its layers, with what follows its pooling.
#[cfg(feature = "fine-tune")]
pub(crate) fn layers(card: &Card, options: &LoadOptions) -> Result<(Layers, Option<Tail>)> {
    let family = find_family(card)?;
    let plan = (family.plan)(card)?;
    expect_dim(card, plan.dim)?;
    Ok(read_layers(card, options, family, &plan)?.0)
}

/// Finds the weights, takes the layers out of them and refuses what is left; with their identity.
fn read_layers(
    card: &Card,
    options: &LoadOptions,
    family: &Family,
    plan: &Plan,
) -> Result<((Layers, Option<Tail>), String)> {
    let Loaded { mut weights, identity } = find_weights(card, options, &plan.specs)?;
    let layers = (plan.take)(&mut weights);
    weights.finish(family.ignored)?;
    Ok((layers, identity))
}

/// Compares a card's weights with its architecture, without giving them to an engine.
pub fn check(card: &Card, options: &LoadOptions) -> Result<TensorReport> {
    if card.family == "colour-statistics" {
        return Ok(TensorReport::default());
    }
    let family = find_family(card)?;
    let plan = (family.plan)(card)?;
    expect_dim(card, plan.dim)?;
    let Loaded { mut weights, .. } = find_weights(card, options, &plan.specs)?;
    (plan.take)(&mut weights);
    Ok(weights.report(family.ignored))
}

/// The same for tensors in memory, under any program's names.
pub fn check_tensors(card: &Card, tensors: WeightMap) -> Result<TensorReport> {
    let family = find_family(card)?;
    let plan = (family.plan)(card)?;
    let mut weights = to_timm_names(tensors, &plan.specs);
    (plan.take)(&mut weights);
    Ok(weights.report(family.ignored))
}

/// Names and shapes of the tensors that a card's network needs, under timm's names.
pub fn tensors(card: &Card) -> Result<Vec<TensorSpec>> {
    Ok((find_family(card)?.plan)(card)?.specs)
}

fn find_family(card: &Card) -> Result<&'static Family> {
    let mut names = vec!["colour-statistics"];
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
    check_stages(card, "layers", &args.layers, 128)?;
    let arch = ResNetArch::new(&args);
    Ok(Plan {
        dim: arch.dim(),
        specs: arch.tensors(),
        has_native: true,
        take: Box::new(move |weights| (Layers::ResNet(arch.take(weights)), None)),
    })
}

/// Refuses stage lists that no network of the family has, before they cost memory.
fn check_stages(card: &Card, key: &str, values: &[usize], most: usize) -> Result<()> {
    let is_sound = (1..=4).contains(&values.len()) && values.iter().all(|n| (1..=most).contains(n));
    if is_sound {
        return Ok(());
    }
    Err(Error::input(
        format!("card {}, architecture.{key}", card.name),
        format!("one to four numbers from 1 to {most}"),
        format!("{values:?}"),
        "compare with a card of the same family",
    ))
}

fn densenet(card: &Card) -> Result<Plan> {
    let args: DenseNetArgs = card.arguments()?;
    check_stages(card, "layers", &args.layers, 128)?;
    check_stages(card, "growth", &[args.growth], 256)?;
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
    check_stages(card, "depths", &args.depths, 128)?;
    check_stages(card, "widths", &args.widths, 4096)?;
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
    check_stages(card, "depths", &args.depths, 128)?;
    check_stages(card, "heads", &args.heads, 128)?;
    let first = card.input_px as usize / 4;
    let fits = |stage: usize| {
        let side = first >> stage;
        side << stage == first && side > 0 && side.is_multiple_of(args.window.max(1))
    };
    let divides = |(stage, &heads): (usize, &usize)| (args.width << stage).is_multiple_of(heads);
    let is_sound = args.depths.len() == args.heads.len()
        && (8..=4096).contains(&args.width)
        && (1..=64).contains(&args.window)
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
    let is_sound = args.patch > 0
        && args.heads > 0
        && args.width.is_multiple_of(args.heads)
        && args.depth <= 256
        && args.width <= 16_384
        && (0.1..=64.0).contains(&args.mlp_ratio)
        && args.position_px <= 4096
        && args.position_px.min(input_px) >= args.patch;
    if !is_sound {
        return Err(Error::input(
            format!("card {}, [architecture]", card.name),
            "a width that the heads divide, and images of at least one patch",
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
        let divides = heads > 0 && width.is_multiple_of(heads.max(1));
        let is_sound = divides && (1..=16_384).contains(&width) && args.projection == 0;
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
