"""Writes test/unit/data/drift/drift-references.json: changed images by SciPy, Pillow and scikit-image.

    pip install numpy scipy pillow scikit-image && python scripts/drift-references.py

The definitions are those of CIFAR-10-C (Hendrycks and Dietterich 2019, make_cifar_c.py), but without rounding to bytes:
images are floats in [0, 1], and Pillow resizes each channel in its mode "F". The numbers of fog's height map come from a
list in this file, for its generator is not the product's.
"""
import base64
import json
import math
import pathlib

import numpy as np
from PIL import Image
from scipy import ndimage, special, stats
from skimage import color, filters, morphology

random = np.random.default_rng(20241127)


def image(height, width, channels):
    """Smooth shapes under noise, with black and white in it."""
    noise = random.normal(0.5, 0.5, (height, width, channels))
    smooth = ndimage.gaussian_filter(random.normal(0.5, 1.5, (height, width, channels)), (2, 2, 0)) + 0.2
    return np.round(np.clip(0.4 * noise + 0.6 * smooth, 0, 1) * 255).astype(np.uint8)


def contrast(x, severity):
    c = [0.75, 0.5, 0.4, 0.3, 0.15][severity - 1]
    means = np.mean(x, axis=(0, 1), keepdims=True)
    return np.clip((x - means) * c + means, 0, 1)


def brightness(x, severity):
    c = [0.05, 0.1, 0.15, 0.2, 0.3][severity - 1]
    if x.shape[2] == 1:
        return np.clip(x + c, 0, 1)
    hsv = color.rgb2hsv(x)
    hsv[:, :, 2] = np.clip(hsv[:, :, 2] + c, 0, 1)
    return np.clip(color.hsv2rgb(hsv), 0, 1)


def saturate(x, severity):
    a, b = [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)][severity - 1]
    hsv = color.rgb2hsv(x)
    hsv[:, :, 1] = np.clip(hsv[:, :, 1] * a + b, 0, 1)
    return np.clip(color.hsv2rgb(hsv), 0, 1)


def gaussian_blur(x, severity):
    c = [0.4, 0.6, 0.7, 0.8, 1][severity - 1]
    return np.clip(filters.gaussian(x, sigma=c, channel_axis=-1), 0, 1)


def pixelate(x, severity):
    c = [0.95, 0.9, 0.85, 0.75, 0.65][severity - 1]
    height, width, channels = x.shape
    planes = []
    for channel in range(channels):
        plane = Image.fromarray(x[:, :, channel].astype(np.float32))
        plane = plane.resize((int(width * c), int(height * c)), Image.Resampling.BOX)
        planes.append(np.asarray(plane.resize((width, height), Image.Resampling.BOX)))
    return np.stack(planes, axis=-1)


def clipped_zoom(x, factor):
    height, width, _ = x.shape
    ch, cw = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - ch) // 2, (width - cw) // 2
    zoomed = ndimage.zoom(x[top : top + ch, left : left + cw], (factor, factor, 1), order=1)
    top, left = (zoomed.shape[0] - height) // 2, (zoomed.shape[1] - width) // 2
    return zoomed[top : top + height, left : left + width]


def zoom_blur(x, severity):
    factors = np.arange(1, [1.06, 1.11, 1.16, 1.21, 1.26][severity - 1], 0.01)
    total = x + sum(clipped_zoom(x, factor) for factor in factors)
    return np.clip(total / (len(factors) + 1), 0, 1)


def plasma(mapsize, decay, uniform):
    """make_cifar_c.py's plasma_fractal, a diamond-square height map; uniform(shape) in [0, 1)."""
    heights = np.empty((mapsize, mapsize))
    heights[0, 0] = 0
    step, wibble = mapsize, 100.0

    def wibbled(array):
        return array / 4 + wibble * (-wibble + 2 * wibble * uniform(array.shape))

    while step >= 2:
        half = step // 2
        corner = heights[0:mapsize:step, 0:mapsize:step]
        square = corner + np.roll(corner, shift=-1, axis=0)
        square += np.roll(square, shift=-1, axis=1)
        heights[half:mapsize:step, half:mapsize:step] = wibbled(square)
        drgrid = heights[half:mapsize:step, half:mapsize:step]
        ulgrid = heights[0:mapsize:step, 0:mapsize:step]
        heights[0:mapsize:step, half:mapsize:step] = wibbled(
            drgrid + np.roll(drgrid, 1, axis=0) + ulgrid + np.roll(ulgrid, -1, axis=1)
        )
        heights[half:mapsize:step, 0:mapsize:step] = wibbled(
            drgrid + np.roll(drgrid, 1, axis=1) + ulgrid + np.roll(ulgrid, -1, axis=0)
        )
        step //= 2
        wibble /= decay
    heights -= heights.min()
    return heights / heights.max()


