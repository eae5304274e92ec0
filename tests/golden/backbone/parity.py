# SPDX-License-Identifier: MIT OR Apache-2.0
"""Embeddings of two tiles of tissue by timm or torchvision with deterministic weights.

    pip install numpy==2.4.6 pillow==13.0.0 torch==2.9.0 torchvision==0.24.0 timm==1.0.22
    python parity.py NAME…   # writes parity/NAME.json or parity/large/NAME.json
    python parity.py         # every one that CI checks
    python parity.py --all   # the true architectures of the large cards too; up to 16 GB
    python parity.py --onnx FOLDER NAME…   # FOLDER/NAME.onnx as well; needs onnx==1.23.2
    python parity.py --names [--all]   # which there are, a line each

Each entry builds the network as its authors publish it, not from Eosin's card, gives every tensor
its values by `weights.py`, and embeds the middle of the tiles of `tissue.py`. The weights are never
stored.
"""

import functools
import json
import pathlib
import sys

import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from timm.layers import SwiGLUPacked, resample_abs_pos_embed

from weights import fill

SEED = 2
IN = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5,) * 3, (0.5,) * 3)
LUNIT = ((0.70322989, 0.53606487, 0.66096631), (0.21716536, 0.26081574, 0.20723464))
BIOPTIMUS = ((0.707223, 0.578729, 0.703617), (0.211883, 0.230117, 0.177517))
HIBOU = ((0.7068, 0.5755, 0.722), (0.195, 0.2316, 0.1816))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
LITE = ((127 / 255,) * 3, (128 / 255,) * 3)
# Where the network that is being run is written as ONNX, if it is.
ONNX = []
SWIGLU = dict(mlp_layer=SwiGLUPacked, act_layer=torch.nn.SiLU)
# timm's BEiT-3 is torchscale's encoder, vision branch alone; its norms' epsilon is torchscale's.
BEIT3 = dict(scale_attn_norm=True, scale_mlp_norm=True,
             norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-5))


def vit(name, norm, pooling="cls", px=224, position_px=None, **kwargs):
    """A timm vision transformer; positions are made for another size where the authors do so."""

    def embed():
        build = functools.partial(timm.create_model, name, **{"num_classes": 0, **kwargs})
        model = build(img_size=position_px or px)
        fill(model, SEED)
        if position_px and position_px != px:
            state = model.state_dict()
            n_prefix = 0 if model.no_embed_class else model.num_prefix_tokens
            state["pos_embed"] = resample_abs_pos_embed(
                state["pos_embed"], model_grid(px, model), num_prefix_tokens=n_prefix)
            model = build(img_size=px)
            model.load_state_dict(state)
        return run(model, px, norm, lambda m, x: pool(m, m.forward_features(x), pooling))

    return embed


def model_grid(px, model):
    return [px // model.patch_embed.patch_size[0]] * 2


def pool(model, tokens, pooling):
    cls, mean = tokens[:, 0], tokens[:, model.num_prefix_tokens:].mean(1)
    if pooling == "clip":
        return cls @ model.head.weight.T
    return {"cls": cls, "mean": mean, "cls+mean": torch.cat([cls, mean], 1)}[pooling]


class AttentionPool(torch.nn.Module):
    """One learned query attends to every token, as in CoCa (Yu et al. 2022) and CONCH."""

    def __init__(self, tokens, width, heads):
        super().__init__()
        self.query = torch.nn.Parameter(torch.empty(1, width))
        self.attn = torch.nn.MultiheadAttention(
            width, heads, kdim=tokens, vdim=tokens, batch_first=True)
        self.ln_q, self.ln_k = torch.nn.LayerNorm(width), torch.nn.LayerNorm(tokens)

    def forward(self, tokens):
        query = self.ln_q(self.query).expand(len(tokens), 1, -1)
        keys = self.ln_k(tokens)
        return self.attn(query, keys, keys, need_weights=False)[0][:, 0]


def attention_pooled(name, norm, width, heads, px, **kwargs):
    """The image tower of Lu et al. (2024): a timm transformer of class and patch tokens, the
    contrastive pooler, and the layer norm after it; without the projection to the text's space."""

    def embed():
        model = timm.create_model(name, img_size=px, num_classes=0, **kwargs)
        model.attn_pool_contrast = AttentionPool(model.embed_dim, width, heads)
        model.ln_contrast = torch.nn.LayerNorm(width)
        fill(model, SEED)
        return run(model, px, norm, lambda m, x: m.ln_contrast(
            m.attn_pool_contrast(m.forward_features(x))))

    return embed


def average(name, norm, px=224, side=None, **kwargs):
    """A timm network whose features are averaged over positions, or over those in the middle
    `side` rows and columns."""

    def embed():
        model = timm.create_model(name, num_classes=0, **kwargs)
        fill(model, SEED)

        def middle(m, x):
            features = m.forward_features(x)
            start = (features.shape[-1] - side) // 2
            return features[..., start:start + side, start:start + side].mean((2, 3))

        return run(model, px, norm, middle if side else lambda m, x: m(x))

    return embed


def ctranspath():
    """Swin-T with the convolutional stem of Wang et al. (2022)."""
    model = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0)
    layers, channels = [], 3
    for out in (12, 24):
        layers += [torch.nn.Conv2d(channels, out, 3, 2, 1, bias=False), torch.nn.BatchNorm2d(out),
                   torch.nn.ReLU()]
        channels = out
    model.patch_embed.proj = torch.nn.Sequential(*layers, torch.nn.Conv2d(channels, 96, 1))
    fill(model, SEED)
    return run(model, 224, IN, lambda m, x: m(x))


