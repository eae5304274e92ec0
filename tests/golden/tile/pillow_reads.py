# SPDX-License-Identifier: MIT OR Apache-2.0
"""What Pillow reads of every TIFF, JPEG and JPEG 2000 image below a folder, told by content.

Run: python pillow_reads.py IMAGES OUT   (a test does; it writes OUT/index.tsv and OUT/N.rgb)

A row of index.tsv: kind, path, N (empty where Pillow refuses), width, height, samples of a pixel,
bits of a sample, and 1 where Pillow refuses unless it is told to load what is cut short (0 else).
N.rgb holds the pixels as 8-bit RGB: grey is spread, of 16 bits the upper 8 are
taken, alpha is dropped. Other kinds are what Pillow itself converts them to, for readers to refuse.
"""

import pathlib
import sys
import warnings

import numpy as np
from PIL import Image, ImageFile

SAMPLES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "I;16": 1, "I;16B": 1, "I;16L": 1}


def kind_of(head):
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if head[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or head[:4] == b"\xff\x4f\xff\x51":
        return "jpeg2000"
    return None


def rgb(image):
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
        return np.stack([grey] * 3, -1)
    if image.mode in ("RGBA", "RGBX"):
        return np.asarray(image)[..., :3]
    if image.mode == "LA":
        return np.stack([np.asarray(image)[..., 0]] * 3, -1)
    if image.mode == "LAB":
        return np.asarray(image)
    return np.asarray(image.convert("RGB"))


def main():
    images, out = map(pathlib.Path, sys.argv[1:])
    Image.MAX_IMAGE_PIXELS = None
    warnings.simplefilter("ignore")
    rows = []
    for path in sorted(p for p in images.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            kind = kind_of(file.read(12))
        if kind is None:
            continue
        name, size, samples, bits, cut = "", (0, 0), 3, 8, 0
        for cut in (0, 1):
            ImageFile.LOAD_TRUNCATED_IMAGES = cut == 1
            try:
                with Image.open(path) as image:
                    size, samples = image.size, SAMPLES.get(image.mode, 3)
                    bits = 16 if image.mode.startswith("I;16") else 8
                    image.load()
                    pixels = rgb(image)
                    size = (pixels.shape[1], pixels.shape[0])
                    name = str(len(rows))
                    pixels.astype(np.uint8).tofile(out / f"{name}.rgb")
                break
            except Exception as error:  # whatever Pillow says of a damaged file
                print(f"Pillow refuses {path.name}: {error!r}", file=sys.stderr)
        rows.append([kind, str(path.relative_to(images)), name, *size, samples, bits, cut])
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (out / "index.tsv").write_text(text)


if __name__ == "__main__":
    main()
