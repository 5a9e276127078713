"""From a picture to the network's input, as the server does it."""
from PIL import Image


def square(image, size):
    """shorter side to `size` (bicubic), central crop, RGB: a size x size picture"""
    w, h = image.size
    if w <= h:
        target = (size, int(size * h / w))
    else:
        target = (int(size * w / h), size)
    if image.size != target:
        image = image.resize(target, Image.BICUBIC)
    left, top = round((target[0] - size) / 2), round((target[1] - size) / 2)
    return image.crop((left, top, left + size, top + size)).convert('RGB')
