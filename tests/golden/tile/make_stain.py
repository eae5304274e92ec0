# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stain normalisation by torchstain 1.4.1 (MIT), with numpy 2.2.6 and Pillow 11.3.0.

`openslide-1.png` is normalised, to the defaults and to `openslide-0.png`. Rows of stain.csv:
the fit (Macenko: haematoxylin, eosin, largest densities; Reinhard: means, deviations) of both.
"""

import pathlib

import numpy as np
from PIL import Image
from torchstain.numpy.normalizers import NumpyMacenkoNormalizer, NumpyReinhardNormalizer

here = pathlib.Path(__file__).parent
target, source = (
    np.array(Image.open(here / f"openslide-{i}.png").convert("RGB")) for i in (0, 1)
)
rows = ["method,image," + ",".join(f"v{i}" for i in range(8))]
for method, make in [("macenko", NumpyMacenkoNormalizer), ("reinhard", NumpyReinhardNormalizer)]:
    for name, image in [("source", source), ("target", target)]:
        fitted = make()
        fitted.fit(image)
        values = (
            [*fitted.HERef.T.ravel(), *fitted.maxCRef]
            if method == "macenko"
            else [*fitted.target_means, *fitted.target_stds, 0, 0]
        )
        rows.append(f"{method},{name}," + ",".join(f"{v:.10g}" for v in values))
    # `fitted` is of the target now.
    out = fitted.normalize(source)
    out = out[0] if method == "macenko" else out
    Image.fromarray(out).save(here / f"stain-{method}.png", optimize=True)
(here / "stain.csv").write_text("\n".join(rows) + "\n")
