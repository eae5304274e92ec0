# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes a small Hamamatsu VMS slide, which only OpenSlide reads.

Synthetic: a real one could not be had under a free licence. Versions: openslide-bin 4.0.1.2,
openslide-python 1.4.7, Pillow 11.3.0, numpy 2.2.6.
"""

import pathlib

import numpy as np
import openslide
from PIL import Image

here = pathlib.Path(__file__).parent
width, height, mpp = 512, 256, 0.5
y, x = np.mgrid[:height, :width]
image = np.stack(
    [200 + 50 * np.sin(x / 40), 140 + 60 * np.cos(y / 30), 190 + 40 * np.sin((x + y) / 50)], -1
)
image = Image.fromarray(image.astype(np.uint8))
# OpenSlide cuts these JPEGs at their restart markers.
image.save(here / "hamamatsu.jpg", quality=90, subsampling=0, restart_marker_blocks=8)
image.resize((128, 64)).save(here / "hamamatsu_map.jpg", quality=90, subsampling=0, restart_marker_blocks=8)
image.resize((64, 48)).save(here / "hamamatsu_macro.jpg", quality=90)
(here / "hamamatsu.vms").write_text(
    "[Virtual Microscope Specimen]\n"
    "NoLayers=1\nNoJpegColumns=1\nNoJpegRows=1\n"
    "ImageFile=hamamatsu.jpg\nMapFile=hamamatsu_map.jpg\nMacroImage=hamamatsu_macro.jpg\n"
    f"PhysicalWidth={int(width * mpp * 1000)}\nPhysicalHeight={int(height * mpp * 1000)}\n"
    "PhysicalMacroWidth=1000000\nPhysicalMacroHeight=750000\nSourceLens=20\n"
)
slide = openslide.OpenSlide(here / "hamamatsu.vms")
print(slide.level_dimensions, slide.properties["openslide.mpp-x"], list(slide.associated_images))