def torchvision_resnet(name, norm, n_stages=4):
    def embed():
        model = getattr(torchvision.models, name)()
        fill(model, SEED)
        stages = [model.layer1, model.layer2, model.layer3, model.layer4][:n_stages]
        body = torch.nn.Sequential(
            model.conv1, model.bn1, model.relu, model.maxpool, *stages)
        return run(body, 224, norm, lambda m, x: m(x).mean((2, 3)))

    return embed


def tile(number, px):
    """The middle px × px pixels of a tile of tissue."""
    root = pathlib.Path(__file__).resolve().parents[3]
    tissue = Image.open(root / "crates" / "eosin-testkit" / "assets" / "tissue" / f"{number}.png")
    start = (tissue.width - px) // 2
    return np.asarray(tissue)[start:start + px, start:start + px]


def run(model, px, norm, forward):
    model.eval()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in norm)
    tiles = torch.from_numpy(np.stack([tile(n, px) for n in range(2)]))
    tiles = tiles.permute(0, 3, 1, 2).float() / 255
    tiles = (tiles - mean) / std
    if ONNX:
        export(model, forward, tiles)
    with torch.inference_mode():
        return px, forward(model, tiles)


class Embedding(torch.nn.Module):
    """A network up to its pooling."""

    def __init__(self, model, pooled):
        super().__init__()
        self.model, self.pooled = model, pooled

    def forward(self, x):
        return self.pooled(self.model, x)


def export(model, forward, tiles):
    """Writes a network as ONNX for exactly as many tiles as there are; what is more than one file
    may hold (2 GB) has its weights in files beside it."""
    torch.onnx.export(Embedding(model, forward).eval(), tiles, ONNX[0], dynamo=False,
                      opset_version=17, input_names=["image"], output_names=["embedding"])


# CI runs these: every family, every option of the ViT, in networks that are small.
SMALL = {
    "lunit-dino-s16": vit("vit_small_patch16_224", LUNIT),
    "dinov2-s": vit("vit_small_patch14_dinov2", IN, position_px=518),
    "plip": vit("vit_base_patch32_clip_quickgelu_224", CLIP, "clip", num_classes=512),
    "dinov2-s-reg": vit("vit_small_patch14_reg4_dinov2", IN, position_px=518),
    "test-vit-swiglu": vit("vit_tiny_patch16_224", HALF, "cls+mean", embed_dim=96, depth=3,
                           num_heads=4, mlp_ratio=5.33334, init_values=1e-5, reg_tokens=8,
                           no_embed_class=True, patch_size=14, px=112, **SWIGLU),
    "test-vit-clip": vit("vit_base_patch32_clip_quickgelu_224", CLIP, "clip", embed_dim=128,
                         depth=3, num_heads=2, num_classes=48),
    "test-vit-inner-norms": vit("vit_tiny_patch16_224", HALF, embed_dim=96, depth=3, num_heads=4,
                                px=112, **BEIT3),
    "test-vit-attention": attention_pooled("vit_tiny_patch16_224", CLIP, 80, 5, 96, embed_dim=96,
                                           depth=2, num_heads=4),
    "test-vit-mean": vit("vit_tiny_patch16_224", IN, "mean", depth=2, position_px=224, px=288),
    "resnet18": torchvision_resnet("resnet18", IN),
    "resnet50": torchvision_resnet("resnet50", IN),
    "resnet50-trunc": torchvision_resnet("resnet50", IN, 3),
    "efficientnet-lite0": average("tf_efficientnet_lite0", LITE),
    "efficientnet-lite0-centre": average("tf_efficientnet_lite0", LITE, side=3),
    "efficientnet-lite2": average("tf_efficientnet_lite2", LITE, 260),
    "efficientnet-lite1": average("tf_efficientnet_lite1", LITE, 240),
    "efficientnet-b0": average("efficientnet_b0", IN),
    "densenet121": average("densenet121", IN),
    "convnext-tiny": average("convnext_tiny", IN),
    "ctranspath": ctranspath,
    "swin-tiny": average("swin_tiny_patch4_window7_224", IN),
}

