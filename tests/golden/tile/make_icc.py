# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes ICC profiles, slides with one of them, and what littlecms makes of their colours in sRGB.

Origin: Pillow 11.3.0 with littlecms 2.17 converts (ImageCms, no black-point compensation, the
profile's own intent); tifffile 2026.3.3 and pydicom 3.0.2 write the slides; numpy 2.2.6. The
profiles are made here: wide gamut with one gamma, sRGB's primaries with a curve for each channel,
and a 17³ table to Lab.
Run: python make_icc.py   (writes icc/ beside itself)
"""

import io
import pathlib
import struct

import numpy as np
import pydicom
import tifffile
from PIL import Image, ImageCms
from pydicom.dataset import Dataset

OUT = pathlib.Path(__file__).parent / "icc"
D50 = (0.9642, 1.0, 0.8249)
# Columns are the primaries, adapted to D50.
ADOBE = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]
SRGB = [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]


def fixed(value):
    return struct.pack(">i", round(value * 65536))


def xyz(values):
    return b"XYZ \0\0\0\0" + b"".join(fixed(v) for v in values)


def curve(values):
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *values)


def text(words):
    ascii_part = words.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(ascii_part)) + ascii_part + b"\0" * 78


def profile(tags, pcs, intent):
    tags = {b"desc": text("eosin test"), b"cprt": b"text\0\0\0\0CC0\0", b"wtpt": xyz(D50), **tags}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    header = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", 0x02400000, b"scnr", b"RGB ", pcs)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 24
    header += struct.pack(">I", intent) + b"".join(fixed(v) for v in D50)
    header += b"\0" * (128 - len(header))
    return header + struct.pack(">I", len(tags)) + table + body


def matrix(primaries, curves, intent):
    tags = {}
    for letter, primary, values in zip(b"rgb", primaries, curves):
        tags[bytes([letter]) + b"XYZ"] = xyz(primary)
        tags[bytes([letter]) + b"TRC"] = curve(values)
    return profile(tags, b"XYZ ", intent)


def lab(rgb):
    linear = rgb**2.0 @ np.array(SRGB)
    ratio = np.clip(linear / D50, 1e-9, None)
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def table(side=17):
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, side)] * 3, indexing="ij"), -1)
    colours = lab(grid)
    # ICC version 2 codes L* 100 as FF00 and a* = b* = 0 as 8000.
    coded = np.stack([colours[..., 0] * 652.8, (colours[..., 1] + 128) * 256, (colours[..., 2] + 128) * 256], -1)
    coded = np.clip(np.rint(coded), 0, 65535).astype(">u2")
    head = b"mft2\0\0\0\0" + bytes([3, 3, side, 0])
    head += b"".join(fixed(v) for v in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    line = struct.pack(">2H", 0, 65535) * 3
    return profile({b"A2B0": head + struct.pack(">2H", 2, 2) + line + coded.tobytes() + line}, b"Lab ", 0)


def source():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:64, 0:96]
    smooth = np.stack([255 * x / 95, 255 * y / 63, 255 * (x + y) / 158], -1)
    noise = rng.integers(0, 256, (64, 96, 3))
    grey = np.repeat((255 * x / 95)[..., None], 3, -1)
    return np.concatenate([smooth, noise, grey]).astype(np.uint8)


def main():
    OUT.mkdir(exist_ok=True)
    pixels = source()
    Image.fromarray(pixels).save(OUT / "source.png")
    steps = np.linspace(0, 1, 64)
    bent = [np.rint(65535 * (0.9 * steps**g + 0.1 * steps)).astype(int) for g in (2.1, 2.3, 2.4)]
    cases = {
        "wide": matrix(ADOBE, [[round(2.2 * 256)]] * 3, 1),
        "curves": matrix(SRGB, bent, 1),
        "table": table(),
    }
    for name, data in cases.items():
        (OUT / f"{name}.icc").write_bytes(data)
        scanner = ImageCms.ImageCmsProfile(io.BytesIO(data))
        converted = ImageCms.profileToProfile(
            Image.fromarray(pixels),
            scanner,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.getDefaultIntent(scanner),
            outputMode="RGB",
        )
        converted.save(OUT / f"{name}.png", icc_profile=None)
    tifffile.imwrite(
        OUT / "slide.tiff",
        pixels[:192, :96],
        tile=(32, 32),
        photometric="rgb",
        compression="zlib",
        resolution=(20000, 20000),
        resolutionunit="CENTIMETER",
        iccprofile=cases["wide"],
        metadata=None,
        software=None,
    )
    dataset = pydicom.dcmread(OUT.parent / "slides" / "dicom" / "level-1.dcm")
    path = Dataset()
    path.OpticalPathIdentifier, path.ICCProfile = "0", cases["curves"]
    dataset.OpticalPathSequence = [path]
    dataset.save_as(OUT / "slide.dcm")


if __name__ == "__main__":
    main()
