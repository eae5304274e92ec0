# SPDX-License-Identifier: MIT OR Apache-2.0
"""Embeds real tiles and finds scikit-learn's optima on them, for a test that is run by hand.

Run with Python 3.11 or later, numpy 2.3.5, onnxruntime 1.23.2, Pillow 13.0.0, scikit-learn 1.7.2:
    python tests/golden/head/tiles.py DATA OUT
    EOSIN_TILE_OPTIMA=OUT cargo test -p eosin-head tile_embeddings

DATA is the folder of real data; the tiles may not be passed on, nor is anything made from them
kept in the repository. Writes OUT/<task>.f32 and OUT/<task>.json.
"""
import csv
import json
import pathlib
import sys
import warnings

import numpy as np
import onnxruntime
from PIL import Image
from scipy.special import logsumexp, softmax
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
PENALTIES = [1e-4, 1e-2, 1.0, 1e2, 1e4]
data, out = map(pathlib.Path, sys.argv[1:])
out.mkdir(parents=True, exist_ok=True)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
network = onnxruntime.InferenceSession(data / "backbones/efficientnet_lite0.onnx", options)


def embed(path):
    tile = Image.open(path).convert("RGB").resize((224, 224), Image.BICUBIC)
    x = (np.asarray(tile, np.float32).transpose(2, 0, 1)[None] - 127) / 128
    return network.run(["embedding"], {"image": x})[0][0]


def optimum(z, y, penalty):
    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-12, max_iter=500)
    model.fit(z, y)
    scores = z @ model.coef_.T + model.intercept_
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    hot = np.eye(scores.shape[1])[y]
    value = (logsumexp(scores, axis=1) - (scores * hot).sum(1)).sum()
    residual = softmax(scores, axis=1) - hot
    gradient = (residual.T @ z)[-model.coef_.shape[0]:] + penalty * model.coef_
    relative = np.linalg.norm(gradient) / np.linalg.norm((hot.mean(0) - hot).T @ z)
    print(f"  {penalty:g}: relative gradient {relative:.0e}", flush=True)
    value += penalty / 2 * (model.coef_**2).sum()
    return dict(penalty=penalty, objective=float(value), weights=model.coef_.ravel().tolist())


for task, column, step in [("mitosis", "label", 1), ("colon-cells", "label", 5)]:
    with open(data / task / "manifest.csv") as f:
        rows = list(csv.DictReader(f))[::step]
    x = np.array([embed(data / task / row["path"]) for row in rows], np.float32)
    classes = sorted({row[column] for row in rows})
    y = np.array([classes.index(row[column]) for row in rows])
    z = x.astype(float)
    scale = z.std(0)
    z = (z - z.mean(0)) / np.where(scale > 0, scale, 1)
    print(f"{task}: {x.shape[0]} x {x.shape[1]}, {len(classes)} classes")
    x.tofile(out / f"{task}.f32")
    optima = [optimum(z, y, penalty) for penalty in PENALTIES]
    made = dict(d=x.shape[1], y=y.tolist(), optima=optima)
    (out / f"{task}.json").write_text(json.dumps(made))
