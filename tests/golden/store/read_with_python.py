# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads a set of an embedding store with pyarrow, pandas, polars and DuckDB, as it lies on disk.

    pip install -r requirements.txt
    python read_with_python.py SET_FOLDER EXPECTED.npy EXPECTED_TILES.json

SET_FOLDER is <root>/<fingerprint>. The expected rows come from the store's own reader, so that every
reader is compared with it: values exactly, since f16 widens to f32 without loss.
The test `readers::python_reads_shards_as_they_are` of eosin-store runs this where the environment
variable EOSIN_PYTHON names an interpreter with these packages.
"""

import json
import pathlib
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq


def live_shards(folder):
    """Folds the log, which is all that a reader in another language has to know of the store."""
    live = []
    for entry in sorted((folder / "_log").glob("*.json")):
        entry = json.loads(entry.read_text())
        assert entry["format"] == 2, entry["format"]
        live = [name for name in live if name not in entry["removes"]]
        live += [add["name"] for add in entry["adds"] if add["name"] not in live]
        live = entry.get("order", live)
    return [str(folder / "shards" / f"{name}.parquet") for name in live]


def is_cold_f16(folder):
    adds = [add for e in (folder / "_log").glob("*.json") for add in json.loads(e.read_text())["adds"]]
    return any(add.get("cold", False) and add["dtype"] == "f16" for add in adds)


def main():
    folder, values, tiles = map(pathlib.Path, sys.argv[1:4])
    expected, tiles = np.load(values), json.loads(tiles.read_text())
    shards = live_shards(folder)
    n, dim = expected.shape

    def check(reader, ids, rows, mpp):
        rows = np.asarray(rows, dtype=np.float32).reshape(n, dim)
        assert list(ids) == [t["tile_id"] for t in tiles], f"{reader}: tiles differ"
        assert np.array_equal(rows, expected), f"{reader}: values differ"
        mpp = [None if m is None or m != m else float(m) for m in mpp]
        assert mpp == [t["effective_mpp"] for t in tiles], f"{reader}: resolutions differ"
        print(f"{reader}: {n} x {dim} as expected")

    table = pa.concat_tables([pq.read_table(s) for s in shards])
    assert pa.types.is_fixed_size_list(table.schema.field("embedding").type), table.schema
    flat = table["embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    check(f"pyarrow {pa.__version__}", table["tile_id"].to_pylist(), flat, table["effective_mpp"].to_pylist())
    meta = pq.read_metadata(shards[0]).metadata
    assert json.loads(meta[b"eosin.contract"])["dim"] == dim
    assert meta[b"eosin.fingerprint"].decode() == folder.name

    frame = pd.concat([pd.read_parquet(s) for s in shards])
    check(f"pandas {pd.__version__}", frame.tile_id, np.stack(list(frame.embedding)), frame.effective_mpp)

    frame = pl.concat([pl.read_parquet(s) for s in shards])
    column = frame["embedding"].to_numpy()
    check(f"polars {pl.__version__}", frame["tile_id"], column, frame["effective_mpp"])
    lazy = pl.scan_parquet(shards).filter(pl.col("x") > 0).select(pl.len()).collect().item()
    assert lazy == sum(t["x"] > 0 for t in tiles), "polars: the filter differs"

    try:
        found = duckdb.execute("SELECT tile_id, embedding, effective_mpp FROM read_parquet(?)", [shards]).fetchall()
        ids, rows, mpp = zip(*found)
        check(f"duckdb {duckdb.__version__}", ids, rows, mpp)
    except duckdb.Error as error:
        # DuckDB knows byte streams of numbers, and takes 16-bit floats for bytes.
        known = "BYTE_STREAM_SPLIT encoding is only supported for"
        assert is_cold_f16(folder) and known in str(error), error
        print(f"duckdb {duckdb.__version__}: {n} x {dim} in 16 bits and cold, which it does not read")
    per_patient = duckdb.execute(
        "SELECT patient, count(*) FROM read_parquet(?) GROUP BY patient ORDER BY patient", [shards]
    ).fetchall()
    assert sum(count for _, count in per_patient) == n, "duckdb: the grouping differs"


main()