def fog(x, severity):
    """The n-th number of the height map is frac(n * golden ratio)."""
    a, decay = [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)][severity - 1]
    drawn = 0

    def uniform(shape):
        nonlocal drawn
        count = int(np.prod(shape))
        numbers = (np.arange(drawn + 1, drawn + count + 1) * 0.6180339887498949) % 1.0
        drawn += count
        return numbers.reshape(shape)

    height, width, _ = x.shape
    size = 2 ** math.ceil(math.log2(max(height, width)))
    peak = x.max()
    return np.clip((x + a * plasma(size, decay, uniform)[:height, :width, np.newaxis]) * peak / (peak + a), 0, 1)


def rotation(x, degrees):
    return ndimage.rotate(x, degrees, axes=(1, 0), reshape=False, order=1, mode="grid-constant", cval=0.0)


def thickness(x, pixels):
    """Between whole radii, a blend of the two."""

    def at(radius):
        change = ndimage.grey_dilation if radius > 0 else ndimage.grey_erosion
        footprint = morphology.disk(abs(radius))
        return np.stack([change(x[:, :, c], footprint=footprint) for c in range(x.shape[2])], axis=-1)

    low = math.trunc(pixels)
    share = abs(pixels - low)
    return at(low) if share == 0 else (1 - share) * at(low) + share * at(low + int(math.copysign(1, pixels)))


def encode(values):
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


colour, grey, square = image(12, 10, 3), image(28, 28, 1), image(32, 32, 1)
images = {"colour": colour, "grey": grey, "square": square}
cases = []


def case(name, kind, value, change):
    changed = change(images[name] / 255.0, value)
    cases.append({"image": name, "kind": kind, "value": value, "changed": encode(changed)})


for severity in range(1, 6):
    for kind, change in {
        "contrast": contrast,
        "brightness": brightness,
        "saturate": saturate,
        "gaussian-blur": gaussian_blur,
        "pixelate": pixelate,
        "zoom-blur": zoom_blur,
        "fog": fog,
    }.items():
        case("colour", kind, severity, change)
for kind, change in {"contrast": contrast, "brightness": brightness, "gaussian-blur": gaussian_blur, "fog": fog}.items():
    case("grey", kind, 5, change)
for severity in (4, 5):
    for name in ("grey", "square"):
        case(name, "zoom-blur", severity, zoom_blur)
        case(name, "pixelate", severity, pixelate)
for degrees in (0, 10.5, 45, 90, -30):
    case("grey", "rotation", degrees, rotation)
    case("colour", "rotation", degrees, rotation)
for pixels in (1, 2, -1, 0.5, 1.25, -1.5):
    case("grey", "thickness", pixels, thickness)

counts = [0, 1, 5, 12, 40, 300, 5000]
references = {
    "images": {
        name: {"shape": list(pixels.shape), "pixels": base64.b64encode(pixels.tobytes()).decode()}
        for name, pixels in images.items()
    },
    "cases": cases,
    "logFactorials": [[count, float(special.gammaln(count + 1))] for count in counts],
    # probabilities of the bins (-inf, edge 0), [edge 0, edge 1), ..., [last edge, inf)
    "poisson": [
        {"mean": mean, "edges": edges, "shares": np.diff([0, *stats.poisson.cdf(np.array(edges) - 1, mean), 1]).tolist()}
        for mean, edges in (
            (0.7, [1, 2, 3]),
            (6.0, [3, 4, 5, 6, 7, 8, 10]),
            (12.5, [8, 10, 12, 13, 15, 18]),
            (250.0, [230, 240, 247, 254, 260, 270]),
        )
    ],
    "normal": {"edges": [-2, -1, -0.5, 0, 0.5, 1, 2], "shares": np.diff([0, *stats.norm.cdf([-2, -1, -0.5, 0, 0.5, 1, 2]), 1]).tolist()},
    "gamma": [
        {"shape": shape, "edges": edges, "shares": np.diff([0, *stats.gamma.cdf(edges, shape), 1]).tolist()}
        for shape, edges in ((0.3, [0.01, 0.1, 0.3, 1]), (1.0, [0.2, 0.7, 1.5]), (4.5, [2, 3, 4, 5, 7]))
    ],
}
target = pathlib.Path(__file__).parent.parent / "test/unit/data/drift/drift-references.json"
target.write_text(json.dumps(references, indent=1) + "\n")
