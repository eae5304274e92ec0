# SPDX-License-Identifier: MIT OR Apache-2.0
"""scikit-learn on the same rows and the same objective: C Σ loss + ½‖w‖² with C = 1/λ."""

import time
import warnings

import numpy as np
import sklearn
from scipy.special import expit, log_expit
from sklearn.linear_model import LogisticRegression

from serve import serve

warnings.filterwarnings("error", category=sklearn.exceptions.ConvergenceWarning)
SOLVERS = {"sklearn lbfgs": "lbfgs", "sklearn newton-cholesky": "newton-cholesky"}


def objective(x, y, w, b, penalty):
    """Σ log loss + λ/2 ‖w‖², and the length of its gradient relative to that at zero weights."""
    z = x @ w + b
    loss = -np.where(y, log_expit(z), log_expit(-z)).sum() + penalty / 2 * w @ w
    residual = expit(z) - y
    gradient = np.append(x.T @ residual + penalty * w, residual.sum())
    null = y.mean() - y
    return loss, np.linalg.norm(gradient) / np.linalg.norm(x.T @ null)


def heads(x, tasks, fold, request, solver):
    """Every head's seconds, objective and gradient, each path from its strongest penalty on."""
    for y in tasks:
        for k in request["fold_ids"]:
            rows = fold != k
            # Eosin standardises within the fold; this is not timed here.
            xk, yk = x[rows], y[rows]
            xk = (xk - xk.mean(0)) / xk.std(0)
            # The solvers stop at the largest entry of the gradient over n, Eosin at its length
            # relative to that at zero weights: the same bound if all entries are alike.
            null = np.linalg.norm(xk.T @ (yk.mean() - yk))
            tol = request["relative_gradient"] * null / len(yk) / np.sqrt(x.shape[1])
            model = LogisticRegression(solver=solver, tol=tol, max_iter=10000, warm_start=True)
            for penalty in request["penalties"]:
                model.set_params(C=1.0 / penalty)
                started = time.perf_counter()
                model.fit(xk, yk)
                seconds = time.perf_counter() - started
                yield seconds, *objective(xk, yk, model.coef_[0], model.intercept_[0], penalty)


def handle(request, threads):
    n, d = request["n"], request["d"]
    x = np.fromfile(request["features"], np.float32).reshape(n, d).astype(np.float64)
    tasks = np.fromfile(request["labels"], np.uint8).reshape(-1, n)
    fold = np.fromfile(request["folds"], np.uint8)
    answers = []
    for system, solver in SOLVERS.items():
        seconds, objectives, worst = 0.0, [], 0.0
        for taken, value, gradient in heads(x, tasks, fold, request, solver):
            seconds, worst = seconds + taken, max(worst, gradient)
            objectives.append(value)
            if seconds > request["budget_s"]:
                break
        answers.append({
            "system": system,
            "version": sklearn.__version__,
            "seconds": seconds,
            "check": [worst, *objectives],
        })
    return answers


serve(handle)
