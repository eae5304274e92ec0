# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes union.json: random squares with the parts of their union by shapely 2.1.1.

python3 -m venv v && v/bin/pip install shapely==2.1.1 && v/bin/python make_union.py
"""

import json
import pathlib
import random

from shapely import box, unary_union

draw = random.Random(7)
cases = []
for i in range(150):
    n = draw.randint(1, 40)
    if i % 3 == 0:  # a grid of tiles side by side
        cells = {(draw.randrange(7), draw.randrange(7)) for _ in range(n)}
        tiles = [[10 * x, 10 * y, 10] for x, y in sorted(cells)]
    elif i % 3 == 1:  # a grid of tiles that overlap by half
        cells = {(draw.randrange(12), draw.randrange(12)) for _ in range(n)}
        tiles = [[5 * x, 5 * y, 10] for x, y in sorted(cells)]
    else:  # anywhere, of several sizes, not all above zero
        tiles = [[draw.randrange(-30, 60), draw.randrange(-30, 60), draw.choice([4, 9, 16])] for _ in range(n)]
    union = unary_union([box(x, y, x + s, y + s) for x, y, s in tiles])
    parts = union.geoms if union.geom_type == "MultiPolygon" else [union]
    assert all(part.is_valid for part in parts)
    # Area and number of outlines of each part.
    cases.append({"tiles": tiles, "parts": sorted([round(p.area), 1 + len(p.interiors)] for p in parts)})
pathlib.Path(__file__).with_name("union.json").write_text(
    "[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n"
)
