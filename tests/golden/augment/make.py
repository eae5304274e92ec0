# SPDX-License-Identifier: MIT OR Apache-2.0
"""Golden numbers for eosin-augment: the optimum of ISDA's bound by scipy, term by term.

    python3 -m venv venv && venv/bin/pip install numpy==2.3.4 scipy==1.16.3
    venv/bin/python make.py

writes isda.json beside this file.
"""

import json
import pathlib

import numpy as np
import scipy.optimize

HERE = pathlib.Path(__file__).parent


def bound(w, b, x, y, lam, penalty):
    """Wang et al. 2019, equation 7, summed over rows, and penalty/2 ‖W‖²."""
    covariances = [np.cov(x[y == c], rowvar=False, bias=True) for c in range(len(w))]
    total = penalty / 2 * (w**2).sum()
    for row, label in zip(x, y):
        terms = []
        for j in range(len(w)):
            apart = w[j] - w[label]
            term = apart @ row + b[j] - b[label] + lam / 2 * apart @ covariances[label] @ apart
            terms.append(term)
        total += scipy.special.logsumexp(terms)
    return total


def case(x, y, lam, penalty):
    z = (x - x.mean(0)) / x.std(0)
    n_classes, d = y.max() + 1, x.shape[1]
    scores = 1 if n_classes == 2 else n_classes

    def unpack(p):
        w, b = p[: scores * d].reshape(scores, d), p[scores * d :]
        if scores == 1:
            w, b = np.vstack([np.zeros(d), w]), np.concatenate([[0.0], b])
        return w, b

    found = scipy.optimize.minimize(
        lambda p: bound(*unpack(p), z, y, lam, penalty),
        np.zeros(scores * (d + 1)),
        method="BFGS",
        options={"gtol": 1e-9, "maxiter": 5000},
    )
    w, b = unpack(found.x)
    logits = z @ w.T + b
    probabilities = np.exp(logits - scipy.special.logsumexp(logits, axis=1, keepdims=True))
    return dict(
        labels=y.tolist(), lambda_=lam, penalty=penalty,
        objective=float(found.fun), probabilities=probabilities.round(9).tolist(),
    )


def main():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(30, 3)).round(4)
    two = (x[:, 0] + 0.5 * rng.normal(size=30) > 0).astype(int)
    three = np.digitize(x[:, 0] + 0.5 * x[:, 1] + 0.5 * rng.normal(size=30), [-0.4, 0.6])
    x = x.astype(np.float32).astype(np.float64)
    cases = [case(x, y, lam, 0.7) for y in (two, three) for lam in (0.0, 0.5)]
    for c in cases:
        c["lambda"] = c.pop("lambda_")
    content = {"origin": "tests/golden/augment/make.py", "x": x.round(4).tolist(), "cases": cases}
    (HERE / "isda.json").write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
