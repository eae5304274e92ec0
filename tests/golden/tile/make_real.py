# SPDX-License-Identifier: MIT OR Apache-2.0
"""Sums of real slides by public readers, as golden numbers for eosin-tile.

Origin: openslide-bin 4.0.1.2 (Aperio, Hamamatsu), pydicom 3.0.2 with Pillow 11.3.0 (DICOM). The
slides are not part of the repository; only sizes and block means are kept.
Run: python make_real.py FOLDER_OF_SLIDES   (writes real.csv beside itself)
"""

import csv
import io
import pathlib
import sys

import numpy as np
import openslide
import pydicom
from PIL import Image

HERE = pathlib.Path(__file__).parent
BLOCKS = 8


def by_openslide(path, level):
    slide = openslide.OpenSlide(path)
    image = slide.read_region((0, 0), level, slide.level_dimensions[level])
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def by_pydicom(path, _level):
    ds = pydicom.dcmread(path)
    out = np.full((ds.TotalPixelMatrixRows, ds.TotalPixelMatrixColumns, 3), 255, np.uint8)
    columns = -(-ds.TotalPixelMatrixColumns // ds.Columns)
    frames = pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=int(ds.NumberOfFrames))
    for i, frame in enumerate(frames):
        x, y = i % columns * ds.Columns, i // columns * ds.Rows
        part = np.array(Image.open(io.BytesIO(frame)).convert("RGB"))
        part = part[: out.shape[0] - y, : out.shape[1] - x]
        out[y : y + part.shape[0], x : x + part.shape[1]] = part
    return out


CASES = [
    ("tcga-cr-7395-01a-01-ts1.svs", 0, by_openslide),
    ("tcga-cr-7395-01a-01-ts1.svs", 1, by_openslide),
    ("hamamatsu-fluo-dapi.ndpi", 0, by_openslide),
    ("hamamatsu-fluo-dapi.ndpi", 3, by_openslide),
    ("pathml-small-wsi.dcm", 0, by_pydicom),
]


def main():
    folder = pathlib.Path(sys.argv[1])
    with open(HERE / "real.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["slide", "level", "width", "height", *(f"b{i}" for i in range(BLOCKS**2))])
        for name, level, reader in CASES:
            image = reader(folder / name, level).astype(float)
            height, width = image.shape[:2]
            means = [
                image[
                    i * height // BLOCKS : (i + 1) * height // BLOCKS,
                    j * width // BLOCKS : (j + 1) * width // BLOCKS,
                ].mean((0, 1))
                for i in range(BLOCKS)
                for j in range(BLOCKS)
            ]
            cells = [" ".join(f"{v:.4f}" for v in mean) for mean in means]
            writer.writerow([name, level, width, height, *cells])


if __name__ == "__main__":
    main()
