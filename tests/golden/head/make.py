# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes golden.json: heads and calibrations as scikit-learn and SciPy find them.

Run with Python 3.11 or later, numpy 2.4.6, scipy 1.17.1 and scikit-learn 1.9.1:
    python tests/golden/head/make.py [DIR of the colorectal-texture embeddings]

Without DIR the values of the colorectal-texture embeddings stay as they are.
Features are multiples of 1/64, so that they are the same numbers in single precision.
Logistic: Σ wᵢ cross-entropyᵢ + λ/2 ‖W‖² on features standardised over all rows, free intercept.
"""
import csv
import json
import pathlib
import sys
import warnings

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, logsumexp
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

warnings.simplefilter("ignore")
rng = np.random.default_rng(20240202)
PENALTIES = [1e-4, 1e-2, 1.0, 1e2, 1e4]


def standardise(x, weights=None):
    x = x.astype(float)
    mean = np.average(x, axis=0, weights=weights)
    scale = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weights))
    return (x - mean) / np.where(scale > 0, scale, 1)


def logistic(z, y, model, penalty, weights):
    """The objective, and the length of its gradient relative to that at zero weights."""
    scores = z @ model.coef_.T + model.intercept_
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    k = scores.shape[1]
    hot = np.eye(k)[y]
    loss = logsumexp(scores, axis=1) - (scores * hot).sum(1)

    def length(scores, coef):
        residual = weights[:, None] * (np.exp(log_softmax(scores, axis=1)) - hot)
        gradient = residual.T @ z
        if k == 2:
            gradient, residual = gradient[1:], residual[:, 1:]
        return np.hypot(np.linalg.norm(gradient + penalty * coef), np.linalg.norm(residual.sum(0)))

    null = np.log(np.average(hot, axis=0, weights=weights)) * np.ones_like(scores)
    relative = length(scores, model.coef_) / max(length(null, 0.0), 1e-300)
    return float(weights @ loss + penalty / 2 * (model.coef_**2).sum()), float(relative)


def optima(x, y, weights=None, coefficients=None, penalties=PENALTIES):
    """Of two solvers the one that comes closest; `coefficients` keeps that many of the weights."""
    z = standardise(x, weights)
    w = np.ones(len(y)) if weights is None else weights
    out = []
    for penalty in penalties:
        found = []
        for solver in ("newton-cholesky", "newton-cg"):
            model = LogisticRegression(C=1 / penalty, solver=solver, tol=1e-12, max_iter=2000)
            model.fit(z, y, sample_weight=weights)
            value, gradient = logistic(z, y, model, penalty, w)
            found.append((gradient, value, solver, model))
            if gradient < 1e-11:
                break
        gradient, value, solver, model = min(found, key=lambda f: f[0])
        kept = model.coef_.ravel()[:coefficients]
        out.append(dict(penalty=penalty, objective=value, weights=kept.tolist(), solver=solver))
        print(f"  {len(y)} x {x.shape[1]}, {penalty:g}: {solver}, gradient {gradient:.0e}", flush=True)
    return out


def exact(x):
    return np.round(x * 64) / 64


def labels(x, k, noise):
    s = x[:, 0] + 0.5 * x[:, 1] + noise * rng.normal(size=len(x))
    return np.searchsorted(np.quantile(s, np.arange(1, k) / k), s)


def case(name, x, y, weights=None):
    x = exact(x)
    print(name)
    return dict(
        name=name, d=x.shape[1], x=x.ravel().tolist(), y=y.tolist(),
        weights=None if weights is None else weights.tolist(), optima=optima(x, y, weights),
    )


def synthetic():
    cases = []
    for k in (2, 3):
        tall, wide = rng.normal(size=(90, 6)), rng.normal(size=(24, 40))
        cases.append(case(f"n above d, {k} classes", tall, labels(tall, k, 1.0)))
        cases.append(case(f"n below d, {k} classes", wide, labels(wide, k, 1.0)))
        cases.append(case(f"separable, {k} classes", tall, labels(tall, k, 0.0)))
        twice = np.hstack([tall, tall[:, :2]])
        cases.append(case(f"duplicate columns, {k} classes", twice, labels(tall, k, 1.0)))
        flat = np.hstack([tall, np.full((90, 1), 3.0)])
        cases.append(case(f"a constant column, {k} classes", flat, labels(tall, k, 1.0)))
        weights = exact(rng.uniform(0.1, 2, 90))
        cases.append(case(f"row weights, {k} classes", tall, labels(tall, k, 1.0), weights))
    one = rng.normal(size=(40, 3))
    cases.append(case("one positive", one, (np.arange(40) == np.argmax(one[:, 0])).astype(int)))
    return cases


def missing_class():
    """Three folds, in the first of which class 2 has no row to be fitted on."""
    x = exact(rng.normal(size=(60, 5)))
    y = labels(x, 3, 0.8)
    fold = np.where(y == 2, 0, np.arange(60) % 3)
    print("one class missing in a fold")
    fits = []
    for k in range(3):
        kept = fold != k
        present = np.unique(y[kept])
        fits.append(dict(present=present.tolist(), optima=optima(
            x[kept], np.searchsorted(present, y[kept]), penalties=[1e-2, 1.0, 1e2])))
    return dict(d=5, x=x.ravel().tolist(), y=y.tolist(), fold=fold.tolist(), fits=fits)


def colorectal(folder):
    x = np.load(folder / "features49_f32.npy")
    with open(folder / "labels.csv") as f:
        names = [row["label"] for row in csv.DictReader(f)]
    classes = sorted(set(names))
    y = np.array([classes.index(n) for n in names])
    print("colorectal")
    return dict(
        classes=classes,
        multinomial=optima(x[::4], y[::4], coefficients=49),
        binary=optima(x, (y == 0).astype(int)),
        few=optima(x[::125], y[::125], coefficients=49),
    )


def calibration():
    scores = np.round(rng.normal(size=60), 1)
    y = (rng.uniform(size=60) < expit(2 * scores - 0.5)).astype(int)
    fit = IsotonicRegression(out_of_bounds="clip").fit(scores, y)
    positive, negative = y.sum(), (1 - y).sum()
    target = np.where(y == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    both = np.concatenate([scores, scores])[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-14, max_iter=1000, solver="newton-cholesky")
    model.fit(both, np.repeat([1, 0], 60), sample_weight=np.concatenate([target, 1 - target]))
    at = np.linspace(-3, 3, 25)
    z = rng.normal(size=(80, 3)) * 3
    z[np.arange(80), rng.integers(0, 3, 80)] += 1
    t = np.argmax(z + rng.gumbel(size=(80, 3)) * 2.5, axis=1)
    best = minimize_scalar(lambda s: -log_softmax(z * s, axis=1)[np.arange(80), t].sum(),
                           bounds=(0.01, 100), method="bounded", options=dict(xatol=1e-12))
    return dict(
        scores=scores.tolist(), y=y.tolist(), at=at.tolist(), isotonic=fit.predict(at).tolist(),
        platt=[float(model.coef_[0, 0]), float(model.intercept_[0])],
        logits=z.ravel().tolist(), classes=t.tolist(), temperature=float(1 / best.x),
    )


def polish(z, y, start, penalty):
    """The squared hinge's minimum from liblinear's, which stops short with a free intercept."""
    x = np.hstack([z, np.ones((len(z), 1))])
    ridge = np.append(np.full(z.shape[1], penalty), 0)

    def value(w):
        return (np.maximum(0, 1 - y * (x @ w)) ** 2).sum() + ridge @ w**2 / 2

    def gradient(w):
        return -2 * x.T @ (y * np.maximum(0, 1 - y * (x @ w))) + ridge * w

    def hessian(w):
        return 2 * x.T @ (x * (y * (x @ w) < 1)[:, None]) + np.diag(ridge)

    found = minimize(value, start, method="trust-exact", jac=gradient, hess=hessian,
                     options=dict(gtol=1e-13, maxiter=1000))
    moved = np.abs(found.x - start).max()
    print(f"  SVM {x.shape}, {penalty:g}: gradient {np.linalg.norm(gradient(start)):.0e} by "
          f"liblinear, {np.linalg.norm(gradient(found.x)):.0e} after, moved {moved:.0e}")
    return float(found.fun), found.x


def left_out(z, hot, group, penalty):
    left = np.zeros_like(hot)
    for g in np.unique(group):
        kept = group != g
        part = Ridge(alpha=penalty, solver="cholesky").fit(z[kept], hot[kept])
        left[~kept] = part.predict(z[~kept]).reshape(left[~kept].shape)
    return left.ravel().tolist()


def closed_forms():
    """LDA, ridge and the linear SVM on two and three classes."""
    out = []
    for k in (2, 3):
        y = np.repeat(np.arange(3), [15, 15, 10]) % k
        x = exact(rng.normal(size=(40, 5)) + y[:, None] * [1, 0.5, 0, 0, 0.2])
        wide = exact(rng.normal(size=(40, 60)) + 0.5 * y[:, None])
        group = np.arange(40) // 4
        for x in (x, wide):
            z = standardise(x)
            lda = []
            for shrinkage in (0.0, 0.1, 0.5, 1.0):
                if shrinkage == 0 and x.shape[1] > 40:
                    continue
                model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(z, y)
                lda.append(dict(shrinkage=shrinkage, p=model.predict_proba(z).ravel().tolist()))
            hot = 2.0 * np.eye(k)[y] - 1
            hot = hot[:, 1:] if k == 2 else hot
            ridge, svm = [], []
            for penalty in (1e-2, 1.0, 1e2):
                model = Ridge(alpha=penalty, solver="cholesky").fit(z, hot)
                ridge.append(dict(penalty=penalty, scores=model.predict(z).ravel().tolist(),
                                  left_out=left_out(z, hot, group, penalty),
                                  halves_left_out=left_out(z, hot, group % 2, penalty)))
                # liblinear penalises the intercept; the scaling makes that penalty 1e-6 of it.
                model = LinearSVC(C=1 / penalty, dual=False, tol=1e-12, max_iter=100000,
                                  intercept_scaling=1e3).fit(z, y)
                signs = hot * np.ones((40, model.coef_.shape[0]))
                total, weights = 0.0, []
                for sign, w, b in zip(signs.T, model.coef_, model.intercept_):
                    value, w = polish(z, sign, np.append(w, b), penalty)
                    total, weights = total + value, weights + w[:-1].tolist()
                svm.append(dict(penalty=penalty, weights=weights, objective=total))
            out.append(dict(d=x.shape[1], x=x.ravel().tolist(), y=y.tolist(),
                            group=group.tolist(), lda=lda, ridge=ridge, svm=svm))
    return out


path = pathlib.Path(__file__).parent / "golden.json"
old = json.loads(path.read_text()) if path.exists() else {}
out = dict(logistic=synthetic(), missing_class=missing_class(), calibration=calibration(),
           closed_forms=closed_forms(), colorectal=old.get("colorectal"))
if len(sys.argv) > 1:
    out["colorectal"] = colorectal(pathlib.Path(sys.argv[1]))


def short(value):
    """Eleven digits suffice for every tolerance."""
    if isinstance(value, float):
        return float(f"{value:.11g}")
    if isinstance(value, dict):
        return {k: short(v) for k, v in value.items()}
    return [short(v) for v in value] if isinstance(value, list) else value


path.write_text(json.dumps(short(out), separators=(",", ":")) + "\n")
