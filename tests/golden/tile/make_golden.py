# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the golden files of eosin-tile.

Origin: Pillow 11.3.0 (resampling), scikit-image 0.25.2 (stain separation), numpy 2.2.6.
Run: python make_golden.py   (writes beside itself)
"""

import csv
import pathlib

import numpy as np
from PIL import Image
from skimage.color import rgb2hed

HERE = pathlib.Path(__file__).parent
FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Down, up, one axis only, odd ratios, fractional boxes.
CASES = [
    (None, 32, 24),
    (None, 17, 61),
    (None, 90, 47),
    (None, 61, 20),
    (None, 7, 5),
    ((3.25, 2.5, 57.125, 44.75), 40, 30),
    ((10.0, 8.0, 42.0, 40.0), 32, 32),
    ((0.3, 0.7, 60.9, 46.2), 13, 11),
]


def texture(width, height, seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 100 * np.sin(x / (2 + c) + c) * np.cos(y / (3 + c)) for c in range(3)]
    noise = rng.integers(-60, 60, (height, width, 3))
    return np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)


def resampling():
    pixels = texture(61, 47, 1)
    image = Image.fromarray(pixels)
    blob = bytearray(pixels.tobytes())
    rows = []
    for name, resample in FILTERS.items():
        for box, width, height in CASES:
            out = image.resize((width, height), resample, box=box).tobytes()
            box = box or (0, 0, 61, 47)
            rows.append([name, *box, width, height, len(blob)])
            blob += out
    (HERE / "resample.bin").write_bytes(bytes(blob))
    with open(HERE / "resample.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["filter", "x0", "y0", "x1", "y1", "width", "height", "offset"])
        writer.writerows(rows)


def stains():
    rng = np.random.default_rng(2)
    rgb = rng.integers(0, 256, (40, 3), dtype=np.uint8)
    rgb[0], rgb[1], rgb[2] = (255, 255, 255), (0, 0, 0), (120, 80, 160)
    hed = rgb2hed(rgb[None])[0]
    with open(HERE / "hed.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["r", "g", "b", "h", "e", "d"])
        for pixel, stain in zip(rgb, hed):
            writer.writerow([*pixel, *(f"{s:.12f}" for s in stain)])


if __name__ == "__main__":
    resampling()
    stains()
