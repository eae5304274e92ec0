# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the small HDF5 files that eosin-store's import is tested with.

    pip install h5py==3.16.0 numpy==2.4.6
    python make_h5.py

The layouts are those that the tools write: TRIDENT (`coords` with attributes, `features` with its
encoder, appended in chunks), CLAM (`features` and `coords`, resizable), STAMP (`feats` in half
precision, `coords` in micrometres) and AtlasPatch (five-column `coords`, a group of features).
Row i, column c of every matrix is i + c / 8, which half precision holds exactly.
"""

import pathlib

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent
FEATURES = (np.arange(5)[:, None] + np.arange(8)[None, :] / 8).astype(np.float32)
COORDS = np.array([[i * 512, 1024] for i in range(5)])

with h5py.File(HERE / "trident.h5", "w") as f:
    coords = f.create_dataset("coords", data=COORDS.astype(np.int64), maxshape=(None, 2), chunks=(1, 2))
    coords.attrs.update({
        "patch_size": 256, "patch_size_level0": 512, "level0_magnification": 40,
        "target_magnification": 20, "overlap": 0, "name": "trident", "savetodir": "job",
        "level0_width": 4000, "level0_height": 3000,
    })
    features = f.create_dataset("features", data=FEATURES, maxshape=(None, 8), chunks=(1, 8))
    features.attrs.update({"encoder": "uni_v1", "name": "trident", "savetodir": "job"})

with h5py.File(HERE / "clam.h5", "w") as f:
    f.create_dataset("features", data=FEATURES, maxshape=(None, 8), chunks=(1, 8))
    coords = f.create_dataset("coords", data=COORDS.astype(np.int32), maxshape=(None, 2), chunks=(1, 2))
    coords.attrs.update({"patch_size": 256, "patch_level": 1, "downsample": np.array([2.0, 2.0])})

with h5py.File(HERE / "stamp.h5", "w") as f:
    f.create_dataset("coords", data=COORDS.astype(np.float64))
    f.create_dataset("feats", data=FEATURES.astype(np.float16))
    f.attrs.update({
        "stamp_version": "2.2.0", "extractor": "ctranspath", "unit": "um", "tile_size_um": 256.0,
        "tile_size_px": 224, "code_hash": "0", "feat_type": "tile",
    })

with h5py.File(HERE / "atlaspatch.h5", "w") as f:
    level = np.concatenate([COORDS, np.full((5, 2), 448), np.zeros((5, 1))], axis=1)
    f.create_dataset("coords", data=level.astype(np.int32))
    f.create_dataset("features/dinov2_small", data=FEATURES, compression="gzip")
    f.create_dataset("features/resnet50", data=FEATURES * 2)
