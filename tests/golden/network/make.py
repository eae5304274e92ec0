# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes steps.json: losses, outputs and AdamW steps of the three networks, as PyTorch has them.

Run with Python 3.11 or later, numpy 2.4.6 and torch 2.15.0 (on the CPU):
    python tests/golden/network/make.py
"""
import json
import pathlib

import numpy as np
import torch
from torch.nn.functional import log_softmax, relu, softmax

torch.set_num_threads(1)
rng = np.random.default_rng(20240303)


def normal(*shape):
    # Rounded, so that the file is short and f32 holds every number as it is written.
    return torch.tensor(np.round(rng.normal(0, 0.6, shape) * 64) / 64, dtype=torch.float32)


def numbers(t):
    return [float(x) for x in t.detach().flatten()]


def train(parameters, loss, steps, lr, decay):
    """AdamW with decay on weights alone; returns the loss before each step."""
    for p in parameters:
        p.requires_grad_(True)
    weights = [p for p in parameters if p.shape[0] > 1]
    biases = [p for p in parameters if p.shape[0] == 1]
    groups = [dict(params=weights, weight_decay=decay), dict(params=biases, weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=lr, eps=1e-8)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        losses.append(value.item())
        optimizer.step()
    return losses


def arrays(parameters):
    return [dict(rows=p.shape[0], cols=p.shape[1], values=numbers(p)) for p in parameters]


def mlp():
    n, d, h, k = 6, 5, 4, 3
    x, targets = normal(n, d), torch.tensor(np.round(rng.dirichlet(np.ones(k), n) * 64) / 64, dtype=torch.float32)
    weights = torch.tensor([1.0, 0.5, 2.0, 1.0, 0.25, 1.25])
    p = [normal(d, h), normal(1, h), normal(h, k), normal(1, k)]
    start = arrays(p)
    logits = lambda: relu(x @ p[0] + p[1]) @ p[2] + p[3]
    loss = lambda: -(weights[:, None] * targets * log_softmax(logits(), 1)).sum() / n
    probabilities = numbers(softmax(logits(), 1))
    losses = train(p, loss, 5, 0.05, 0.1)
    return dict(dim=d, n_classes=k, features=numbers(x), targets=numbers(targets), weights=numbers(weights),
                start=start, probabilities=probabilities, losses=losses, end=arrays(p), lr=0.05, decay=0.1)


def abmil():
    d, h, a, k = 4, 5, 3, 2
    sizes, labels = [3, 1, 6, 4], [0, 1, 1, 0]
    x = normal(sum(sizes), d)
    p = [normal(d, h), normal(1, h), normal(h, a), normal(1, a), normal(h, a), normal(1, a), normal(a, 1), normal(h, k), normal(1, k)]
    start = arrays(p)

    def forward():
        out, attention = [], []
        for tiles in torch.split(x, sizes):
            hidden = relu(tiles @ p[0] + p[1])
            weight = softmax((torch.tanh(hidden @ p[2] + p[3]) * torch.sigmoid(hidden @ p[4] + p[5])) @ p[6], 0)
            attention.append(weight)
            out.append((weight * hidden).sum(0, keepdim=True) @ p[7] + p[8])
        return torch.cat(out), attention

    logits, attention = forward()
    result = dict(dim=d, sizes=sizes, labels=labels, features=numbers(x), start=start,
                  probabilities=numbers(softmax(logits, 1)), attention=[numbers(w) for w in attention])
    loss = lambda: -log_softmax(forward()[0], 1)[range(len(sizes)), labels].mean()
    return result | dict(losses=train(p, loss, 5, 0.05, 0.1), end=arrays(p), lr=0.05, decay=0.1)


def operator():
    n, v, d, h, c = 3, 2, 4, 6, 2
    x, conditions, deltas = normal(n, d), normal(n * v, c), normal(n * v, d)
    tiles = [i // v for i in range(n * v)]
    p = [normal(d, h), normal(1, h), normal(c, h), torch.ones(1, h), normal(c, h), normal(h, d), normal(c, d), normal(1, d)]
    start = arrays(p)
    found = lambda: relu((x[tiles] @ p[0] + p[1]) * (conditions @ p[2] + p[3]) + conditions @ p[4]) @ p[5] + conditions @ p[6] + p[7]
    loss = lambda: ((found() - deltas) ** 2).sum() / d / (n * v)
    losses = train(p, loss, 5, 0.05, 0.1)
    return dict(dim=d, n_conditions=c, features=numbers(x), conditions=numbers(conditions), deltas=numbers(deltas),
                tiles=tiles, start=start, losses=losses, end=arrays(p), lr=0.05, decay=0.1)


path = pathlib.Path(__file__).parent / "steps.json"
path.write_text(json.dumps(dict(mlp=mlp(), abmil=abmil(), operator=operator()), separators=(",", ":")) + "\n")
