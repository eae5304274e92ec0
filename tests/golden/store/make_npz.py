# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the small NumPy archives that eosin-store's import is tested with.

    pip install numpy==2.4.6
    python make_npz.py

Row i, column c of `features` is i + c / 8; `coords` stands beside it.
"""

import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
FEATURES = (np.arange(5)[:, None] + np.arange(8)[None, :] / 8).astype(np.float32)
COORDS = np.array([[i * 512, 1024] for i in range(5)])

np.savez(HERE / "plain.npz", coords=COORDS, features=FEATURES)
np.savez_compressed(HERE / "compressed.npz", coords=COORDS, features=FEATURES.astype(np.float16))
