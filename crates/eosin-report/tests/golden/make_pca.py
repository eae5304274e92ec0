# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes pca.csv: rows and their first two principal components by scikit-learn 1.7.2.

    pip install numpy==2.3.4 scikit-learn==1.7.2
    python make_pca.py > pca.csv
"""
import numpy as np
from sklearn.decomposition import PCA

rng = np.random.default_rng(5)
rows = rng.normal(size=(24, 7)) @ np.diag([3, 2, 1, 0.5, 0.5, 0.2, 0.1]) @ rng.normal(size=(7, 7)) + 4
rows = rows.astype(np.float32).round(4)
pca = PCA(2, svd_solver="full").fit(rows.astype(np.float64))
# The sign of an axis is free; here its largest loading is positive.
signs = np.sign([axis[np.abs(axis).argmax()] for axis in pca.components_])
points = pca.transform(rows.astype(np.float64)) * signs
print("# scikit-learn PCA(2): first line explained variance ratios, then x, y, seven values a row")
print(",".join(f"{v:.9f}" for v in pca.explained_variance_ratio_))
for point, row in zip(points, rows):
    print(",".join([f"{v:.7f}" for v in point] + [f"{v:.4f}" for v in row]))
