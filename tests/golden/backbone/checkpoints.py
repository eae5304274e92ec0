# SPDX-License-Identifier: MIT OR Apache-2.0
"""Small PyTorch checkpoints of both layouts, and the embeddings of a small ResNet among them.

    pip install numpy==2.4.6 torch==2.9.0 torchvision==0.24.0
    python checkpoints.py          # writes checkpoints/
"""

import json
import pathlib

import torch
import torchvision

from parity import IN, run
from weights import fill

FOLDER = pathlib.Path(__file__).parent / "checkpoints"


def values():
    """One tensor of every kind: permuted, cut from a larger storage, shared, half, integer."""
    base = torch.arange(24, dtype=torch.float32)
    return {
        "whole": base.reshape(2, 3, 4),
        "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "cut": base[5:11].reshape(2, 3),
        "half": (base[:6] / 7).half(),
        "bfloat": (base[:6] / 7).bfloat16(),
        "double": (base[:6] / 7).double(),
        "scalar": torch.tensor(2.5),
        "counter": torch.tensor(3),
        "parameter": torch.nn.Parameter(base[:4].clone()),
    }


def resnet():
    """A ResNet of one stage, as a fine-tuned network would be saved."""
    model = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1],
                                      num_classes=3)
    fill(model, 5)
    model = model.half().float()
    state = {f"module.{k}": v.half() if v.is_floating_point() else v
             for k, v in model.state_dict().items()
             if not k.startswith(("layer2", "layer3", "layer4", "fc"))}
    body = torch.nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool, model.layer1)
    px, embeddings = run(body, 96, IN, lambda m, x: m(x).mean((2, 3)))
    return state, px, embeddings


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.save(values(), FOLDER / "kinds-zip.pth")
    torch.save(values(), FOLDER / "kinds-legacy.pth", _use_new_zipfile_serialization=False)
    state, px, embeddings = resnet()
    training = {"state_dict": state, "epoch": 7, "optimizer": {"lr": 1e-3, "betas": (0.9, 0.999)}}
    torch.save(training, FOLDER / "own-resnet.pth")
    rows = [[float(f"{v:.7g}") for v in row] for row in embeddings.tolist()]
    golden = {"origin": f"torch {torch.__version__}", "px": px, "embeddings": rows}
    (FOLDER / "own-resnet.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
