# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes areas.json: AUROCs with standard errors, and metrics at fixed precision or prevalence.

DeLong's test is MLstatkit's. Of Obuchowski's clustered form (Biometrics 53:567-578, 1997) no
Python package was found; it is computed here by the definition, from the full matrix of pairs.
Recall at a precision and precision at a prevalence are scikit-learn's.

Run with Python 3.11 or later, numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, MLstatkit 0.1.91:
    python tests/golden/eval/areas.py
"""
import json
import math
import pathlib

import numpy as np
import scipy.stats
import sklearn.metrics as m
from MLstatkit import Delong_test

rng = np.random.default_rng(20240202)


def obuchowski(scores, labels, groups):
    """Areas and their covariance for rows in clusters, every pair of rows counted."""
    pos, neg = labels.nonzero()[0], (~labels).nonzero()[0]
    kernel = np.array([
        (s[pos][:, None] > s[neg][None]) + 0.5 * (s[pos][:, None] == s[neg][None]) for s in scores
    ])
    areas = kernel.mean((1, 2))
    v10, v01 = kernel.mean(2), kernel.mean(1)
    names = np.unique(groups)
    a = np.array([[(v10[k] - areas[k])[groups[pos] == g].sum() for g in names] for k in range(len(scores))])
    b = np.array([[(v01[k] - areas[k])[groups[neg] == g].sum() for g in names] for k in range(len(scores))])
    i10, i01, i = len(np.unique(groups[pos])), len(np.unique(groups[neg])), len(names)
    p, n = len(pos), len(neg)
    s10 = i10 / ((i10 - 1) * p) * (a @ a.T)
    s01 = i01 / ((i01 - 1) * n) * (b @ b.T)
    s11 = i / (i - 1) * (a @ b.T)
    return areas, s10 / p + s01 / n + (s11 + s11.T) / (p * n)


def compared(areas, covariance):
    se = np.sqrt(np.diag(covariance))
    z95 = scipy.stats.norm.ppf(0.975)
    difference = areas[1] - areas[0]
    se_difference = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    z = difference / se_difference
    return dict(
        auc=areas.tolist(), standard_error=se.tolist(),
        lower=np.maximum(areas - z95 * se, 0).tolist(), upper=np.minimum(areas + z95 * se, 1).tolist(),
        difference=difference, difference_error=se_difference, z=z, p=2 * scipy.stats.norm.sf(abs(z)),
        difference_lower=difference - z95 * se_difference, difference_upper=difference + z95 * se_difference,
    )


def case(name, n_groups, rows, step, effect, positives_in):
    groups = np.repeat(np.arange(n_groups), rows) * 7 + 3
    labels = rng.random(len(groups)) < positives_in[groups // 7 % len(positives_in)]
    shift = rng.normal(0, 0.7, n_groups)[groups // 7]
    scores = [effect * labels + shift + rng.normal(0, s, len(groups)) for s in (1.0, 1.4)]
    if step:
        scores = [np.round(s / step) * step for s in scores]
    z, p, ci_a, ci_b, auc_a, auc_b, info = Delong_test(labels.astype(int), *scores, return_ci=True, return_auc=True)
    assert info["method"] == "delong"
    own_rows, covariance = obuchowski(scores, labels, np.arange(len(labels)))
    # With a row per cluster the clustered form is DeLong's.
    assert abs(compared(own_rows, covariance)["z"] - z) < 1e-9 and abs(own_rows[0] - auc_a) < 1e-12
    return dict(
        name=name, labels=labels.tolist(), groups=groups.tolist(), scores=[s.tolist() for s in scores],
        delong=dict(auc=[auc_a, auc_b], lower=[ci_a[0], ci_b[0]], upper=[ci_a[1], ci_b[1]],
                    z=z, p=p, difference_error=math.sqrt(info["var_diff"])),
        clustered=compared(*obuchowski(scores, labels, groups)),
    )


cases = [
    case("small", 6, 4, 0, 0.8, np.array([0.5])),
    case("ties", 15, 8, 0.5, 0.8, np.array([0.3])),
    case("pure-clusters", 20, 6, 0, 1.0, np.array([0.0, 1.0])),
    case("mixed-clusters", 30, 5, 0.25, 0.5, np.array([0.0, 0.2, 0.9])),
    case("near-perfect", 12, 10, 0, 3.5, np.array([0.4])),
]

operating = []
for n, step in [(60, 0), (80, 0.1)]:
    labels = rng.random(n) < 0.3
    scores = rng.normal(labels * 1.0)
    if step:
        scores = np.round(scores / step) * step
    precision, recall, thresholds = m.precision_recall_curve(labels, scores)
    called = scores >= 0.5
    operating.append(dict(
        scores=scores.tolist(), labels=labels.tolist(), threshold=0.5,
        # The last point of the curve, precision 1 at recall 0, calls nothing.
        recall_at_precision=[[t, float(recall[:-1][precision[:-1] >= t].max(initial=0))] for t in (0.2, 0.5, 0.8, 0.95, 1.0)],
        precision_at_prevalence=[
            [share, float(m.precision_score(labels, called, sample_weight=np.where(labels, share / labels.sum(), (1 - share) / (~labels).sum())))]
            for share in (0.001, 0.05, 0.5, 0.9)
        ],
    ))

path = pathlib.Path(__file__).parent / "areas.json"
path.write_text(json.dumps(dict(areas=cases, operating=operating), separators=(",", ":")) + "\n")
