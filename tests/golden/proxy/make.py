# SPDX-License-Identifier: MIT OR Apache-2.0
"""Golden numbers for eosin-proxy, from implementations that are not Eosin's.

    python3 -m venv venv && venv/bin/pip install numpy==2.3.4 scipy==1.16.3 scikit-learn==1.7.2
    venv/bin/python make.py

writes probes.json, ranking.json, agreement.json and
scores.json beside this file. With EOSIN_DATA set to the folder
of the shared data, scores of its real embeddings (jnkather/histology-multiclass-texture 5638137)
are written too; otherwise those of the last run are kept.
"""

import json
import os
import pathlib

import numpy as np
import scipy.stats
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.metrics import balanced_accuracy_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import normalize

HERE = pathlib.Path(__file__).parent
# Eigenvalues below this share of the largest count as 0, as eosin_proxy::scores says.
RANK = 1e-12


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
            worse = scipy.stats.t.cdf(-rope, df, mean, se)
            better = scipy.stats.t.sf(rope, df, mean, se)
            posterior = dict(worse=worse, better=better, equivalent=1 - worse - better)
            p = 2 * scipy.stats.t.sf(abs(mean / se), df)
            pairs.append(dict(arm=a, against=b, estimate=mean, se=se, p=p, posterior=posterior))
    # Holm (1979): the largest of (m − rank)·p so far, at most 1. A pair's interval has the level
    # at which it was tested; from the first that is not rejected on, that one's.
    largest, share = 0.0, None
    for rank, i in enumerate(np.argsort([p["p"] for p in pairs])):
        pair, own = pairs[i], len(pairs) - rank
        largest = min(1.0, max(largest, own * pair["p"]))
        share = own if share is None or rejected else share
        rejected = largest < 0.05
        pair["p_holm"] = largest
        pair["interval_level"] = level = 1 - 0.05 / share
        pair["lower"], pair["upper"] = scipy.stats.t.interval(level, df, pair["estimate"], pair.pop("se"))
        alike = "equivalent" if pair["posterior"]["equivalent"] >= 0.95 else "not-told-apart"
        pair["word"] = ("better" if pair["estimate"] > 0 else "worse") if rejected else alike
    arms = []
    for a in order:
        mean, se = moments(scores[a])
        low, high = scipy.stats.t.interval(0.95, df, mean, se)
        arms.append(dict(backbone=a, mean=mean, lower=low, upper=high))
    # The joint posterior of all means, drawn from scipy's multivariate t. The control is no
    # candidate.
    candidates = [a for a in order if a != "colour"]
    table = np.array([scores[a] for a in candidates])
    cov = (1 / n_folds + ratio) * np.cov(table)
    draws = scipy.stats.multivariate_t(table.mean(1), cov, df, seed=5).rvs(400_000)
    best = np.bincount(draws.argmax(1), minlength=len(candidates)) / len(draws)
    chances = dict(zip(candidates, best))
    for arm in arms:
        arm["probability_best"] = chances.get(arm["backbone"])
    return {
        "test_train_ratio": ratio,
        "scores": {k: v.tolist() for k, v in scores.items()},
        "arms": arms,
        "pairs": pairs,
    }


def rank_agreement():
    """Kendall's τ-b; scipy's asymptotic p is that of τ/SE under independence with ties."""
    rng = np.random.default_rng(11)
    cases = [([1, 2, 3, 4, 5, 6], [2, 1, 3, 5, 4, 6]), ([1, 1, 2, 3, 3, 3], [1, 2, 2, 2, 3, 4])]
    cases += [(rng.integers(0, 6, 9).tolist(), rng.integers(0, 5, 9).tolist()) for _ in range(4)]
    cases += [(rng.normal(size=7).round(4).tolist(), rng.normal(size=7).round(4).tolist())]
    results = [scipy.stats.kendalltau(a, b, method="asymptotic") for a, b in cases]
    return {
        "cases": [
            dict(a=a, b=b, tau_b=float(r.statistic), p=float(r.pvalue))
            for (a, b), r in zip(cases, results)
        ]
    }


def log_me(f, y):
    """You et al. 2021, Algorithm 1: with the inverse of A = αI + βFᵀF, not in an eigenbasis."""
    n, d = f.shape
    sigma = np.linalg.eigvalsh(f.T @ f)
    total = []
    for c in np.unique(y):
        target = (y == c).astype(float)
        alpha = beta = 1.0
        for _ in range(11):
            t = alpha / beta
            gamma = (beta * sigma / (alpha + beta * sigma)).sum()
            m = np.linalg.solve(alpha * np.eye(d) + beta * f.T @ f, beta * f.T @ target)
            residual = ((f @ m - target) ** 2).sum()
            alpha, beta = gamma / (m @ m), (n - gamma) / residual
            if abs(alpha / beta - t) / t < 0.01:
                break
        _, log_det = np.linalg.slogdet(alpha * np.eye(d) + beta * f.T @ f)
        evidence = d / 2 * np.log(alpha) + n / 2 * np.log(beta) - log_det / 2
        evidence -= beta / 2 * residual + alpha / 2 * m @ m + n / 2 * np.log(2 * np.pi)
        total.append(evidence / n)
    return np.mean(total)


