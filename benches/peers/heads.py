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
    """Σ log loss + λ/2 ‖w‖², and the norm of its gradient relative to that at zero."""
    z = x @ w + b
    loss = -np.where(y, log_expit(z), log_expit(-z)).sum() + penalty / 2 * w @ w
    residual = expit(z) - y
    gradient = np.append(x.T @ residual + penalty * w, residual.sum())
    start = 0.5 - y
    return loss, np.linalg.norm(gradient) / np.linalg.norm(np.append(x.T @ start, start.sum()))


def handle(request, threads):
    n, d = request["n"], request["d"]
    x = np.fromfile(request["features"], np.float32).reshape(n, d).astype(np.float64)
    tasks = np.fromfile(request["labels"], np.uint8).reshape(-1, n)
    fold = np.fromfile(request["folds"], np.uint8)
    answers = []
    for system, solver in SOLVERS.items():
        if solver not in request["solvers"]:
            continue
        seconds, total, worst = 0.0, 0.0, 0.0
        for y in tasks:
            for k in request["fold_ids"]:
                rows = fold != k
                # Eosin standardises within the fold; this is not timed here.
                xk, yk = x[rows], y[rows]
                xk = (xk - xk.mean(0)) / xk.std(0)
                previous = LogisticRegression(
                    solver=solver, tol=request["tol"], max_iter=10000, warm_start=True
                )
                for penalty in request["penalties"]:
                    previous.set_params(C=1.0 / penalty)
                    started = time.perf_counter()
                    previous.fit(xk, yk)
                    seconds += time.perf_counter() - started
                    loss, gradient = objective(
                        xk, yk, previous.coef_[0], previous.intercept_[0], penalty
                    )
                    total, worst = total + loss, max(worst, gradient)
        answers.append({
            "system": system,
            "version": sklearn.__version__,
            "seconds": seconds,
            "check": [total, worst],
        })
    return answers


serve(handle)
