"""Draws JPEGs that are as hard to decode as photographs: noise of all scales, as in nature, over gradients, quality 85.

Usage: make_pictures.py FOLDER
"""

import pathlib
import sys

import numpy
from PIL import Image

SIZES = [(640, 480), (1920, 1080)]


def draw(width: int, height: int) -> Image.Image:
    random = numpy.random.default_rng(width)
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float32)
    planes = []
    for channel in range(3):
        plane = 110 + 60 * numpy.sin(x / width * (2 + channel)) * numpy.cos(y / height * (3 - channel))
        planes.append(plane)
    shared = numpy.zeros((height, width), numpy.float32)
    cell, strength = max(width, height) // 2, 55.0
    while cell >= 1:
        coarse = random.standard_normal((height // cell + 2, width // cell + 2)).astype(numpy.float32)
        layer = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        shared += numpy.asarray(layer) * strength
        cell, strength = cell // 2, strength * 0.74
    pixels = numpy.stack([plane + shared * weight for plane, weight in zip(planes, (1.0, 0.9, 0.75))], axis=2)
    return Image.fromarray(numpy.clip(pixels, 0, 255).astype(numpy.uint8))


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    for width, height in SIZES:
        draw(width, height).save(folder / f"{width}x{height}.jpg", quality=85)


if __name__ == "__main__":
    main()
