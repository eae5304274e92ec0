# SPDX-License-Identifier: MIT OR Apache-2.0
"""The deterministic weights of eosin-backbone's `random_tensor`, bit for bit.

    pip install numpy==2.4.6
    python weights.py > weights.json
"""

import json
import math
import sys

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def splitmix64(state):
    """The output function of SplitMix, of one value or an array."""
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def centre_and_spread(name, shape):
    if name.endswith("running_mean"):
        return 0.0, 0.1
    if name.endswith("running_var"):
        return 1.0, 0.25
    if name.endswith(("token", "embed")):
        return 0.0, 0.5
    if len(shape) == 1 and name.endswith("gamma"):
        return 0.2, 0.1
    if len(shape) == 1 and name.endswith("weight"):
        return 1.0, 0.1
    if len(shape) <= 1:
        return 0.0, 0.05
    gain = 2.0 if len(shape) == 4 and shape[3] > 1 else 1.0
    return 0.0, math.sqrt(3.0 * gain / max(math.prod(shape[1:]), 1))


def tensor(name, shape, seed):
    """The tensor of a name, a shape and a seed, in float32."""
    centre, spread = centre_and_spread(name, shape)
    start = np.uint64(fnv1a(name)) ^ splitmix64(seed)
    with np.errstate(over="ignore"):
        steps = np.arange(math.prod(shape), dtype=np.uint64) * np.uint64(GOLDEN) + start
    unit = (splitmix64(steps) >> np.uint64(40)).astype(np.float64) / float(1 << 24)
    return (centre + spread * (2.0 * unit - 1.0)).astype(np.float32).reshape(shape)


def fill(model, seed):
    """Gives every floating tensor of a torch model's state its deterministic values."""
    import torch

    with torch.no_grad():
        for name, values in model.state_dict().items():
            if values.is_floating_point():
                values.copy_(torch.from_numpy(tensor(name, tuple(values.shape), seed)))


def main():
    cases = [
        ("conv_stem.weight", (32, 3, 3, 3), 1),
        ("bn1.weight", (32,), 1),
        ("bn1.bias", (32,), 1),
        ("bn1.running_mean", (32,), 7),
        ("bn1.running_var", (32,), 7),
        ("blocks.0.attn.qkv.weight", (1152, 384), 2),
        ("blocks.0.ls1.gamma", (384,), 2),
        ("pos_embed", (1, 197, 384), 2),
        ("cls_token", (1, 1, 384), 0),
        ("blocks.1.0.conv_pw.weight", (96, 16, 1, 1), 0xFFFFFFFFFFFFFFFF),
    ]
    json.dump(
        [
            {"name": name, "shape": shape, "seed": seed,
             "bits": tensor(name, shape, seed).ravel()[:4].view(np.uint32).tolist()}
            for name, shape, seed in cases
        ],
        sys.stdout,
        indent=0,
    )
    print()


if __name__ == "__main__":
    main()
