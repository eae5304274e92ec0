# SPDX-License-Identifier: MIT OR Apache-2.0
"""The same manifest as Parquet, as pandas-like tools write it, and as CSV. pyarrow 26.0.1."""

import pathlib

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent
table = pa.table(
    {
        "path": ["a/1.png", "a/2.png", "b/3.png"],
        "label": pa.array(["tumour", None, "stroma"]).dictionary_encode(),
        "group": ["p1", "p1", "p2"],
        "x": pa.array([-5, 0, 1 << 40], pa.int64()),
        "score": pa.array([0.5, 1.25, None], pa.float64()),
        "is_good": pa.array([True, False, None]),
    }
)
pq.write_table(table, here / "manifest.parquet", compression="snappy")
pa.csv.write_csv(table.set_column(1, "label", table["label"].cast(pa.string())),
                 here / "manifest.csv", pa.csv.WriteOptions(quoting_style="none"))
