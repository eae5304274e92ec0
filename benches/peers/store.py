# SPDX-License-Identifier: MIT OR Apache-2.0
"""h5py, NumPy, pyarrow's Parquet and Lance on the same rows as Eosin's store.

h5py in three layouts: one piece of float32; TRIDENT's, one row a chunk and resizable, as its
`features` are written; and that with gzip. pyarrow and Lance keep float16 and give float32, as the
store does by default. Nobody here syncs to the disk; Eosin does.
"""

import pathlib
import shutil
import time

import h5py
import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serve import serve

BATCH = 1000
loaded = {}


def data(request):
    """The rows and what is known of them, read once and before any clock starts."""
    if not loaded:
        n, d = request["n"], request["d"]
        folder = pathlib.Path(request["folder"])
        loaded["x"] = np.fromfile(folder / "values", np.float32).reshape(n, d)
        loaded["picked"] = np.fromfile(folder / "picked", np.uint64).astype(np.int64)
        loaded["slide"] = np.arange(n) * request["n_slides"] // n
        loaded["tissue"] = (np.arange(n) % 100).astype(np.float32) / 100
        loaded["sorted"], loaded["back"] = np.unique(loaded["picked"], return_inverse=True)
    return loaded


def wanted(slide, tissue):
    return (slide == 7) & (tissue > np.float32(0.5))


def table(known):
    x = known["x"]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(x.astype(np.float16).ravel()), x.shape[1])
    return pa.table({
        "slide": pa.array([f"slide-{s}" for s in known["slide"]]),
        "tissue_fraction": pa.array(known["tissue"]),
        "embedding": vectors,
    })


def wide(column, d):
    """A column of float16 lists as an array of float32."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate(parts).astype(np.float32).reshape(-1, d)


class H5:
    version = h5py.__version__

    def __init__(self, name, chunked, gzip):
        self.name, self.chunked, self.gzip = name, chunked, gzip

    def path(self, folder):
        return folder / f"{self.name.replace(' ', '-')}.h5"

    def write(self, known, folder):
        x = known["x"]
        with h5py.File(self.path(folder), "w") as f:
            f.create_dataset("slide", data=known["slide"])
            f.create_dataset("tissue", data=known["tissue"])
            if not self.chunked:
                f.create_dataset("features", data=x)
                return
            d = x.shape[1]
            compression = "gzip" if self.gzip else None
            out = f.create_dataset("features", shape=(0, d), maxshape=(None, d), chunks=(1, d),
                                   dtype="f4", compression=compression)
            for start in range(0, len(x), BATCH):
                part = x[start:start + BATCH]
                out.resize(start + len(part), 0)
                out[start:start + len(part)] = part

    def size(self, folder):
        return self.path(folder).stat().st_size

    def read(self, known, folder):
        with h5py.File(self.path(folder)) as f:
            return f["features"][:]

    def random(self, known, folder):
        # h5py asks for rising row numbers.
        with h5py.File(self.path(folder)) as f:
            return f["features"][known["sorted"]][known["back"]]

    def filter(self, known, folder):
        with h5py.File(self.path(folder)) as f:
            rows = np.nonzero(wanted(f["slide"][:], f["tissue"][:]))[0]
            return f["features"][rows]


class Npy:
    name, version = "npy", np.__version__

    def write(self, known, folder):
        np.save(folder / "x.npy", known["x"])

    def size(self, folder):
        return (folder / "x.npy").stat().st_size

    def read(self, known, folder):
        return np.load(folder / "x.npy")

    def random(self, known, folder):
        return np.load(folder / "x.npy", mmap_mode="r")[known["picked"]]

    def filter(self, known, folder):
        rows = np.nonzero(wanted(known["slide"], known["tissue"]))[0]
        return np.load(folder / "x.npy", mmap_mode="r")[rows]


class Parquet:
    name, version = "pyarrow parquet", pa.__version__

    def write(self, known, folder):
        pq.write_table(table(known), folder / "x.parquet", compression="none",
                       use_dictionary=["slide"], row_group_size=8192)

    def size(self, folder):
        return (folder / "x.parquet").stat().st_size

    def read(self, known, folder):
        column = pq.read_table(folder / "x.parquet", columns=["embedding"])["embedding"]
        return wide(column, known["x"].shape[1])

    def random(self, known, folder):
        column = pq.read_table(folder / "x.parquet", columns=["embedding"])["embedding"]
        return wide(column.take(pa.array(known["picked"])), known["x"].shape[1])

    def filter(self, known, folder):
        limit = pa.scalar(0.5, pa.float32())
        condition = (pc.field("slide") == "slide-7") & (pc.field("tissue_fraction") > limit)
        found = pq.read_table(folder / "x.parquet", columns=["embedding"], filters=condition)
        return wide(found["embedding"], known["x"].shape[1])


class Lance:
    name, version = "lance", lance.__version__

    def write(self, known, folder):
        lance.write_dataset(table(known), str(folder / "x.lance"), mode="overwrite")

    def size(self, folder):
        return sum(p.stat().st_size for p in (folder / "x.lance").rglob("*") if p.is_file())

    def read(self, known, folder):
        column = lance.dataset(str(folder / "x.lance")).to_table(columns=["embedding"])["embedding"]
        return wide(column, known["x"].shape[1])

    def random(self, known, folder):
        found = lance.dataset(str(folder / "x.lance")).take(known["picked"], columns=["embedding"])
        return wide(found["embedding"], known["x"].shape[1])

    def filter(self, known, folder):
        condition = "slide = 'slide-7' AND tissue_fraction > CAST(0.5 AS FLOAT)"
        found = lance.dataset(str(folder / "x.lance")).to_table(columns=["embedding"], filter=condition)
        return wide(found["embedding"], known["x"].shape[1])


PEERS = [H5("h5py", False, False), H5("h5py TRIDENT", True, False), H5("h5py gzip", True, True),
         Npy(), Parquet(), Lance()]


def handle(request, threads):
    pa.set_cpu_count(threads)
    known, folder = data(request), pathlib.Path(request["folder"])
    answers = []
    for peer in PEERS:
        if peer.name == "h5py gzip" and not request["gzip"]:
            continue
        if request["op"] == "size":
            answers.append({"system": peer.name, "version": peer.version, "seconds": peer.size(folder) / 1e6})
            continue
        if request["op"] == "write":
            shutil.rmtree(folder / "x.lance", ignore_errors=True) if peer.name == "lance" else None
        act = {"write": peer.write, "full read": peer.read, "random rows": peer.random,
               "filter": peer.filter}[request["op"]]
        started = time.perf_counter()
        rows = act(known, folder)
        seconds = time.perf_counter() - started
        check = []
        if rows is not None:
            at = {"full read": 7, "random rows": 5, "filter": 0}[request["op"]]
            check = [float(len(rows)), float(rows[at][3])]
        answers.append({"system": peer.name, "version": peer.version, "seconds": seconds, "check": check})
    return answers


serve(handle)
