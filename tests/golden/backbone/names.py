# SPDX-License-Identifier: MIT OR Apache-2.0
"""Names and shapes of the tensors that other programs' networks have, without any value.

    pip install torch==2.9.0 torchvision==0.24.0 timm==1.0.22 transformers==4.57.1 \
        open_clip_torch==3.2.0
    pip install --no-deps torchscale==0.3.0   # its own pins are older than what it runs with
    python names.py > names.json

Nothing is downloaded: networks are built on torch's device `meta`. Transformers have two blocks,
since the others are alike; everything else is as published.
"""

import json
import sys
import types

import open_clip
import timm
import torch
import torchvision
import transformers
from timm.layers import SwiGLUPacked

from parity import AttentionPool

DEPTH = 2
SWIGLU = dict(mlp_layer=SwiGLUPacked, act_layer=torch.nn.SiLU)


def timm_model(name, **kwargs):
    return lambda: timm.create_model(name, **kwargs)


def hf(kind, config, **kwargs):
    kwargs = {"num_hidden_layers": DEPTH, **kwargs}
    return lambda: getattr(transformers, kind)(getattr(transformers, config)(**kwargs))


def hf_clip():
    vision = dict(hidden_size=768, patch_size=32, num_hidden_layers=DEPTH, num_attention_heads=12)
    config = transformers.CLIPConfig(
        vision_config=vision, text_config=dict(num_hidden_layers=DEPTH), projection_dim=512)
    return transformers.CLIPModel(config)


def open_clip_model(name):
    def build():
        config = open_clip.get_model_config(name)
        config["vision_cfg"]["layers"] = config["text_cfg"]["layers"] = DEPTH
        config.pop("custom_text", None)
        return open_clip.CLIP(**config)

    return build


def conch():
    """The image tower in CoCa as Lu et al. (2024) publish it."""
    visual, model = torch.nn.Module(), torch.nn.Module()
    visual.trunk = timm.models.vision_transformer.VisionTransformer(
        img_size=448, depth=DEPTH, num_classes=0)
    visual.attn_pool_contrast, visual.ln_contrast = AttentionPool(768, 512, 8), norm(512)
    visual.proj_contrast = torch.nn.Parameter(torch.empty(512, 512))
    visual.attn_pool_caption, visual.ln_caption = AttentionPool(768, 768, 8), norm(768)
    visual.attn_pool_caption.query = torch.nn.Parameter(torch.empty(256, 768))
    model.visual, model.text = visual, torch.nn.Module()
    model.text.token_embedding = torch.nn.Embedding(32007, 768)
    model.logit_scale = torch.nn.Parameter(torch.empty([]))
    return model


def norm(width):
    return torch.nn.LayerNorm(width)


def musk():
    """torchscale's BEiT-3 with the two projections of Xiang et al. (2025)."""
    # Wraps layers for training in parts, which is not asked for.
    parts = types.ModuleType("fairscale.nn")
    parts.checkpoint_wrapper = parts.wrap = None
    sys.modules.update({"fairscale": types.ModuleType("fairscale"), "fairscale.nn": parts})
    from torchscale.architecture.config import EncoderConfig
    from torchscale.model.BEiT3 import BEiT3

    model = torch.nn.Module()
    model.beit3 = BEiT3(EncoderConfig(
        img_size=384, patch_size=16, vocab_size=64010, multiway=True, normalize_output=True,
        no_output_layer=True, encoder_embed_dim=1024, encoder_attention_heads=16,
        encoder_ffn_embed_dim=4096, encoder_layers=DEPTH))
    model.vision_head = torch.nn.Linear(1024, 1024, bias=False)
    model.language_head = torch.nn.Linear(1024, 1024, bias=False)
    model.logit_scale = torch.nn.Parameter(torch.empty([]))
    return model


# Program, Eosin's card, whether the card's depth is cut to DEPTH, and the network.
NETWORKS = [
    ("timm", "uni", True, timm_model("vit_large_patch16_224", init_values=1e-5, depth=DEPTH)),
    ("timm", "lunit-dino-s16", True, timm_model("vit_small_patch16_224", depth=DEPTH)),
    ("timm", "uni2-h", True, timm_model(
        "vit_giant_patch14_224", img_size=224, patch_size=14, depth=DEPTH, num_heads=24,
        init_values=1e-5, embed_dim=1536, mlp_ratio=2.66667 * 2, num_classes=0,
        no_embed_class=True, reg_tokens=8, **SWIGLU)),
    ("timm", "h-optimus-0", True, timm_model(
        "vit_giant_patch14_reg4_dinov2", img_size=224, init_values=1e-5, num_classes=0,
        depth=DEPTH)),
    ("timm", "resnet50", False, timm_model("resnet50")),
    ("timm", "densenet121", False, timm_model("densenet121")),
    ("timm", "convnext-tiny", False, timm_model("convnext_tiny")),
    ("timm", "swin-tiny", False, timm_model("swin_tiny_patch4_window7_224")),
    ("timm", "efficientnet-b0", False, timm_model("efficientnet_b0")),
    ("timm", "efficientnet-lite2", False, timm_model("tf_efficientnet_lite2")),
    ("torchvision", "resnet18", False, torchvision.models.resnet18),
    ("torchvision", "resnet50", False, torchvision.models.resnet50),
    ("torchvision", "densenet121", False, torchvision.models.densenet121),
    ("transformers ViTModel", "phikon", True, hf("ViTModel", "ViTConfig")),
    ("transformers ViTForImageClassification", "phikon", True,
     hf("ViTForImageClassification", "ViTConfig")),
    ("transformers Dinov2Model", "phikon-v2", True,
     hf("Dinov2Model", "Dinov2Config", hidden_size=1024, num_attention_heads=16, image_size=224,
        patch_size=16)),
    ("transformers Dinov2Model, SwiGLU", "dinov2-g", True,
     hf("Dinov2Model", "Dinov2Config", hidden_size=1536, num_attention_heads=24, image_size=518,
        patch_size=14, use_swiglu_ffn=True)),
    ("transformers Dinov2WithRegistersModel", "dinov2-s-reg", True,
     hf("Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", hidden_size=384,
        num_attention_heads=6, image_size=518, patch_size=14)),
    ("transformers CLIPModel", "plip", True, hf_clip),
    ("open_clip", "quiltnet-b32", True, open_clip_model("ViT-B-32-quickgelu")),
    ("open_clip", "quiltnet-b16", True, open_clip_model("ViT-B-16")),
    ("CONCH", "conch", True, conch),
    ("torchscale", "musk", True, musk),
]


def main():
    found = []
    for program, card, is_cut, build in NETWORKS:
        with torch.device("meta"):
            state = build().state_dict()
        tensors = {name: list(values.shape) for name, values in state.items()
                   if values.is_floating_point()}
        found.append({"program": program, "card": card, "depth": DEPTH if is_cut else None,
                      "tensors": tensors})
        print(program, card, len(tensors), file=sys.stderr)
    json.dump(found, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
