# SPDX-License-Identifier: MIT OR Apache-2.0
"""Embeddings of two synthetic tiles by timm or torchvision with deterministic weights.

    pip install numpy==2.4.6 torch==2.9.0 torchvision==0.24.0 timm==1.0.22
    python parity.py NAME…   # writes parity/NAME.json or parity/large/NAME.json
    python parity.py         # every one that CI checks
    python parity.py --all   # the true architectures of the large cards too; up to 16 GB
    python parity.py --onnx FOLDER NAME…   # FOLDER/NAME.onnx instead; needs onnx==1.23.2

Each entry builds the network as its authors publish it, not from Eosin's card, gives every tensor
its values by `weights.py`, and embeds the tiles of `tiles.py`. The weights are never stored.
"""

import functools
import json
import pathlib
import sys

import timm
import torch
import torchvision
from timm.layers import SwiGLUPacked, resample_abs_pos_embed

from tiles import batch
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


def average(name, norm, px=224, **kwargs):
    """A timm network whose features are averaged over positions."""

    def embed():
        model = timm.create_model(name, num_classes=0, **kwargs)
        fill(model, SEED)
        return run(model, px, norm, lambda m, x: m(x))

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


def run(model, px, norm, forward):
    model.eval()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in norm)
    tiles = torch.from_numpy(batch(2, px)).permute(0, 3, 1, 2).float() / 255
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
    """Writes a network as ONNX for exactly as many tiles as there are."""
    if sum(p.numel() for p in model.parameters()) > 400_000_000:
        print("not exported: larger than one ONNX file may be", flush=True)
        return
    torch.onnx.export(Embedding(model, forward).eval(), tiles, ONNX[0], dynamo=False,
                      opset_version=17, input_names=["image"], output_names=["embedding"])


# CI runs these: every family, every option of the ViT, in networks that are small.
SMALL = {
    "lunit-dino-s16": vit("vit_small_patch16_224", LUNIT),
    "dinov2-s-reg": vit("vit_small_patch14_reg4_dinov2", IN, position_px=518),
    "test-vit-swiglu": vit("vit_tiny_patch16_224", HALF, "cls+mean", embed_dim=96, depth=3,
                           num_heads=4, mlp_ratio=5.33334, init_values=1e-5, reg_tokens=8,
                           no_embed_class=True, patch_size=14, px=112, **SWIGLU),
    "test-vit-clip": vit("vit_base_patch32_clip_quickgelu_224", CLIP, "clip", embed_dim=128,
                         depth=3, num_heads=2, num_classes=48),
    "test-vit-mean": vit("vit_tiny_patch16_224", IN, "mean", depth=2, position_px=224, px=288),
    "resnet18": torchvision_resnet("resnet18", IN),
    "resnet50": torchvision_resnet("resnet50", IN),
    "resnet50-trunc": torchvision_resnet("resnet50", IN, 3),
    "efficientnet-lite1": average("tf_efficientnet_lite1", LITE, 240),
    "efficientnet-b0": average("efficientnet_b0", IN),
    "densenet121": average("densenet121", IN),
    "convnext-tiny": average("convnext_tiny", IN),
    "ctranspath": ctranspath,
    "swin-tiny": average("swin_tiny_patch4_window7_224", IN),
}

# True architectures of the larger cards.
LARGE = {
    "uni": vit("vit_large_patch16_224", IN, init_values=1e-5),
    "uni2-h": vit("vit_giant_patch14_224", IN, patch_size=14, depth=24, num_heads=24,
                  init_values=1e-5, embed_dim=1536, mlp_ratio=2.66667 * 2, no_embed_class=True,
                  reg_tokens=8, **SWIGLU),
    "virchow-cls": vit("vit_huge_patch14_224", IN, "cls", init_values=1e-5, mlp_ratio=5.3375,
                   **SWIGLU),
    "virchow2-cls-mean": vit("vit_huge_patch14_224", IN, "cls+mean", init_values=1e-5, mlp_ratio=5.3375,
                    reg_tokens=4, **SWIGLU),
    "prov-gigapath": vit("vit_giant_patch14_dinov2", IN, patch_size=16, init_values=1e-5,
                         mlp_ratio=5.33334),
    "h-optimus-0": vit("vit_giant_patch14_reg4_dinov2", BIOPTIMUS, init_values=1e-5),
    "kaiko-b8": vit("vit_base_patch8_224", HALF),
}


def main():
    names = sys.argv[1:]
    folder_onnx = None
    if names[:1] == ["--onnx"]:
        folder_onnx = pathlib.Path(names[1])
        folder_onnx.mkdir(exist_ok=True, parents=True)
        names = names[2:]
    if names == ["--all"]:
        names = [*SMALL, *LARGE]
    for name in names or SMALL:
        if folder_onnx:
            ONNX[:] = [str(folder_onnx / f"{name}.onnx")]
            {**SMALL, **LARGE}[name]()
            continue
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
