# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads regions of slides with OpenSlide, as golden files for eosin-tile.

Origin: openslide-python 1.4.7 with openslide-bin 4.0.1.2, Pillow 11.3.0.
Run: python make_openslide.py   (reads ../../fixtures, writes beside itself)
"""

import csv
import pathlib

import openslide
from PIL import Image

HERE = pathlib.Path(__file__).parent
FIXTURES = HERE.parent.parent / "fixtures"
# Slide, level, x and y in level-0 pixels: regions across tile borders and at the edge.
REGIONS = [
    ("cmu-1-small-region.svs", 0, 1340, 620),
    ("cmu-1-small-region.svs", 0, 1111, 1380),
    ("cmu-1-small-region.svs", 0, 2140, 1900),
]
SIDE = 96


def on_white(image):
    """Outside the slide OpenSlide is transparent; eosin-tile is white there."""
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def main():
    with open(HERE / "openslide.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["slide", "level", "x", "y", "width", "height", "mpp", "n_levels", "image"])
        for i, (name, level, x, y) in enumerate(REGIONS):
            slide = openslide.OpenSlide(FIXTURES / name)
            image = on_white(slide.read_region((x, y), level, (SIDE, SIDE)))
            out = f"openslide-{i}.png"
            image.save(HERE / out, optimize=True)
            mpp = slide.properties[openslide.PROPERTY_NAME_MPP_X]
            width, height = slide.level_dimensions[level]
            writer.writerow([name, level, x, y, width, height, mpp, slide.level_count, out])


if __name__ == "__main__":
    main()
