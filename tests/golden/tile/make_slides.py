# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes small synthetic slides of many formats and reads them with public readers.

Origin: tifffile 2026.3.3, imagecodecs 2026.3.6, Pillow 11.3.0, pydicom 3.0.2, numpy 2.2.6 write;
openslide-bin 4.0.1.2 (or, where it does not know the format, tifffile or pydicom with Pillow)
reads. These files stand for formats of which no small free slide exists; they show that the
layout is understood, not that every scanner's files are.
Run: python make_slides.py   (writes slides/ and slides.csv beside itself)
"""

import csv
import io
import pathlib
import struct

import numpy as np
import openslide
import pydicom
import tifffile
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, generate_uid

HERE = pathlib.Path(__file__).parent
OUT = HERE / "slides"
WIDTH, HEIGHT, TILE = 300, 220, 64


def tissue(width, height):
    y, x = np.mgrid[0:height, 0:width] * (300 / width)
    blob = np.clip(1.6 - np.hypot((x - 150) / 100, (y - 110) / 80), 0, 1)
    waves = 40 * np.sin(x / 19) * np.cos(y / 23)
    rgb = np.stack([240 - 60 * blob + waves * blob * 0.5, 238 - 150 * blob + waves * blob, 242 - 70 * blob], -1)
    return np.clip(rgb, 0, 255).astype(np.uint8)


LEVELS = [tissue(WIDTH, HEIGHT), tissue(WIDTH // 2, HEIGHT // 2)]
PER_CM = (20000, 20000)  # 0.5 µm


def pyramid(name, bigtiff=False, byteorder="<", tile=(TILE, TILE), extra=(), **options):
    with tifffile.TiffWriter(OUT / name, bigtiff=bigtiff, byteorder=byteorder) as tif:
        for i, level in enumerate(LEVELS):
            tif.write(
                level,
                tile=tile,
                resolution=PER_CM,
                resolutionunit="CENTIMETER",
                subfiletype=1 if i else 0,
                metadata=None,
                **options,
                **(dict(zip(("description", "software"), extra)) if i == 0 else {}),
            )


def philips():
    """Level sizes are padded to tiles; the second level is sparse where the first tile would be."""
    padded = [np.full((256, 320, 3), 255, np.uint8), np.full((128, 192, 3), 255, np.uint8)]
    for level, (big) in zip(LEVELS, padded):
        big[: level.shape[0], : level.shape[1]] = level
    spacing = lambda f: f'"{0.0005 * f}" "{0.0005 * f}"'
    attribute = lambda name, text, kind="IString": (
        f'<Attribute Name="{name}" Group="0x0028" Element="0x0030" PMSVR="{kind}">{text}</Attribute>'
    )
    level = lambda i, f: (
        '<DataObject ObjectType="PixelDataRepresentation">'
        + attribute("DICOM_PIXEL_SPACING", spacing(f), "IDoubleArray")
        + attribute("PIIM_PIXEL_DATA_REPRESENTATION_NUMBER", str(i), "IUInt16")
        + "</DataObject>"
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8" ?>\n<DataObject ObjectType="DPUfsImport">'
        + attribute("DICOM_MANUFACTURER", "PHILIPS")
        + '<Attribute Name="PIM_DP_SCANNED_IMAGES" Group="0x301D" Element="0x1003" PMSVR="IDataObjectArray"><Array>'
        + '<DataObject ObjectType="DPScannedImage">'
        + attribute("PIM_DP_IMAGE_TYPE", "WSI")
        + attribute("DICOM_PIXEL_SPACING", spacing(1), "IDoubleArray")
        + '<Attribute Name="PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE" Group="0x1001" Element="0x8B01" PMSVR="IDataObjectArray"><Array>'
        + level(0, 1)
        + level(1, 2)
        + "</Array></Attribute></DataObject></Array></Attribute></DataObject>"
    )
    path = OUT / "philips.tiff"
    with tifffile.TiffWriter(path) as tif:
        for i, data in enumerate(padded):
            tif.write(
                data,
                tile=(TILE, TILE),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(1, 1),
                compressionargs={"level": 90},
                subfiletype=1 if i else 0,
                metadata=None,
                software="Philips DP v1.0",
                description=xml if i == 0 else "",
            )
    blank_tile(path, page=1, index=0)


def blank_tile(path, page, index):
    """Sets a tile's offset and length to zero, as sparse writers do."""
    with tifffile.TiffFile(path) as tif:
        tags = tif.pages[page].tags
        places = [(tags[n].valueoffset, tags[n].dtype) for n in ("TileOffsets", "TileByteCounts")]
        formats = {3: ("<H", 2), 4: ("<I", 4), 16: ("<Q", 8)}
    with open(path, "r+b") as file:
        for at, dtype in places:
            code, size = formats[int(dtype)]
            file.seek(at + index * size)
            file.write(struct.pack(code, 0))


