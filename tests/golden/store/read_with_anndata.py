# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads an exported .h5ad file with anndata and compares it with an exported .npy of the same set.

    pip install -r requirements.txt
    eosin store export SET --to h5ad --out all.h5ad && eosin store export SET --to npy --out all.npy
    python read_with_anndata.py all.h5ad all.npy

The test `interop::h5::h5ad_has_what_anndata_asks_for` of eosin-store checks the same groups and
attributes without Python.
"""

import json
import pathlib
import sys

import anndata
import numpy as np

path, array = map(pathlib.Path, sys.argv[1:3])
data, expected = anndata.read_h5ad(path), np.load(array)
lines = array.with_suffix(".tiles.jsonl").read_text().splitlines()
tiles = [json.loads(line)["tile"] for line in lines]
assert np.array_equal(data.X, expected), "X differs"
assert list(data.obs["tile_id"]) == [t["tile_id"] for t in tiles], "tiles differ"
assert list(data.obs["patient"]) == [t["group"] for t in tiles], "patients differ"
assert list(data.obs["centre"]) == [t["centre"] or "" for t in tiles], "centres differ"
assert np.array_equal(data.obsm["spatial"], [[t["x"], t["y"]] for t in tiles]), "places differ"
mpp = [np.nan if t["effective_mpp"] is None else t["effective_mpp"] for t in tiles]
assert np.array_equal(data.obs["effective_mpp"], mpp, equal_nan=True), "resolutions differ"
assert json.loads(data.uns["eosin_contract"])["dim"] == expected.shape[1], "contract differs"
assert data.var_names[0] == "e0" and data.n_vars == expected.shape[1], "variables differ"
# What comes back from anndata's own writer is the same.
again = path.with_suffix(".again.h5ad")
data.write_h5ad(again)
assert np.array_equal(anndata.read_h5ad(again).X, expected), "the copy differs"
print(f"anndata {anndata.__version__}: {data.n_obs} x {data.n_vars} as expected")
