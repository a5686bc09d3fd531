"""Writes test/unit/data/png-references.json: small PNG files of every kind with the pixels that Pillow reads from them.

    pip install numpy pillow pypng && python scripts/png-references.py

Pillow writes the palettes, pypng whatever Pillow cannot write (interlacing, 16 bits, keyed transparency). Pixels are
Pillow's alpha_composite on black and on white. It reduces 16-bit colour to the high byte, and compares the transparent
value of a 4-bit image with samples that it has already scaled; in both cases NumPy scales the samples instead.
"""
import base64
import io
import json
import pathlib

import numpy as np
import png
from PIL import Image

WIDTH, HEIGHT = 5, 3  # five samples of 1, 2 or 4 bits do not fill the last byte of a row
random = np.random.default_rng(20241127)


def pypng(rows, **options):
    file = io.BytesIO()
    png.Writer(width=WIDTH, height=HEIGHT, **options).write(file, rows.reshape(HEIGHT, -1).tolist())
    return file.getvalue()


def palette(colours, bits, alpha=None):
    image = Image.fromarray(random.integers(0, len(colours), (HEIGHT, WIDTH)).astype(np.uint8), "P")
    image.putpalette(np.asarray(colours, np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", bits=bits, **({} if alpha is None else {"transparency": bytes(alpha)}))
    return file.getvalue()


def with_suggested_palette(content):
    """The same true colour image with a PLTE chunk before its data."""
    chunks = list(png.Reader(bytes=content).chunks())
    file = io.BytesIO()
    png.write_chunks(file, [chunks[0], (b"PLTE", bytes(range(12))), *chunks[1:]])
    return file.getvalue()


def pixels(content, samples):
    """samples: of 0 to 255, where they are not left to Pillow: grey, grey and alpha, colour, or colour and alpha"""
    image = Image.open(io.BytesIO(content))
    if samples is not None:
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[-1]]
        image = Image.fromarray(samples.squeeze().astype(np.uint8), mode)
    image = image.convert("RGBA")
    found = {}
    for name, colour in {"black": 0, "white": 255}.items():
        flat = Image.alpha_composite(Image.new("RGBA", image.size, (colour, colour, colour, 255)), image).convert("RGB")
        found[name] = np.asarray(flat).ravel().tolist()
        found[f"{name}Grey"] = np.asarray(flat.convert("L")).ravel().tolist()
    return found


def samples_of(bits, channels):
    return random.integers(0, 2**bits, (HEIGHT, WIDTH, channels))


colours = random.integers(0, 256, (16, 3))
fading = [0, 60, 128, 255]
files = {f"palette of {bits} bits": (palette(colours[: 2**bits], bits), None) for bits in (1, 2, 4)}
files["palette of 8 bits"] = (palette(random.integers(0, 256, (200, 3)), 8), None)
files["palette of 4 bits with alpha"] = (palette(colours, 4, np.resize(fading, 16)), None)
files["palette of 2 bits with alpha for its first colour"] = (palette(colours[:4], 2, [0]), None)
for bits in (1, 2, 4, 8, 16):
    grey = samples_of(bits, 1)
    files[f"grey of {bits} bits"] = (pypng(grey, greyscale=True, bitdepth=bits), np.rint(grey / 257) if bits == 16 else None)
for bits in (1, 4, 8):
    grey = samples_of(bits, 1)
    key = int(grey[0, 0, 0])
    files[f"grey of {bits} bits with a transparent value"] = (
        pypng(grey, greyscale=True, bitdepth=bits, transparent=key),
        np.concatenate([grey * 17, np.where(grey == key, 0, 255)], -1) if bits == 4 else None,
    )
for bits in (8, 16):
    for channels, kind in {2: "grey and alpha", 3: "colour", 4: "colour and alpha"}.items():
        for interlace in (False, True):
            rows = samples_of(bits, channels)
            content = pypng(
                rows, greyscale=channels == 2, alpha=channels != 3, bitdepth=bits, interlace=interlace
            )
            name = f"{kind} of {bits} bits{', interlaced' if interlace else ''}"
            files[name] = (content, np.rint(rows / 257) if bits == 16 else None)
rows = samples_of(8, 3)
key = tuple(int(sample) for sample in rows[1, 1])
files["colour of 8 bits with a transparent value"] = (pypng(rows, greyscale=False, transparent=key), None)
files["colour of 8 bits with a suggested palette"] = (
    with_suggested_palette(pypng(samples_of(8, 3), greyscale=False)),
    None,
)
written = {
    "width": WIDTH,
    "height": HEIGHT,
    "files": {
        name: {"png": base64.b64encode(content).decode(), **pixels(content, samples)}
        for name, (content, samples) in files.items()
    },
    # Refused, not read wrongly.
    "interlacedFourBits": base64.b64encode(
        pypng(samples_of(4, 1), greyscale=True, bitdepth=4, interlace=True)
    ).decode(),
}
target = pathlib.Path(__file__).parent.parent / "test/unit/data/png-references.json"
target.write_text(json.dumps(written, indent=1) + "\n")
