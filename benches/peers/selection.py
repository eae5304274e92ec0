# SPDX-License-Identifier: MIT OR Apache-2.0
"""The selection's protocol as one writes it with scikit-learn: a penalty by inner grouped
cross-validation, refitted on the fold's training part, and 20 neighbours by cosine."""

import time

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from serve import serve


def handle(request, threads):
    n, d = request["n"], request["d"]
    x = np.fromfile(request["features"], np.float32).reshape(n, d)
    y = np.fromfile(request["labels"], np.uint32)
    groups = np.fromfile(request["groups"], np.uint32)
    # C is the inverse of Eosin's penalty, as both sum the loss over rows; the stopping rule is
    # scikit-learn's default, which asks for less than Eosin's does.
    grid = {"logisticregression__C": [1.0 / p for p in request["penalties"]]}
    linear, knn = [], []
    started = time.perf_counter()
    for held_out in request["held_out"]:
        test = np.zeros(n, bool)
        test[held_out] = True
        train = ~test
        head = LogisticRegression(class_weight="balanced", max_iter=2000)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), head),
            grid,
            scoring="balanced_accuracy",
            cv=StratifiedGroupKFold(request["inner_folds"], shuffle=True, random_state=0),
            n_jobs=threads,
        )
        search.fit(x[train], y[train], groups=groups[train])
        linear.append(balanced_accuracy_score(y[test], search.predict(x[test])))
        # A vote each; between classes with equally many votes, similarity decides, as in Eosin.
        neighbours = KNeighborsClassifier(
            request["k"], metric="cosine", algorithm="brute", n_jobs=threads,
            weights=lambda distance: 1 + 1e-4 * (1 - distance),
        )
        neighbours.fit(x[train], y[train])
        knn.append(balanced_accuracy_score(y[test], neighbours.predict(x[test])))
    return [{
        "system": "scikit-learn",
        "version": sklearn.__version__,
        "seconds": time.perf_counter() - started,
        "check": [float(np.mean(linear)), float(np.mean(knn))],
    }]


serve(handle)
