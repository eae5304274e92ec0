# SPDX-License-Identifier: MIT OR Apache-2.0
"""From a slide to embeddings in HDF5: openslide, torchvision, onnxruntime and h5py.

Tiles are read by DataLoader workers that each open the slide, normalised by torchvision's
transforms, embedded by onnxruntime on every core and appended batch by batch, as CLAM and its
kind do.
"""

import pathlib
import time

import h5py
import numpy as np
import onnxruntime
import openslide
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from embed import Network
from serve import serve
from tiles import make, places

CHECKED_ROWS = 4


class Tiles(Dataset):
    def __init__(self, path, px, transform):
        with openslide.OpenSlide(path) as slide:
            self.places = places(slide.dimensions[0], px)
        self.path, self.px, self.transform = path, px, transform
        self.slide = None

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        if self.slide is None:
            self.slide = openslide.OpenSlide(self.path)
        place = self.places[index]
        image = self.slide.read_region(place, 0, (self.px, self.px)).convert("RGB")
        return self.transform(image), np.array(place)


def embed(request, session):
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(request["mean"], request["std"])])
    tiles = Tiles(request["slide"], request["px"], transform)
    loader = DataLoader(tiles, request["batch"], num_workers=request["workers"])
    out = pathlib.Path(request["out"])
    with h5py.File(out, "w") as file:
        for x, places_ in loader:
            features = session.run(None, {"image": x.numpy()})[0]
            if "features" not in file:
                file.create_dataset(
                    "features", data=features, maxshape=(None, features.shape[1]),
                    chunks=(1, features.shape[1]))
                file.create_dataset(
                    "coords", data=places_.numpy(), maxshape=(None, 2), chunks=(1, 2))
                continue
            for name, rows in (("features", features), ("coords", places_.numpy())):
                data = file[name]
                data.resize(len(data) + len(rows), 0)
                data[-len(rows):] = rows


sessions = {}


def handle(request, threads):
    if "make" in request:
        make(request["make"], request["side"], request["tissue"])
        return []
    if request["weights"] not in sessions:
        # The workers are forked: they must not find PyTorch's threads held.
        torch.set_num_threads(1)
        sessions[request["weights"]] = Network(request, threads).session
    started = time.perf_counter()
    embed(request, sessions[request["weights"]])
    seconds = time.perf_counter() - started
    with h5py.File(request["out"]) as file:
        rows = file["features"]
        check = [len(rows), *(float(v) for v in rows[:CHECKED_ROWS].ravel())]
    version = f"{openslide.__library_version__}, onnxruntime {onnxruntime.__version__}"
    return [{"system": "openslide", "version": version, "seconds": seconds, "check": check}]


if __name__ == "__main__":
    serve(handle)
