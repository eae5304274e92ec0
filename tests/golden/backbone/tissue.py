# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cuts two tiles of tissue out of the clone's slide, for the goldens of parity.py.

Origin: openslide-bin 4.0.1.2 and openslide-python 1.4.7 read tests/fixtures/cmu-1-small-region.svs
(CC0), Pillow 13.0.0 writes the PNG files.
Run: python tissue.py   (writes crates/eosin-testkit/assets/tissue)
"""

import pathlib

import openslide

ROOT = pathlib.Path(__file__).resolve().parents[3]
SIDE = 448  # The largest input of a network; smaller ones take the middle.
CORNERS = [(880, 2100), (1540, 1200)]  # Dense epithelium; a border with much background.


def main():
    folder = ROOT / "crates" / "eosin-testkit" / "assets" / "tissue"
    folder.mkdir(exist_ok=True)
    slide = openslide.OpenSlide(ROOT / "tests" / "fixtures" / "cmu-1-small-region.svs")
    for number, corner in enumerate(CORNERS):
        tile = slide.read_region(corner, 0, (SIDE, SIDE)).convert("RGB")
        tile.save(folder / f"{number}.png", optimize=True)


if __name__ == "__main__":
    main()
