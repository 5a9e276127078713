"""How long Pillow takes from the bytes of one file to 224 x 224 pixels, in the order of CLIP's own preprocessing.

Prints milliseconds of processor time a picture. Usage: pillow_speed.py FILE PICTURES
"""

import io
import sys
import time

from PIL import Image

SIZE = 224


def square(data: bytes) -> bytes:
    picture = Image.open(io.BytesIO(data))
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    longer = int(SIZE * long / short)
    picture = picture.resize((SIZE, longer) if width <= height else (longer, SIZE), Image.Resampling.BICUBIC)
    width, height = picture.size
    left, top = round((width - SIZE) / 2), round((height - SIZE) / 2)
    return picture.crop((left, top, left + SIZE, top + SIZE)).convert("RGB").tobytes()


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    count = int(sys.argv[2])
    square(data)
    start = time.process_time()
    for _ in range(count):
        square(data)
    print(f"{(time.process_time() - start) * 1000 / count:.4f}")


if __name__ == "__main__":
    main()
