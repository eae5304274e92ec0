# SPDX-License-Identifier: MIT OR Apache-2.0
"""Colour and stain statistics of four synthetic tiles by numpy.

    pip install numpy==2.4.6
    python colour_statistics.py > colour_statistics.json
"""

import json
import sys

import numpy as np

from tiles import batch

# scikit-image's rgb_from_hed: Ruifrok and Johnston 2001, not normalised again.
RGB_FROM_HED = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])


def statistics(tile):
    density = -np.log10((tile.astype(np.float64) + 1) / 256)
    stains = np.maximum(density @ np.linalg.inv(RGB_FROM_HED), 0)
    channels = np.concatenate([tile / 255, stains], axis=2).reshape(-1, 6).T
    values = []
    for channel in channels:
        values += [channel.mean(), channel.std(), *np.percentile(channel, [5, 25, 50, 75, 95])]
    correlations = np.corrcoef(channels)
    values += [correlations[a, b] for a, b in [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5)]]
    return [float(f"{v:.7g}") for v in values]


def main():
    json.dump({
        "origin": f"numpy {np.__version__}",
        "embeddings": [statistics(tile) for tile in batch(4, 224)],
    }, sys.stdout)
    print()


if __name__ == "__main__":
    main()
