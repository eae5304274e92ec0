# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes areas.json, labels.json, random.geojson and the files of every format with formats.json.

Areas, centres and containment are shapely's. A ring that crosses itself is taken apart by
shapely (unary_union of its line, polygonize), and a face belongs to it where a ray from the face's
representative point crosses the ring an odd number of times. Holes are subtracted.

The files are laid out as QuPath 0.6 and 0.2, ASAP 2, ImageScope 12, COCO and MIDOG write them, by
Python's json and text alone; formats.json has what must be found in them.

Run with Python 3.11 and requirements.txt:
    python tests/golden/annotation/make.py
Tolerance: areas 1e-9 of the larger of area and rectangle, centres 1e-6 px.
"""
import gzip
import json
import math
import pathlib

import numpy as np
import shapely
import shapely.affinity
from shapely import Point, Polygon, box
from shapely.ops import polygonize, unary_union

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(20240419)


def odd(ring, x, y):
    inside = False
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1]):
        if (y0 > y) != (y1 > y) and x < x0 + (x1 - x0) * (y - y0) / (y1 - y0):
            inside = not inside
    return inside


def even_odd(ring):
    line = unary_union(shapely.LineString(ring + ring[:1]))
    faces = []
    for face in polygonize(line):
        p = face.representative_point()
        if odd(ring, p.x, p.y):
            faces.append(face)
    return unary_union(faces)


def outline(polygon):
    shape = even_odd(polygon["outer"])
    for hole in polygon["holes"]:
        shape = shape.difference(even_odd(hole))
    return shape


def corner(x, y):
    return [round(float(x), 2), round(float(y), 2)]


def star(cx, cy, radius, n):
    """A ring around a centre that does not cross itself."""
    angles = np.sort(rng.uniform(0, 2 * math.pi, n))
    radii = radius * rng.uniform(0.35, 1, n)
    return [corner(cx + r * math.cos(a), cy + r * math.sin(a)) for a, r in zip(angles, radii)]


def scribble(cx, cy, radius, n):
    """A ring in no order, which crosses itself."""
    points = rng.uniform(-radius, radius, (n, 2))
    return [corner(cx + x, cy + y) for x, y in points]


def random_polygon(cx, cy, radius, i):
    n = int(rng.integers(5, 14))
    outer = scribble(cx, cy, radius, n) if i % 4 == 3 else star(cx, cy, radius, n)
    holes = []
    if i % 3 == 1:
        # Often inside, sometimes across the border.
        for _ in range(int(rng.integers(1, 3))):
            hx, hy = cx + rng.uniform(-0.6, 0.6) * radius, cy + rng.uniform(-0.6, 0.6) * radius
            holes.append(star(hx, hy, radius * 0.3, 5))
    return {"outer": outer, "holes": holes}


def areas():
    special = [
        # A bow tie, a pentagram, a staircase, a comb, and a ring that runs along itself.
        {"outer": [[0, 0], [100, 100], [100, 0], [0, 100]], "holes": []},
        {"outer": [corner(100 + 90 * math.sin(4 * math.pi * k / 5), 100 - 90 * math.cos(4 * math.pi * k / 5)) for k in range(5)], "holes": []},
        {"outer": [[0, 0], [300, 0], [300, 100], [200, 100], [200, 200], [100, 200], [100, 300], [0, 300]], "holes": []},
        {"outer": [[0, 0]] + [corner(10 * k, 200 if k % 2 else 20) for k in range(1, 80)] + [[800, 0]], "holes": []},
        {"outer": [[0, 0], [100, 0], [100, 100], [50, 100], [50, 50], [50, 100], [0, 100]], "holes": []},
        {"outer": [[0, 0], [400, 0], [400, 400], [0, 400]], "holes": [[[100, 100], [300, 100], [300, 300], [100, 300]], [[250, 250], [350, 250], [350, 350], [250, 350]]]},
    ]
    polygons = special + [random_polygon(500, 500, 400, i) for i in range(50)]
    # Large enough for rows of edges, and far from the origin, where numbers have fewer digits.
    polygons.append({"outer": star(90000, 120000, 5000, 400), "holes": [star(90000, 120000, 900, 90)]})
    polygons.append({"outer": scribble(2000, 2000, 1500, 70), "holes": []})
    cases = []
    for polygon in polygons:
        shape = outline(polygon)
        x0, y0, x1, y1 = shape.bounds
        rectangles = []
        for _ in range(6):
            xs = np.sort(rng.uniform(x0 - 50, x1 + 50, 2))
            ys = np.sort(rng.uniform(y0 - 50, y1 + 50, 2))
            r = corner(xs[0], ys[0]) + corner(xs[1], ys[1])
            rectangles.append({"box": r, "area": shape.intersection(box(*r)).area})
        # Borders of the rectangle on corners and edges of the polygon.
        a, b = polygon["outer"][0], polygon["outer"][len(polygon["outer"]) // 2]
        r = [min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]) + 1, max(a[1], b[1]) + 1]
        rectangles.append({"box": r, "area": shape.intersection(box(*r)).area})
        points = []
        while len(points) < 12:
            p = corner(rng.uniform(x0 - 10, x1 + 10), rng.uniform(y0 - 10, y1 + 10))
            # Borders are a matter of rules; here are points that have an answer.
            if shape.boundary.distance(Point(p)) > 1e-6:
                points.append({"point": p, "inside": bool(shape.contains(Point(p)))})
        centre = shape.centroid
        cases.append({**polygon, "area": shape.area, "centre": [centre.x, centre.y], "rectangles": rectangles, "points": points})
    write("areas.json", cases)


def write(name, value):
    (HERE / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


def feature(polygon, label, i, **more):
    rings = [ring + ring[:1] for ring in [polygon["outer"], *polygon["holes"]]]
    return {
        "type": "Feature",
        "id": f"5f8a0000-0000-4000-8000-{i:012d}",
        "geometry": {"type": "Polygon", "coordinates": rings},
        "properties": {"objectType": "annotation", "classification": {"name": label, "color": [200, 0, 0]}, **more},
    }


def labels():
    """200 polygons on a slide of 2220 x 2967 px, and the classes of its 9 x 13 tiles of 224 px."""
    width, height, side = 2220, 2967, 224
    names = ["Tumor", "Stroma", "Necrosis"]
    polygons, features = [], []
    for i in range(200):
        polygon = random_polygon(rng.uniform(0, width), rng.uniform(0, height), rng.uniform(30, 260), i)
        name = names[int(rng.choice(3, p=[0.45, 0.4, 0.15]))]
        polygons.append((name, outline(polygon)))
        features.append(feature(polygon, name, i))
    write("random.geojson", {"type": "FeatureCollection", "features": features})
    # Necrosis before tumor before stroma before what is outside.
    order = ["Necrosis", "Tumor", "Stroma"]
    left, parts = box(-1000, -1000, width + 1000, height + 1000), []
    for name in order:
        own = unary_union([shape for n, shape in polygons if n == name])
        parts.append((name, own.intersection(left)))
        left = left.difference(own)
    parts.append(("outside", left))
    tiles = []
    for row in range((height - side) // side + 1):
        for column in range((width - side) // side + 1):
            x, y = column * side, row * side
            tile = box(x, y, x + side, y + side)
            shares = {name: shape.intersection(tile).area / tile.area for name, shape in parts}
            best = max(shares, key=shares.get)
            middle = Point(x + side / 2, y + side / 2)
            centre = next(name for name, shape in parts if shape.contains(middle))
            # None of the tiles is a close call, on which rounding would decide.
            ordered = sorted(shares.values())
            assert abs(ordered[-1] - 0.5) > 1e-6 and ordered[-1] - ordered[-2] > 1e-6
            tiles.append({
                "box": [x, y, x + side, y + side],
                "shares": shares,
                "half": best if shares[best] >= 0.5 else None,
                "third": best if shares[best] >= 0.34 else None,
                "centre": centre,
            })
    write("labels.json", {"width": width, "height": height, "order": order + ["outside"], "tiles": tiles})


EXPECTED = {}


def expect(file, polygon, **fields):
    shape = polygon if isinstance(polygon, shapely.Geometry) else outline(polygon)
    found = {**fields, "area": shape.area, "centre": [shape.centroid.x, shape.centroid.y]}
    EXPECTED.setdefault(file, []).append(found)


def expect_points(file, points, **fields):
    EXPECTED.setdefault(file, []).append({**fields, "points": points})


A = {"outer": [[100.5, 100.25], [400, 120], [380, 390.75], [90, 350]], "holes": [[[200, 200], [250, 200], [250, 260], [200, 260]]]}
B = {"outer": [[500, 100], [700, 300], [700, 100], [500, 300]], "holes": []}
C = {"outer": [[800, 800], [900, 800], [900, 950], [800, 950]], "holes": []}


def qupath():
    name = "qupath.geojson"
    multi = {"type": "MultiPolygon", "coordinates": [[C["outer"] + C["outer"][:1]], [[[10, 10], [20, 10], [15, 30], [10, 10]]]]}
    measurements = {"Area µm^2": 312.5, "Circularity": 0.81}
    features = [
        feature(A, "Tumor", 1, name="north", isLocked=True),
        feature(B, "Stroma", 2),
        {"type": "Feature", "id": "m", "geometry": multi, "properties": {"objectType": "annotation", "classification": {"names": ["Immune cells", "CD3"], "color": [0, 0, 9]}}},
        {"type": "Feature", "id": "p", "geometry": {"type": "Point", "coordinates": [33.5, 44.25]}, "properties": {"objectType": "annotation"}},
        {"type": "Feature", "id": "ps", "geometry": {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4.5]]}, "properties": {"objectType": "annotation", "classification": {"name": "Mitosis", "color": [1, 2, 3]}}},
        {"type": "Feature", "id": "c", "geometry": {"type": "Polygon", "coordinates": [C["outer"] + C["outer"][:1]]}, "nucleusGeometry": {"type": "Polygon", "coordinates": [[[820, 820], [840, 820], [840, 850], [820, 820]]]}, "properties": {"objectType": "cell", "isLocked": False, "measurements": measurements}},
        {"type": "Feature", "id": "l", "geometry": {"type": "LineString", "coordinates": [[0, 0], [9, 9]]}, "properties": {"objectType": "annotation", "classification": {"name": "Ruler", "color": [1, 1, 1]}}},
    ]
    (HERE / name).write_text(json.dumps({"type": "FeatureCollection", "features": features}, indent=2) + "\n")
    ids = [f["id"] for f in features]
    expect(name, A, id=ids[0], kind="annotation", locked=True, **{"class": "Tumor"})
    expect(name, B, id=ids[1], kind="annotation", **{"class": "Stroma"})
    both = unary_union([outline(C), Polygon([(10, 10), (20, 10), (15, 30)])])
    expect(name, both, id="m", kind="annotation", **{"class": "Immune cells: CD3"})
    expect_points(name, [[33.5, 44.25]], id="p", kind="annotation")
    expect_points(name, [[1, 2], [3, 4.5]], id="ps", kind="annotation", **{"class": "Mitosis"})
    expect(name, C, id="c", kind="cell")

    # A list of features as older releases exported it, packed.
    name = "qupath-0.2.geojson.gz"
    old = [
        {"type": "Feature", "id": "PathAnnotationObject", "geometry": {"type": "Polygon", "coordinates": [A["outer"] + A["outer"][:1], A["holes"][0] + A["holes"][0][:1]]}, "properties": {"classification": {"name": "Tumor", "colorRGB": -3670016}, "isLocked": False, "measurements": []}},
        {"type": "Feature", "id": "PathDetectionObject", "geometry": {"type": "Polygon", "coordinates": [C["outer"] + C["outer"][:1]]}, "properties": {"classification": {"name": "Tumor", "colorRGB": -3670016}, "isLocked": True, "measurements": [{"name": "Area", "value": 3.5}]}},
    ]
    (HERE / name).write_bytes(gzip.compress(json.dumps(old).encode(), mtime=0))
    expect(name, A, id="1", kind="annotation", **{"class": "Tumor"})
    expect(name, C, id="2", kind="detection", locked=True, **{"class": "Tumor"})

    # One feature alone.
    name = "qupath-one.geojson"
    (HERE / name).write_text(json.dumps(feature(B, "Other", 7)) + "\n")
    expect(name, B, id="5f8a0000-0000-4000-8000-000000000007", kind="annotation", **{"class": "Other"})


def asap():
    name = "asap.xml"
    def annotation(label, kind, group, points, shuffle=False):
        lines = [f'\t\t\t\t<Coordinate Order="{i}" X="{x}" Y="{y}" />' for i, (x, y) in enumerate(points)]
        if shuffle:
            lines = lines[::-1]
        return f'\t\t<Annotation Name="{label}" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58">\n\t\t\t<Coordinates>\n' + "\n".join(lines) + "\n\t\t\t</Coordinates>\n\t\t</Annotation>\n"
    text = '<?xml version="1.0"?>\n<ASAP_Annotations>\n\t<Annotations>\n'
    text += annotation("Annotation 0", "Polygon", "metastases", A["outer"])
    text += annotation("_1", "Spline", "metastases", B["outer"], shuffle=True)
    text += annotation("normal &amp; fat", "Rectangle", "normal", C["outer"])
    text += annotation("dot", "Dot", "None", [[12.5, 13.5]])
    text += annotation("set", "PointSet", "mitoses", [[1, 2], [3, 4]])
    text += annotation("ruler", "Measurement", "None", [[1, 2], [3, 4]])
    text += "\t</Annotations>\n\t<AnnotationGroups>\n"
    for group in ["metastases", "normal", "mitoses"]:
        text += f'\t\t<Group Name="{group}" PartOfGroup="None" Color="#ff0000">\n\t\t\t<Attributes />\n\t\t</Group>\n'
    text += "\t</AnnotationGroups>\n</ASAP_Annotations>\n"
    (HERE / name).write_text(text)
    without_hole = {"outer": A["outer"], "holes": []}
    expect(name, without_hole, id="Annotation 0", kind="annotation", **{"class": "metastases"})
    expect(name, B, id="_1", kind="annotation", **{"class": "metastases"})
    expect(name, C, id="normal & fat", kind="annotation", **{"class": "normal"})
    expect_points(name, [[12.5, 13.5]], id="dot", kind="annotation")
    expect_points(name, [[1, 2], [3, 4]], id="set", kind="annotation", **{"class": "mitoses"})


def imagescope():
    name = "imagescope.xml"
    def region(i, kind, points, negative=0, text=""):
        vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in points)
        return (f'<Region Id="{i}" Type="{kind}" Zoom="0.25" Selected="0" ImageLocation="" ImageFocus="-1" Length="10" Area="10" LengthMicrons="5" AreaMicrons="2" Text="{text}" NegativeROA="{negative}" InputRegionId="0" Analyze="1" DisplayId="{i}">'
                f"<Attributes/><Vertices>{vertices}</Vertices></Region>\n")
    def layer(i, label, description, regions, read_only=0):
        attributes = f'<Attributes><Attribute Name="Description" Id="0" Value="{description}"/></Attributes>' if description else "<Attributes/>"
        return (f'<Annotation Id="{i}" Name="{label}" ReadOnly="{read_only}" NameReadOnly="0" LineColorReadOnly="0" Incremental="0" Type="4" LineColor="65280" Visible="1" Selected="1" MarkupImagePath="" MacroName="">'
                f'{attributes}<Regions><RegionAttributeHeaders><AttributeHeader Id="9999" Name="Region" ColumnWidth="-1"/></RegionAttributeHeaders>\n{"".join(regions)}</Regions><Plots/></Annotation>\n')
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<Annotations MicronsPerPixel="0.2520">\n'
    text += layer(1, "Tumor", "", [region(1, 0, A["outer"] + A["outer"][:1]), region(2, 0, A["holes"][0], negative=1), region(3, 0, B["outer"])])
    text += layer(2, "", "necrosis", [region(4, 1, C["outer"]), region(5, 1, [[10, 20], [60, 80]]), region(6, 3, [[1, 1], [5, 5]])], read_only=1)
    text += layer(3, "", "", [region(7, 2, [[1000, 1000], [1400, 1200]], text="vessel")])
    text += "</Annotations>\n"
    (HERE / name).write_text(text)
    expect(name, A, id="1", kind="annotation", **{"class": "Tumor"})
    expect(name, B, id="3", kind="annotation", **{"class": "Tumor"})
    expect(name, C, id="4", kind="annotation", locked=True, **{"class": "necrosis"})
    expect(name, box(10, 20, 60, 80), id="5", kind="annotation", locked=True, **{"class": "necrosis"})
    ellipse = shapely.affinity.scale(Point(1200, 1100).buffer(1, quad_segs=4096), 200, 100)
    expect(name, ellipse, id="7", kind="annotation", ellipse=True, **{"class": "vessel"})


def coco():
    name = "coco.json"
    info = {"description": "made", "version": "1.0", "year": 2024}
    flat = [v for p in B["outer"] for v in p]
    value = {
        "info": info,
        "licenses": [{"id": 1, "name": "CC0", "url": ""}],
        "images": [{"id": 1, "file_name": "slides/cmu-1-small-region.svs", "width": 2220, "height": 2967}, {"id": 2, "file_name": "other.svs", "width": 5000, "height": 5000}],
        "annotations": [
            {"id": 11, "image_id": 1, "category_id": 1, "bbox": [100, 200, 50, 60], "area": 3000, "iscrowd": 0, "segmentation": []},
            {"id": 12, "image_id": 1, "category_id": 2, "bbox": [500, 100, 200, 200], "area": 1, "iscrowd": 0, "segmentation": [flat, [0, 0, 10, 0, 10, 10, 0, 10]]},
            {"id": 13, "image_id": 2, "category_id": 1, "bbox": [4000, 4000, 100.5, 100], "area": 1, "iscrowd": 0},
        ],
        "categories": [{"id": 1, "name": "gland", "supercategory": ""}, {"id": 2, "name": "vessel", "supercategory": ""}],
    }
    (HERE / name).write_text(json.dumps(value) + "\n")
    image = "slides/cmu-1-small-region.svs"
    expect(name, box(100, 200, 150, 260), id="11", kind="detection", image=image, **{"class": "gland"})
    both = unary_union([outline(B), box(0, 0, 10, 10)])
    expect(name, both, id="12", kind="detection", image=image, **{"class": "vessel"})
    expect(name, box(4000, 4000, 4100.5, 4100), id="13", kind="detection", image="other.svs", **{"class": "gland"})


def midog():
    name = "MIDOG.json"
    boxes = [[1, 1, [120, 130, 170, 180], 1], [2, 1, [2000, 2900, 2050, 2950], 2], [3, 2, [6000, 700, 6050, 750], 1]]
    value = {
        "info": {"description": "MIDOG training set", "version": "1.0"},
        "images": [{"id": 1, "file_name": "001.tiff", "width": 2220, "height": 2967}, {"id": 2, "file_name": "002.tiff", "width": 7215, "height": 5412}],
        "annotations": [{"bbox": b, "category_id": c, "image_id": i, "id": n} for n, i, b, c in boxes],
        "categories": [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "hard negative"}],
    }
    (HERE / name).write_text(json.dumps(value, indent=1) + "\n")
    names = {1: "mitotic figure", 2: "hard negative"}
    for n, i, b, c in boxes:
        expect(name, box(*b), id=str(n), kind="detection", image=f"00{i}.tiff", **{"class": names[c]})


areas()
labels()
for make in (qupath, asap, imagescope, coco, midog):
    make()
write("formats.json", EXPECTED)
