# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes prevalence.json: shares of classes among unlabelled rows, recalibrated probabilities, the
calibration error of perfect heads, and thresholds at a precision.

Shares are where scipy's optimiser finds the largest likelihood, without the EM algorithm. The
calibration error of a perfect head is a mean over draws with scikit-learn's bins. Thresholds are
scikit-learn's.

Run with Python 3.11 or later, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1:
    python tests/golden/eval/prevalence.py
"""
import json
import pathlib

import numpy as np
import scipy.optimize
import scipy.special
import sklearn.metrics as m
from sklearn.calibration import calibration_curve

rng = np.random.default_rng(20261130)


def shares(name, prior, truth, gap, n):
    """Normal scores around corners, with the probabilities that are true at the prior."""
    prior, k = np.asarray(prior), len(prior)
    y = rng.choice(k, n, p=truth)
    x = gap * np.eye(k)[y] + rng.normal(size=(n, k))
    log_density = -0.5 * ((x[:, None] - gap * np.eye(k)[None]) ** 2).sum(2)
    p = scipy.special.softmax(log_density + np.log(prior), axis=1)
    ratio = p / prior

    def loss(z):
        return -np.log(ratio @ scipy.special.softmax(z)).mean()

    best = scipy.optimize.minimize(loss, np.log(prior), tol=1e-14, options=dict(maxiter=10_000))
    best = scipy.optimize.minimize(loss, best.x, method="Nelder-Mead", options=dict(xatol=1e-10, fatol=1e-16, maxiter=50_000))
    found = scipy.special.softmax(best.x)
    recalibrated = ratio[:5] * found
    return dict(
        name=name, n_classes=k, prior=prior.tolist(), probabilities=p.ravel().tolist(), shares=found.tolist(),
        recalibrated=(recalibrated / recalibrated.sum(1, keepdims=True)).ravel().tolist(),
    )


def perfect(n):
    p = rng.beta(0.7, 1.8, n)
    edges = np.percentile(p, np.linspace(0, 1, 16) * 100)
    bins = np.searchsorted(edges[1:-1], p)
    counts = np.bincount(bins, minlength=15)
    errors = []
    for _ in range(4000):
        y = rng.random(n) < p
        observed, predicted = calibration_curve(y, p, n_bins=15, strategy="quantile")
        errors.append(np.sum(counts[counts > 0] * np.abs(observed - predicted)) / n)
    return dict(probabilities=p.tolist(), mean=float(np.mean(errors)), upper=float(np.quantile(errors, 0.95)))


def at_precision(n, step):
    labels = rng.random(n) < 0.3
    scores = rng.normal(labels * 1.2)
    if step:
        scores = np.round(scores / step) * step
    precision, recall, thresholds = m.precision_recall_curve(labels, scores)
    points = []
    for wanted in (0.35, 0.6, 0.9):
        good = np.flatnonzero(precision[:-1] >= wanted)
        best = good[np.lexsort((precision[:-1][good], recall[:-1][good]))[-1]]
        points.append([wanted, float(recall[best]), float(precision[best]), float(thresholds[best])])
    return dict(scores=scores.tolist(), labels=labels.tolist(), points=points)


out = dict(
    shares=[
        shares("rarer", [0.7, 0.3], [0.95, 0.05], 2.0, 400),
        shares("more-frequent", [0.7, 0.3], [0.2, 0.8], 1.5, 300),
        shares("three-classes", [0.5, 0.3, 0.2], [0.2, 0.2, 0.6], 2.5, 400),
    ],
    perfect=[perfect(200), perfect(1500)],
    at_precision=[at_precision(80, 0), at_precision(90, 0.25)],
)
path = pathlib.Path(__file__).parent / "prevalence.json"
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