def leica():
    nm = 500
    size = f'sizeX="{WIDTH * nm}" sizeY="{HEIGHT * nm}"'
    xml = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        '<collection name="c" uuid="urn:uuid:1" sizeX="26000000" sizeY="76000000">'
        '<barcode>none</barcode>'
        '<image name="macro" uuid="urn:uuid:2"><creationDate>2020-01-01T00:00:00Z</creationDate>'
        '<device model="Leica SCN400" version="1.0"/>'
        '<pixels sizeX="75" sizeY="55"><dimension sizeX="75" sizeY="55" r="0" ifd="0"/></pixels>'
        '<view sizeX="26000000" sizeY="76000000" offsetX="0" offsetY="0" spacingZ="0"/>'
        '<scanSettings><objectiveSettings><objective>1</objective></objectiveSettings>'
        '<illuminationSettings><numericalAperture>0.025</numericalAperture>'
        '<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings></image>'
        '<image name="scan" uuid="urn:uuid:3"><creationDate>2020-01-01T00:00:00Z</creationDate>'
        '<device model="Leica SCN400" version="1.0"/>'
        f'<pixels sizeX="{WIDTH}" sizeY="{HEIGHT}">'
        f'<dimension sizeX="{WIDTH}" sizeY="{HEIGHT}" r="0" ifd="1"/>'
        f'<dimension sizeX="{WIDTH // 2}" sizeY="{HEIGHT // 2}" r="1" ifd="2"/></pixels>'
        f'<view {size} offsetX="1000000" offsetY="2000000" spacingZ="0"/>'
        '<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>'
        '<illuminationSettings><numericalAperture>0.4</numericalAperture>'
        '<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings></image>'
        "</collection></scn>"
    )
    with tifffile.TiffWriter(OUT / "leica.scn", bigtiff=True) as tif:
        for i, data in enumerate([tissue(75, 55), *LEVELS]):
            tif.write(
                data,
                tile=(TILE, TILE),
                photometric="ycbcr",
                compression="jpeg",
                subsampling=(1, 1),
                compressionargs={"level": 90},
                metadata=None,
                description=xml if i == 0 else None,
            )


