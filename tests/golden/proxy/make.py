# SPDX-License-Identifier: MIT OR Apache-2.0
"""Golden numbers for eosin-proxy, from implementations that are not Eosin's.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy==2.3.4 scipy==1.16.3 scikit-learn==1.7.2
    /tmp/venv/bin/python make.py

writes probes.json and ranking.json beside this file.
"""

import json
import pathlib

import numpy as np
import scipy.stats
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import normalize

HERE = pathlib.Path(__file__).parent


def data(seed, n=90, d=6, classes=3):
    """f32 rows whose classes overlap, in groups of five."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = (rng.normal(size=(n, d)) + 0.8 * rng.normal(size=(classes, d))[y] + 1.0).astype(np.float32)
    return np.round(x, 4), y, np.arange(n) // 5


def probes():
    x, y, groups = data(1)
    folds = list(StratifiedGroupKFold(3, shuffle=True, random_state=0).split(x, y, groups))
    knn, shot = [], []
    for train, test in folds:
        model = KNeighborsClassifier(5, metric="cosine", algorithm="brute").fit(x[train], y[train])
        # Ties between classes are broken by the sum of similarities, which scikit-learn does not
        # do: only votes are taken from it.
        distance, index = model.kneighbors(x[test])
        called = []
        for row_distance, row in zip(distance, y[train][index]):
            votes = np.bincount(row, minlength=3)
            nearness = np.bincount(row, weights=1 - row_distance, minlength=3)
            called.append(int(np.lexsort((nearness, votes))[-1]))
        knn.append(balanced_accuracy_score(y[test], called))
        mean = x[train].mean(0, dtype=np.float64)
        centroid = NearestCentroid().fit(normalize(x[train] - mean), y[train])
        shot.append(balanced_accuracy_score(y[test], centroid.predict(normalize(x[test] - mean))))
    return {
        "x": x.astype(float).round(4).tolist(),
        "labels": y.tolist(),
        "groups": groups.tolist(),
        "folds": [{"train": a.tolist(), "held_out": b.tolist()} for a, b in folds],
        "knn_5": knn,
        "simple_shot": shot,
    }


def ranking():
    """Four arms on 5×5 folds with a fold effect that they share."""
    rng = np.random.default_rng(3)
    n_folds, ratio, rope = 25, 0.25, 0.01
    fold = 0.02 * rng.normal(size=n_folds)
    means = {"a": 0.85, "b": 0.845, "c": 0.80, "colour": 0.62}
    scores = {k: (m + fold + 0.015 * rng.normal(size=n_folds)).round(6) for k, m in means.items()}

    def moments(v):
        return v.mean(), np.sqrt((1 / n_folds + ratio) * v.var(ddof=1))

    df = n_folds - 1
    pairs, order = [], sorted(scores, key=lambda k: -scores[k].mean())
    for i, a in enumerate(order):
        for b in order[i + 1 :]:
            mean, se = moments(scores[a] - scores[b])
            low, high = scipy.stats.t.interval(0.95, df, mean, se)
            worse = scipy.stats.t.cdf(-rope, df, mean, se)
            better = scipy.stats.t.sf(rope, df, mean, se)
            pairs.append(
                dict(
                    first=a, second=b, difference=mean, lower=low, upper=high,
                    p=2 * scipy.stats.t.sf(abs(mean / se), df), worse=worse, better=better,
                    equivalent=1 - worse - better,
                )
            )
    # Holm (1979): the largest of (m − rank)·p so far, at most 1.
    largest = 0.0
    for rank, i in enumerate(np.argsort([p["p"] for p in pairs])):
        largest = min(1.0, max(largest, (len(pairs) - rank) * pairs[i]["p"]))
        pairs[i]["p_holm"] = largest
    arms = []
    for a in order:
        mean, se = moments(scores[a])
        low, high = scipy.stats.t.interval(0.95, df, mean, se)
        arms.append(dict(backbone=a, mean=mean, lower=low, upper=high))
    # The joint posterior of all means, drawn from scipy's multivariate t.
    table = np.array([scores[a] for a in order])
    cov = (1 / n_folds + ratio) * np.cov(table)
    draws = scipy.stats.multivariate_t(table.mean(1), cov, df, seed=5).rvs(400_000)
    best = np.bincount(draws.argmax(1), minlength=len(order)) / len(draws)
    for arm, chance in zip(arms, best):
        arm["probability_best"] = chance
    return {
        "test_train_ratio": ratio,
        "scores": {k: v.tolist() for k, v in scores.items()},
        "arms": arms,
        "pairs": pairs,
    }


def write(name, content):
    content = {"origin": "tests/golden/proxy/make.py", **content}
    (HERE / name).write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    write("probes.json", probes())
    write("ranking.json", ranking())
