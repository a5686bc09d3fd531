"""Writes test/unit/data/jpeg-references.json: small JPEG files of every kind with the pixels that Pillow reads from them.

    pip install numpy pillow && python scripts/jpeg-references.py

Pillow decodes with libjpeg-turbo. Grey pixels are those of the file, or of its RGB pixels by Pillow's own conversion.
"""
import base64
import io
import json
import pathlib

import numpy as np
from PIL import Image

random = np.random.default_rng(20261127)


def smooth(height, width, channels):
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 100 * np.sin(x / (3 + c) + c) * np.cos(y / (4 + c)) for c in range(channels)]
    return np.clip(np.stack(waves, -1) + random.normal(0, 4, (height, width, channels)), 0, 255).astype(np.uint8)


def encode(bytes_):
    return base64.b64encode(bytes_).decode()


KINDS = {
    "grey": (28, 28, "L", {}),
    "grey, progressive, of odd size": (9, 13, "L", {"progressive": True}),
    "colour 4:4:4": (16, 16, "RGB", {"subsampling": 0}),
    "colour 4:2:2 of odd size": (11, 17, "RGB", {"subsampling": 1}),
    "colour 4:2:0 of odd size": (17, 15, "RGB", {"subsampling": 2}),
    "colour 4:2:0, progressive": (24, 16, "RGB", {"subsampling": 2, "progressive": True}),
    "colour with restart markers": (16, 24, "RGB", {"subsampling": 0, "restart_marker_blocks": 1}),
    "colour of quality 30": (16, 16, "RGB", {"quality": 30}),
}
files = {}
for name, (height, width, mode, options) in KINDS.items():
    pixels = smooth(height, width, len(mode))
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if mode == "L" else pixels).save(file, "JPEG", **{"quality": 90, **options})
    read = Image.open(io.BytesIO(file.getvalue()))
    files[name] = {
        "jpeg": encode(file.getvalue()),
        "height": height,
        "width": width,
        "colour": encode(np.asarray(read.convert("RGB")).tobytes()),
        "grey": encode(np.asarray(read.convert("L")).tobytes()),
    }
file = io.BytesIO()
Image.fromarray(smooth(8, 8, 4), "CMYK").save(file, "JPEG")
target = pathlib.Path(__file__).parent.parent / "test/unit/data/jpeg-references.json"
target.write_text(json.dumps({"files": files, "cmyk": encode(file.getvalue())}, indent=2) + "\n")