def ome():
    options = dict(tile=(TILE, TILE), compression="jpeg", compressionargs={"level": 90}, photometric="rgb")
    with tifffile.TiffWriter(OUT / "ome.ome.tif", bigtiff=True) as tif:
        metadata = {"axes": "YXS", "PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
        tif.write(LEVELS[0], subifds=1, metadata=metadata, **options)
        tif.write(LEVELS[1], subfiletype=1, **options)


def jpeg(data, **options):
    out = io.BytesIO()
    Image.fromarray(data).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def ndpi():
    """One JPEG per level with restart markers, entries with upper halves, 8-byte next offsets."""
    blob = bytearray(struct.pack("<2sHQ", b"II", 42, 0))
    previous = 4
    for data, lens in [(tissue(240, 208), 20.0), (tissue(120, 104), 10.0), (tissue(80, 40), -1.0)]:
        # Rows are 3 or 6 restart intervals of 40 px.
        stream = jpeg(data, subsampling=0, restart_marker_blocks=5)
        at = len(blob)
        blob += stream
        scan = stream.index(b"\xff\xda")
        starts = [scan + 2 + struct.unpack(">H", stream[scan + 2 : scan + 4])[0]]
        for i in range(starts[0], len(stream) - 1):
            if stream[i] == 0xFF and 0xD0 <= stream[i + 1] <= 0xD7:
                starts.append(i + 2)
        height, width = data.shape[:2]
        tags = [
            (256, 4, [width]), (257, 4, [height]), (258, 3, [8, 8, 8]), (259, 3, [7]), (262, 3, [6]),
            (271, 2, b"Hamamatsu\0"), (273, 4, [at]), (277, 3, [3]), (278, 4, [height]),
            (279, 4, [len(stream)]), (282, 5, [20000, 1]), (283, 5, [20000, 1]), (296, 3, [3]),
            (65420, 3, [1]), (65421, 11, [lens]), (65424, 9, [0]), (65426, 4, starts),
        ]
        entries = []
        for code, kind, values in tags:
            letter = {2: "B", 3: "H", 4: "I", 5: "I", 9: "i", 11: "f"}[kind]
            raw = struct.pack(f"<{len(values)}{letter}", *values)
            count = len(values) // 2 if kind == 5 else len(values)
            if len(raw) > 4:
                blob += b"\0" * (len(blob) % 2)
                entries.append(struct.pack("<HHII", code, kind, count, len(blob)))
                blob += raw
            else:
                entries.append(struct.pack("<HHI4s", code, kind, count, raw))
        directory = len(blob) + len(blob) % 2
        blob += b"\0" * (len(blob) % 2)
        struct.pack_into("<Q", blob, previous, directory)
        blob += struct.pack("<H", len(entries)) + b"".join(entries)
        previous = len(blob)
        blob += struct.pack("<Q", 0) + b"\0" * (4 * len(entries))
    (OUT / "ndpi.ndpi").write_bytes(bytes(blob))


def dicom():
    folder = OUT / "dicom"
    folder.mkdir(exist_ok=True)
    series = generate_uid(entropy_srcs=["eosin", "series"])
    for i, (data, sparse) in enumerate(zip(LEVELS, [False, True])):
        height, width = data.shape[:2]
        columns, rows = -(-width // TILE), -(-height // TILE)
        frames, positions = [], []
        for row in range(rows):
            for column in range(columns):
                frame = np.full((TILE, TILE, 3), 255, np.uint8)
                part = data[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
                frame[: part.shape[0], : part.shape[1]] = part
                if sparse and (row, column) == (0, 0):
                    continue
                frames.append(jpeg(frame, subsampling=0))
                positions.append((column * TILE + 1, row * TILE + 1))
        ds = Dataset()
        ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
        ds.SOPInstanceUID = generate_uid(entropy_srcs=["eosin", str(i)])
        ds.StudyInstanceUID = generate_uid(entropy_srcs=["eosin", "study"])
        ds.SeriesInstanceUID = series
        ds.Modality = "SM"
        ds.ImageType = ["ORIGINAL" if i == 0 else "DERIVED", "PRIMARY", "VOLUME", "NONE" if i == 0 else "RESAMPLED"]
        ds.FrameOfReferenceUID = generate_uid(entropy_srcs=["eosin", "frame"])
        ds.Rows = ds.Columns = TILE
        ds.TotalPixelMatrixColumns, ds.TotalPixelMatrixRows = width, height
        ds.TotalPixelMatrixFocalPlanes = 1
        ds.NumberOfFrames = len(frames)
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, "YBR_FULL_422"
        ds.BitsAllocated = ds.BitsStored = 8
        ds.HighBit, ds.PixelRepresentation, ds.PlanarConfiguration = 7, 0, 0
        ds.DimensionOrganizationType = "TILED_SPARSE" if sparse else "TILED_FULL"
        ds.NumberOfOpticalPaths = 1
        measures = Dataset()
        measures.PixelSpacing = [0.0005 * 2**i, 0.0005 * 2**i]
        measures.SliceThickness = 0.001
        shared = Dataset()
        shared.PixelMeasuresSequence = [measures]
        ds.SharedFunctionalGroupsSequence = [shared]
        if sparse:
            groups = []
            for x, y in positions:
                place = Dataset()
                place.ColumnPositionInTotalImagePixelMatrix = x
                place.RowPositionInTotalImagePixelMatrix = y
                group = Dataset()
                group.PlanePositionSlideSequence = [place]
                groups.append(group)
            ds.PerFrameFunctionalGroupsSequence = groups
        ds.PixelData = encapsulate(frames)
        ds["PixelData"].is_undefined_length = True
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        pydicom.dcmwrite(folder / f"level-{i}.dcm", ds, enforce_file_format=True)


def frames_of(path):
    """A DICOM level by pydicom and Pillow."""
    ds = pydicom.dcmread(path)
    out = np.full((ds.TotalPixelMatrixRows, ds.TotalPixelMatrixColumns, 3), 255, np.uint8)
    columns = -(-ds.TotalPixelMatrixColumns // ds.Columns)
    for i, frame in enumerate(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=int(ds.NumberOfFrames))):
        if "PerFrameFunctionalGroupsSequence" in ds:
            place = ds.PerFrameFunctionalGroupsSequence[i].PlanePositionSlideSequence[0]
            x, y = place.ColumnPositionInTotalImagePixelMatrix - 1, place.RowPositionInTotalImagePixelMatrix - 1
        else:
            x, y = i % columns * ds.Columns, i // columns * ds.Rows
        part = np.array(Image.open(io.BytesIO(frame)).convert("RGB"))[: out.shape[0] - y, : out.shape[1] - x]
        out[y : y + part.shape[0], x : x + part.shape[1]] = part
    return out


def by_openslide(name):
    slide = openslide.OpenSlide(OUT / name)
    mpp = slide.properties.get(openslide.PROPERTY_NAME_MPP_X, "")
    # Of a Leica slide OpenSlide shows the whole glass; the scan lies within bounds.
    bound = lambda key: int(slide.properties.get(f"openslide.bounds-{key}", 0))
    levels = []
    for i, size in enumerate(slide.level_dimensions[:2]):
        if bound("width"):
            size = (bound("width") // 2**i, bound("height") // 2**i)
        image = slide.read_region((bound("x"), bound("y")), i, size)
        image = Image.alpha_composite(Image.new("RGBA", size, "white"), image)
        levels.append(np.array(image.convert("RGB")))
    return f"openslide {openslide.__library_version__}", levels, mpp


def by_tifffile(name):
    with tifffile.TiffFile(OUT / name) as tif:
        levels = [page.asarray() for page in tif.series[0].levels]
    return f"tifffile {tifffile.__version__}", levels, 0.5


def by_pydicom(name):
    levels = [frames_of(OUT / "dicom" / f"level-{i}.dcm") for i in (0, 1)]
    return f"pydicom {pydicom.__version__}", levels, 0.5


def main():
    OUT.mkdir(exist_ok=True)
    lossy = dict(compression="jpeg", compressionargs={"level": 90})
    j2k = dict(photometric="rgb", compressionargs={"level": 40, "codecformat": "j2k"})
    aperio = f"Aperio Image Library v11\r\n{WIDTH}x{HEIGHT} (64x64) J2K|AppMag = 20|MPP = 0.5"
    pyramid("jpeg-420.tiff", photometric="ycbcr", subsampling=(2, 2), **lossy)
    pyramid("jpeg-rgb-bigtiff.tiff", bigtiff=True, photometric="rgb", **lossy)
    pyramid("lzw.tiff", photometric="rgb", compression="lzw", predictor=True)
    pyramid("deflate-big-endian.tiff", byteorder=">", photometric="rgb", compression="zlib", predictor=True)
    pyramid("strips.tiff", tile=None, photometric="rgb", compression="zlib", rowsperstrip=16)
    pyramid("jpeg2000-rgb.svs", compression="APERIO_JP2000_RGB", extra=(aperio,), **j2k)
    pyramid("jpeg2000-ycc.svs", compression="APERIO_JP2000_YCBC", extra=(aperio,), **j2k)
    philips()
    leica()
    ome()
    ndpi()
    dicom()
    readers = {
        "jpeg-420.tiff": by_openslide,
        "jpeg-rgb-bigtiff.tiff": by_openslide,
        "lzw.tiff": by_openslide,
        "deflate-big-endian.tiff": by_openslide,
        "strips.tiff": by_tifffile,
        "jpeg2000-rgb.svs": by_openslide,
        "jpeg2000-ycc.svs": by_openslide,
        "philips.tiff": by_openslide,
        "leica.scn": by_openslide,
        "ome.ome.tif": by_tifffile,
        "ndpi.ndpi": by_openslide,
        "dicom/level-0.dcm": by_openslide,
    }
    with open(HERE / "slides.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["slide", "level", "mpp", "reader", "image"])
        for name, reader in readers.items():
            try:
                origin, levels, mpp = reader(name)
            except Exception as error:
                print(name, reader.__name__, repr(error))
                origin, levels, mpp = (by_pydicom if "dicom" in name else by_tifffile)(name)
            for i, level in enumerate(levels[:2]):
                image = f"{name.replace('/', '-').replace('.', '-')}-{i}.png"
                Image.fromarray(level).save(OUT / image, optimize=True)
                writer.writerow([name, i, mpp or 0.5, origin, image])
                print(name, i, level.shape, mpp, origin)


if __name__ == "__main__":
    main()