VIT_B, VIT_L, VIT_G = (f"vit_{size}_patch14_dinov2" for size in ("base", "large", "giant"))
VIT_B_REG, VIT_L_REG, VIT_G_REG = (
    f"vit_{size}_patch14_reg4_dinov2" for size in ("base", "large", "giant"))
H0_MINI = dict(init_values=1e-5, mlp_ratio=5.33334, **SWIGLU)
VIRCHOW = dict(init_values=1e-5, mlp_ratio=5.3375, **SWIGLU)

# True architectures of the larger cards.
LARGE = {
    "uni": vit("vit_large_patch16_224", IN, init_values=1e-5),
    "uni2-h": vit("vit_giant_patch14_224", IN, patch_size=14, depth=24, num_heads=24,
                  init_values=1e-5, embed_dim=1536, mlp_ratio=2.66667 * 2, no_embed_class=True,
                  reg_tokens=8, **SWIGLU),
    "virchow-cls": vit("vit_huge_patch14_224", IN, **VIRCHOW),
    "virchow-cls-mean": vit("vit_huge_patch14_224", IN, "cls+mean", **VIRCHOW),
    "virchow2-cls": vit("vit_huge_patch14_224", IN, reg_tokens=4, **VIRCHOW),
    "virchow2-cls-mean": vit("vit_huge_patch14_224", IN, "cls+mean", reg_tokens=4, **VIRCHOW),
    "prov-gigapath": vit("vit_giant_patch14_dinov2", IN, patch_size=16, init_values=1e-5,
                         mlp_ratio=5.33334),
    "h-optimus-0": vit(VIT_G_REG, BIOPTIMUS, init_values=1e-5),
    "h0-mini-cls": vit(VIT_B_REG, BIOPTIMUS, **H0_MINI),
    "h0-mini-cls-mean": vit(VIT_B_REG, BIOPTIMUS, "cls+mean", **H0_MINI),
    "hibou-b": vit(VIT_B_REG, HIBOU),
    "hibou-l": vit(VIT_L_REG, HIBOU),
    "gpfm": vit(VIT_L, IN),
    "kaiko-b8": vit("vit_base_patch8_224", HALF),
    "kaiko-b16": vit("vit_base_patch16_224", HALF),
    "kaiko-s8": vit("vit_small_patch8_224", HALF),
    "phikon": vit("vit_base_patch16_224", IN,
                  norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-12)),
    "quiltnet-b16": vit("vit_base_patch16_clip_quickgelu_224", CLIP, "clip", num_classes=512),
    "dinov2-b": vit(VIT_B, IN, position_px=518),
    "dinov2-b-reg": vit(VIT_B_REG, IN, position_px=518),
    "dinov2-l": vit(VIT_L, IN, position_px=518),
    "dinov2-l-reg": vit(VIT_L_REG, IN, position_px=518),
    "dinov2-g": vit(VIT_G, IN, position_px=518),
    "dinov2-g-reg": vit(VIT_G_REG, IN, position_px=518),
    "midnight-12k-cls-mean": vit(VIT_G, HALF, "cls+mean", position_px=518),
    "conch": attention_pooled("vit_base_patch16_224", CLIP, 512, 8, 448),
    "musk": vit("beit3_large_patch16_224", HALF, global_pool="token", px=384),
}


def main():
    names = sys.argv[1:]
    if names[:1] == ["--names"]:
        print(*[*SMALL, *(LARGE if "--all" in names else [])], sep="\n")
        return
    folder_onnx = None
    if names[:1] == ["--onnx"]:
        folder_onnx = pathlib.Path(names[1])
        folder_onnx.mkdir(exist_ok=True, parents=True)
        names = names[2:]
    if names == ["--all"]:
        names = [*SMALL, *LARGE]
    for name in names or SMALL:
        ONNX[:] = [str(folder_onnx / f"{name}.onnx")] if folder_onnx else []
        folder = pathlib.Path(__file__).parent / "parity" / ("" if name in SMALL else "large")
        folder.mkdir(exist_ok=True, parents=True)
        px, embeddings = {**SMALL, **LARGE}[name]()
        origin = f"timm {timm.__version__}, torchvision {torchvision.__version__}, " \
                 f"torch {torch.__version__}"
        rows = [[float(f"{v:.7g}") for v in row] for row in embeddings.tolist()]
        result = {"origin": origin, "seed": SEED, "px": px, "embeddings": rows}
        (folder / f"{name}.json").write_text(json.dumps(result) + "\n")
        print(name, px, len(rows[0]), f"std {embeddings.std():.3g}",
              f"max {embeddings.abs().max():.3g}", flush=True)


if __name__ == "__main__":
    main()
