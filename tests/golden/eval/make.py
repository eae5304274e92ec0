# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes golden.json: metrics and tests as scikit-learn, SciPy and statsmodels compute them.

Run with Python 3.11 or later, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, statsmodels 0.15.0:
    python tests/golden/eval/make.py
"""
import json
import math
import pathlib
import warnings

import numpy as np
import scipy.stats
import sklearn.metrics as m
from sklearn.calibration import calibration_curve
from statsmodels.stats.multitest import multipletests

warnings.simplefilter("ignore")
rng = np.random.default_rng(20240101)


def number(x):
    """JSON has neither NaN nor infinity: they are written as strings."""
    x = float(x)
    return x if math.isfinite(x) else str(x)


def numbers(xs):
    return [number(x) for x in xs]


def binary(name, scores, labels, weights=None, threshold=0.5):
    scores, labels = np.asarray(scores, float), np.asarray(labels, bool)
    called = scores >= threshold
    both = labels.any() and not labels.all()
    w = dict(sample_weight=weights)
    roc = m.roc_curve(labels, scores, drop_intermediate=False, **w) if both else None
    # Recall is defined only with positives.
    pr = m.precision_recall_curve(labels, scores, **w) if labels.any() else None
    case = dict(
        name=name, scores=numbers(scores), labels=labels.tolist(), threshold=threshold,
        weights=None if weights is None else numbers(weights),
        auroc=number(m.roc_auc_score(labels, scores, **w)) if both else "nan",
        auprc=number(m.average_precision_score(labels, scores, **w)) if labels.any() else "nan",
        f1=number(m.f1_score(labels, called, zero_division=0, **w)),
        mcc=number(m.matthews_corrcoef(labels, called, **w)),
        balanced_accuracy=number(m.balanced_accuracy_score(labels, called, **w)),
        recall=number(m.recall_score(labels, called, zero_division=0, **w)),
        precision=number(m.precision_score(labels, called, zero_division=0, **w)),
        accuracy=number(m.accuracy_score(labels, called, **w)),
        brier=number(m.brier_score_loss(labels, scores, pos_label=True, **w)),
        log_loss=number(m.log_loss(labels, scores, labels=[False, True], **w)),
        roc=None if roc is None else [numbers(roc[0]), numbers(roc[1])],
        pr=None if pr is None else [numbers(pr[1][::-1]), numbers(pr[0][::-1])],
    )
    if weights is None or all(float(x).is_integer() for x in weights):
        repeats = np.ones(len(scores), int) if weights is None else np.asarray(weights, int)
        s, y = np.repeat(scores, repeats), np.repeat(labels, repeats)
        observed, predicted = calibration_curve(y, s, n_bins=15, strategy="quantile")
        edges = np.percentile(s, np.linspace(0, 1, 16) * 100)
        counts = np.bincount(np.searchsorted(edges[1:-1], s), minlength=15)
        counts = counts[counts > 0]
        case["reliability"] = [numbers(predicted), numbers(observed), numbers(counts)]
        case["ece"] = number(np.sum(counts * np.abs(observed - predicted)) / counts.sum())
    return case


def multiclass(name, truth, called, n_classes, weights=None, probabilities=None):
    w = dict(sample_weight=weights)
    case = dict(
        name=name, truth=list(map(int, truth)), called=list(map(int, called)), n_classes=n_classes,
        weights=None if weights is None else numbers(weights),
        confusion=numbers(m.confusion_matrix(truth, called, labels=range(n_classes), **w).ravel()),
        accuracy=number(m.accuracy_score(truth, called, **w)),
        macro_f1=number(m.f1_score(truth, called, average="macro", zero_division=0, **w)),
        balanced_accuracy=number(m.balanced_accuracy_score(truth, called, **w)),
        cohen_kappa=number(m.cohen_kappa_score(truth, called, **w)),
    )
    if probabilities is not None:
        case["probabilities"] = numbers(np.asarray(probabilities).ravel())
        case["log_loss"] = number(m.log_loss(truth, probabilities, labels=range(n_classes), **w))
        one_hot = np.eye(n_classes)[truth]
        case["brier"] = number(np.average(((probabilities - one_hot) ** 2).sum(1), weights=weights))
    return case


def sample(n, positives, step):
    labels = np.zeros(n, bool)
    labels[rng.permutation(n)[:positives]] = True
    scores = 1 / (1 + np.exp(-rng.normal(labels * 1.2 - 0.6)))
    if step:
        scores = np.round(scores / step) * step
    return scores, labels


binary_cases = []
for n, positives, step in [(40, 15, 0), (75, 30, 0), (60, 5, 0.1), (50, 1, 0.05), (45, 44, 0), (15, 7, 0)]:
    scores, labels = sample(n, positives, step)
    binary_cases.append(binary(f"random-{n}-{positives}-{step}", scores, labels))
scores, labels = sample(50, 20, 0.05)
binary_cases.append(binary("real-weights", scores, labels, rng.uniform(0.1, 3, 50)))
scores, labels = sample(50, 20, 0.05)
binary_cases.append(binary("multiplicities", scores, labels, rng.poisson(1.0, 50).astype(float)))
binary_cases += [
    binary("all-equal", [0.5] * 6, [1, 0, 1, 0, 0, 0]),
    binary("perfect", [0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]),
    binary("reversed", [0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0]),
    binary("zeros-and-ones", [0.0, 1.0, 1.0, 0.0], [1, 1, 0, 0]),
    binary("no-positive", [0.1, 0.6, 0.3], [0, 0, 0]),
    binary("no-negative", [0.1, 0.6, 0.3], [1, 1, 1]),
    binary("nothing-called", [0.1, 0.2, 0.3], [1, 0, 1]),
    binary("one-row", [0.7], [1]),
]

multiclass_cases = []
for name, n, k, present in [("random-4", 60, 4, 4), ("class-absent", 40, 5, 3), ("binary", 30, 2, 2)]:
    truth = rng.integers(0, present, n)
    p = rng.dirichlet(np.ones(k), n)
    multiclass_cases.append(multiclass(name, truth, p.argmax(1), k, None, p))
    multiclass_cases.append(multiclass(name + "-weighted", truth, p.argmax(1), k, rng.uniform(0, 2, n), p))
multiclass_cases += [
    multiclass("one-class", [1, 1, 1], [1, 1, 1], 3),
    multiclass("one-class-missed", [1, 1, 1], [2, 1, 0], 3),
    multiclass("always-the-same", [0, 1, 2, 0], [0, 0, 0, 0], 3),
    multiclass("perfect", [0, 1, 2], [0, 1, 2], 3),
]

wilcoxon_cases = []
for name, d in [
    ("small", rng.normal(0.3, 1, 9)), ("fifty", rng.normal(0.1, 1, 50)), ("large", rng.normal(0.1, 1, 80)),
    ("ties", np.round(rng.normal(0.3, 1, 70), 1)), ("one", np.array([0.4])), ("all-positive", np.arange(1.0, 9)),
]:
    kept = d[d != 0]
    exact = len(kept) <= 50 and len(np.unique(np.abs(kept))) == len(kept) and len(kept) == len(d)
    r = scipy.stats.wilcoxon(d, method="exact" if exact else "asymptotic", correction=False)
    wilcoxon_cases.append(dict(name=name, differences=numbers(d), statistic=number(r.statistic), p=number(r.pvalue)))

t_cases = []
for name, d, ratio in [("five", rng.normal(0.02, 0.05, 5), 0.25), ("5x5", rng.normal(-0.01, 0.02, 25), 0.25), ("two", np.array([0.1, 0.3]), 1.0)]:
    scale = math.sqrt((1 / len(d) + ratio) * d.var(ddof=1))
    df = len(d) - 1
    t = d.mean() / scale
    post = scipy.stats.t(df, loc=d.mean(), scale=scale)
    t_cases.append(dict(
        name=name, differences=numbers(d), ratio=ratio, mean=number(d.mean()), standard_error=number(scale),
        t=number(t), df=df, p=number(2 * scipy.stats.t.sf(abs(t), df)),
        worse=number(post.cdf(-0.01)), better=number(post.sf(0.01)),
        equivalent=number(post.cdf(0.01) - post.cdf(-0.01)),
    ))

p = rng.uniform(0, 0.2, 12)
p[3] = p[7]
holm = dict(p=numbers(p), adjusted=numbers(multipletests(p, method="holm")[1]))

out = dict(binary=binary_cases, multiclass=multiclass_cases, wilcoxon=wilcoxon_cases, corrected_t=t_cases, holm=holm)
path = pathlib.Path(__file__).parent / "golden.json"
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
