# SPDX-License-Identifier: MIT OR Apache-2.0
"""The same grid of tiles by openslide-python, and by tifffile with imagecodecs.

Both read in raster order. tifffile decodes each stored tile once, from a cache of two rows of
them, as a careful user would write it. Resampling is Pillow's, bilinear.
"""

import pathlib
import re
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openslide
import tifffile
from PIL import Image

from serve import serve

STORED = 256
MPP = 0.5


def make(path, side, tissue):
    """A pyramid whose levels are the small slide, mirrored over and over."""
    slide = openslide.OpenSlide(tissue)
    source = np.array(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))
    block = np.concatenate([source, source[:, ::-1]], 1)
    block = np.concatenate([block, block[::-1]], 0)

    def level(downsample):
        height = width = side // downsample
        small = np.array(Image.fromarray(block).reduce(downsample)) if downsample > 1 else block
        columns, rows = -(-width // STORED), -(-height // STORED)
        for row in range(rows):
            y = np.arange(row * STORED, (row + 1) * STORED) % small.shape[0]
            band = small[y]
            for column in range(columns):
                x = np.arange(column * STORED, (column + 1) * STORED) % small.shape[1]
                yield band[:, x]

    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        for i, downsample in enumerate((1, 4, 16)):
            size = side // downsample
            tif.write(
                level(downsample), shape=(size, size, 3), dtype=np.uint8, tile=(STORED, STORED),
                photometric="ycbcr", subsampling=(2, 2), compression="jpeg",
                compressionargs={"level": 80}, metadata=None, subfiletype=1 if i else 0,
                resolution=(1e4 / MPP, 1e4 / MPP), resolutionunit="CENTIMETER", maxworkers=2,
            )


def places(size, step):
    n = int((size - step) / step + 1 + 1e-9)
    return [(int(c * step + 1e-6), int(r * step + 1e-6)) for r in range(n) for c in range(n)]


class ByTifffile:
    def __init__(self, path, threads):
        self.tif = tifffile.TiffFile(path)
        self.page = self.tif.pages[0]
        self.columns = -(-self.page.imagewidth // STORED)
        self.limit = 2 * self.columns + 4 * threads
        self.cache, self.lock = OrderedDict(), threading.Lock()

    def stored(self, index):
        with self.lock:
            if index in self.cache:
                self.cache.move_to_end(index)
                return self.cache[index]
            handle = self.tif.filehandle
            handle.seek(self.page.dataoffsets[index])
            data = handle.read(self.page.databytecounts[index])
        tile = self.page.decode(data, index, jpegtables=self.page.jpegtables)[0][0]
        with self.lock:
            self.cache[index] = tile
            while len(self.cache) > self.limit:
                self.cache.popitem(last=False)
        return tile

    def region(self, x, y, side):
        out = np.full((side, side, 3), 255, np.uint8)
        last_row = min(y + side - 1, self.page.imagelength - 1) // STORED
        last_column = min(x + side - 1, self.page.imagewidth - 1) // STORED
        for row in range(y // STORED, last_row + 1):
            for column in range(x // STORED, last_column + 1):
                tile = self.stored(row * self.columns + column)
                top, left = row * STORED - y, column * STORED - x
                part = tile[max(-top, 0) : side - top, max(-left, 0) : side - left]
                y0, x0 = max(top, 0), max(left, 0)
                out[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
        return Image.fromarray(out)


class ByOpenslide:
    def __init__(self, path, _threads):
        self.slide = openslide.OpenSlide(path)

    def region(self, x, y, side):
        return self.slide.read_region((x, y), 0, (side, side)).convert("RGB")


def anonymous_mb():
    status = pathlib.Path("/proc/self/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def measure(name, version, reader, request, threads):
    px, scale = request["px"], request["scale"]
    start = time.perf_counter()
    with tifffile.TiffFile(request["slide"]) as tif:
        size = tif.pages[0].imagewidth
    source = reader(request["slide"], threads)
    step = px * scale

    def read(place):
        x, y = place
        # Two pixels around, so that Pillow's filter sees what lies beside the tile.
        around = 0 if scale == 1 else 2
        left, top = max(x - around, 0), max(y - around, 0)
        side = min(int(np.ceil(step)) + 2 * around + 1, size) if around else px
        image = source.region(left, top, side)
        if scale != 1:
            box = (x - left, y - top, x - left + step, y - top + step)
            image = image.resize((px, px), Image.Resampling.BILINEAR, box=box)
        return int(np.asarray(image, dtype=np.uint32).sum())

    grid = places(size, step)
    if threads == 1:
        sums = [read(place) for place in grid]
    else:
        with ThreadPoolExecutor(threads) as pool:
            sums = list(pool.map(read, grid, chunksize=64))
    seconds = time.perf_counter() - start
    means = [s / (px * px * 3) for s in sums]
    check = [len(grid), anonymous_mb(), *means]
    return {"system": name, "version": version, "seconds": seconds, "check": check}


def handle(request, threads):
    if "make" in request:
        make(request["make"], request["side"], request["tissue"])
        return []
    return [
        measure("openslide", openslide.__library_version__, ByOpenslide, request, threads),
        measure("tifffile", tifffile.__version__, ByTifffile, request, threads),
    ]


if __name__ == "__main__":
    serve(handle)