def class_means(f, y):
    g = np.zeros_like(f)
    for c in np.unique(y):
        g[y == c] = f[y == c].mean(0)
    return g


def h_score(f, y):
    g = class_means(f, y)
    return np.trace(np.linalg.pinv(np.cov(f, rowvar=False), rcond=RANK) @ np.cov(g, rowvar=False))


def h_score_regularised(f, y):
    shrunk, alpha = ledoit_wolf(f)
    return np.trace(np.linalg.inv(shrunk) @ ((1 - alpha) * np.cov(class_means(f, y), rowvar=False)))


def trans_rate(f, y, eps=1e-4):
    def rate(z):
        return 0.5 * np.linalg.slogdet(np.eye(z.shape[1]) + z.T @ z / (len(z) * eps))[1]

    f = f - f.mean(0)
    return rate(f) - sum((y == c).mean() * rate(f[y == c]) for c in np.unique(y))


def rank_me(f):
    s = np.linalg.svd(f, compute_uv=False)
    return np.exp(scipy.stats.entropy(s[s**2 > RANK * s[0] ** 2]))


def alpha_req(f):
    s = np.linalg.svd(f - f.mean(0), compute_uv=False) ** 2
    s = s[s > RANK * s[0]]
    i = np.arange(3, min(50, len(s)) + 1)
    # polyfit squares its weights.
    return -np.polyfit(np.log(i), np.log(s[i - 1]), 1, w=1 / np.sqrt(i))[0]


def gbc(f, y):
    pca = PCA(min(64, *f.shape), svd_solver="full")
    z = pca.fit_transform(f)[:, pca.explained_variance_ > 1e-8 * pca.explained_variance_[0]]
    total = 0.0
    for a in np.unique(y):
        for b in np.unique(y):
            if a != b:
                p, q = z[y == a], z[y == b]
                s1, s2 = np.diag(p.var(0)), np.diag(q.var(0))
                s = (s1 + s2) / 2
                delta = p.mean(0) - q.mean(0)
                logs = [np.linalg.slogdet(v)[1] for v in (s, s1, s2)]
                distance = delta @ np.linalg.solve(s, delta) / 8
                distance += 0.5 * (logs[0] - 0.5 * (logs[1] + logs[2]))
                total += np.exp(-distance)
    return -total


def parc(f, y):
    n = min(1000, len(f))
    taken = np.arange(n) * len(f) // n
    f, y = f[taken], y[taken]
    upper = np.triu_indices(n, 1)
    apart = (1 - np.corrcoef(f))[upper]
    differ = (1 - np.corrcoef(np.eye(y.max() + 1)[y])).round(9)[upper]
    return 100 * scipy.stats.spearmanr(apart, differ).statistic


def leep(p, y):
    joint = np.array([[p[y == c, z].sum() for z in range(p.shape[1])] for c in range(y.max() + 1)])
    return np.mean([np.log((joint[c] / joint.sum(0) * row).sum()) for c, row in zip(y, p)])


def all_scores(f, y):
    functions = [log_me, h_score, h_score_regularised, trans_rate, rank_me, alpha_req, gbc, parc]
    return {g.__name__: float(g(f, y) if g not in (rank_me, alpha_req) else g(f)) for g in functions}


def mixture(x, k, rounds):
    """Responsibilities after a fixed number of rounds from the first k rows as means."""
    overall = x.var(0)
    floor = 1e-4 * overall.mean()
    model = GaussianMixture(
        k, covariance_type="diag", reg_covar=floor, tol=0.0, max_iter=rounds,
        means_init=x[:k], weights_init=np.full(k, 1 / k),
        precisions_init=np.tile(1 / (overall + floor), (k, 1)),
    )
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x).predict_proba(x)


def scores():
    x, y, _ = data(7, n=60, d=8, classes=3)
    f = x.astype(np.float64)
    responsibilities = mixture(f, 4, 7)
    content = {
        "x": f.round(4).tolist(),
        "labels": y.tolist(),
        "random": all_scores(f, y),
        "responsibilities_4_components_7_rounds": responsibilities.tolist(),
        "leep": leep(responsibilities, y),
    }
    wide, labels, _ = data(8, n=24, d=30, classes=2)
    wide = wide.astype(np.float64)
    content["wide_x"] = wide.round(4).tolist()
    content["wide_labels"] = labels.tolist()
    # With fewer rows than dimensions H-score and GBC depend on what counts as rank.
    content["wide"] = {k: v for k, v in all_scores(wide, labels).items() if k not in ("h_score", "gbc", "alpha_req")}
    if folder := os.environ.get("EOSIN_DATA"):
        folder = pathlib.Path(folder, "embeddings", "colorectal-texture")
        real = np.load(folder / "features49_f32.npy").astype(np.float64)
        lines = (folder / "labels.csv").read_text().splitlines()[1:]
        names = [line.split(",")[1] for line in lines]
        content["colorectal_texture"] = all_scores(real, np.unique(names, return_inverse=True)[1])
    else:
        content["colorectal_texture"] = json.loads((HERE / "scores.json").read_text())["colorectal_texture"]
    return content


def write(name, content):
    content = {"origin": "tests/golden/proxy/make.py", **content}
    (HERE / name).write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    write("probes.json", probes())
    write("ranking.json", ranking())
    write("agreement.json", rank_agreement())
    write("scores.json", scores())
