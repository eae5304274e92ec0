# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes JPEG images whose size is no multiple of their coded unit, and what libjpeg-turbo reads.

Origin: Pillow 11.3.0 with the libjpeg-turbo of its wheel writes and reads; the pixels are a region
of tests/fixtures/cmu-1-small-region.svs, read by openslide-bin 4.0.1.2. The padding behind the
image is noise: Pillow writes a larger image, and the frame header is then given the smaller size.
Run: python make_jpeg.py   (writes jpeg/ beside itself)
"""

import io
import pathlib
import struct

import numpy as np
import openslide
from PIL import Image

HERE = pathlib.Path(__file__).parent
OUT = HERE / "jpeg"
FIXTURE = HERE.parent.parent / "fixtures" / "cmu-1-small-region.svs"
# Pillow's subsampling: 1 is 4:2:2, 2 is 4:2:0.
CASES = [(2, 100, 84), (2, 98, 95), (2, 111, 66), (2, 2, 4), (1, 84, 50), (2, 96, 80)]


def encode(pixels, subsampling):
    height, width = pixels.shape[:2]
    padded = (-(-height // 16) * 16, -(-width // 16) * 16)
    rng = np.random.default_rng(width)
    whole = rng.integers(0, 256, (*padded, 3)).astype(np.uint8)
    whole[:height, :width] = pixels
    out = io.BytesIO()
    Image.fromarray(whole).save(out, "JPEG", quality=90, subsampling=subsampling)
    stream = bytearray(out.getvalue())
    frame = stream.index(b"\xff\xc0")
    struct.pack_into(">HH", stream, frame + 5, height, width)
    return bytes(stream)


def main():
    OUT.mkdir(exist_ok=True)
    slide = openslide.OpenSlide(FIXTURE)
    for subsampling, width, height in CASES:
        region = slide.read_region((900, 1100), 0, (width, height)).convert("RGB")
        stream = encode(np.array(region), subsampling)
        name = f"{'420' if subsampling == 2 else '422'}-{width}x{height}"
        (OUT / f"{name}.jpg").write_bytes(stream)
        Image.open(io.BytesIO(stream)).convert("RGB").save(OUT / f"{name}.png")


if __name__ == "__main__":
    main()
