#!/usr/bin/env python3
"""Draw scenes as pictures, with Pillow alone.

    python draw.py --seed 7 --count 40 --out pictures

writes PNG and JPEG files of various sizes and captions.json, a list of
{"file", "caption"}: every caption is true of its own picture and of no other one.
"""
import argparse
import io
import json
import math
import pathlib

from PIL import Image, ImageDraw

import captions
import scenes

SUPERSAMPLING = 2
SMALLEST, LARGEST = 96, 256  # of a picture's shorter side

# radius as a part of the shorter side
RADIUS = {'small': (0.1, 0.125), 'medium': (0.165, 0.2), 'large': (0.29, 0.36)}
COLUMN = {'left': 0.2, 'center': 0.5, 'right': 0.8}
ROW = {'top': 0.2, 'center': 0.5, 'bottom': 0.8}


def jittered(rng, name, amount=scenes.JITTER):
    return tuple(min(255, max(0, c + rng.randint(-amount, amount))) for c in scenes.COLOURS[name])


def shade(colour, by):
    """lighter by `by` of 0..255, or darker where there is no room left (or `by` is negative)"""
    if sum(colour) + 3 * by > 3 * 240:
        by = -by
    return tuple(min(255, max(0, c + by)) for c in colour)


# ---------------------------------------------------------------- shapes

def regular(corners, inner=1.0, start=-math.pi / 2):
    """a polygon in the unit circle; with `inner` < 1 a star of twice as many corners"""
    step = math.pi / corners if inner < 1 else 2 * math.pi / corners
    count = 2 * corners if inner < 1 else corners
    return [((inner if inner < 1 and i % 2 else 1) * math.cos(start + i * step),
             (inner if inner < 1 and i % 2 else 1) * math.sin(start + i * step)) for i in range(count)]


def heart():
    points = []
    for i in range(60):
        t = 2 * math.pi * i / 60
        points.append((math.sin(t) ** 3, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16))
    return points


def ellipse(a, b):
    return [(a * math.cos(math.pi * i / 36), b * math.sin(math.pi * i / 36)) for i in range(72)]


CROSS = [(-.33, -1), (.33, -1), (.33, -.33), (1, -.33), (1, .33), (.33, .33), (.33, 1), (-.33, 1), (-.33, .33), (-1, .33),
         (-1, -.33), (-.33, -.33)]
POLYGONS = {
    'circle': ellipse(1, 1), 'ring': ellipse(1, 1), 'crescent': ellipse(1, 1), 'oval': ellipse(1, 0.58),
    'square': [(-.85, -.85), (.85, -.85), (.85, .85), (-.85, .85)],
    'rectangle': [(-1, -.48), (1, -.48), (1, .48), (-1, .48)],
    'diamond': [(0, -1), (.75, 0), (0, 1), (-.75, 0)],
    'triangle': regular(3), 'hexagon': regular(6, start=0), 'star': regular(5, 0.42), 'cross': CROSS, 'heart': heart(),
}
UPRIGHT_OR_LYING = ('oval', 'rectangle')


def mask_of(rng, group, radius):
    """the shape as an L picture of (2 radius + 2)², 255 inside"""
    side = 2 * math.ceil(radius) + 2
    middle = side / 2
    turn = math.radians(rng.uniform(-9, 9))
    if group.shape in UPRIGHT_OR_LYING and rng.random() < 0.5:
        turn += math.pi / 2

    def polygon(scale, points, dx=0.0, dy=0.0):
        c, s = math.cos(turn), math.sin(turn)
        return [(middle + radius * (dx + scale * (c * x - s * y)), middle + radius * (dy + scale * (s * x + c * y)))
                for x, y in points]

    mask = Image.new('L', (side, side))
    pen = ImageDraw.Draw(mask)
    points = POLYGONS[group.shape]
    pen.polygon(polygon(1, points), fill=255)
    if group.shape == 'ring':
        pen.polygon(polygon(rng.uniform(0.52, 0.6), points), fill=0)
    elif group.shape == 'crescent':
        side_of = rng.choice((-1, 1))
        pen.polygon(polygon(0.86, points, 0.45 * side_of, rng.uniform(-0.15, 0.15)), fill=0)
    if group.texture == 'outlined':
        # a centroid below the middle keeps a triangle's border equally thick
        pen.polygon(polygon(0.66 if group.shape != 'triangle' else 0.58, points), fill=0)
    return mask


def fill_of(rng, group, colour, side):
    """the paint of a shape, side x side"""
    paint = Image.new('RGB', (side, side), colour)
    if group.texture in ('solid', 'outlined'):
        return paint
    pen = ImageDraw.Draw(paint)
    second = (250, 250, 250) if sum(colour) < 3 * 150 else (15, 15, 15)
    if group.colour in ('white', 'black', 'gray') or rng.random() < 0.3:
        second = shade(colour, 110 if sum(colour) < 3 * 150 else -110)
    pattern(rng, pen, side, group.texture, second, side / rng.uniform(4.2, 5.5))
    return paint


def pattern(rng, pen, side, texture, second, period, height=None):
    """stripes, dots or checks of the second colour over side x height"""
    height = height or side
    if texture == 'striped':
        slope = rng.choice((0, 0, 1))
        lying = rng.random() < 0.5
        x = -height * slope + rng.uniform(0, period)
        while x < max(side, height) * (1 + slope):
            a, b = x, x + period * 0.42
            band = [(a, 0), (b, 0), (b + height * slope, height), (a + height * slope, height)]
            if lying:
                wide = max(side, height)
                band = [(0, a), (0, b), (wide, b + wide * slope), (wide, a + wide * slope)]
            pen.polygon(band, fill=second)
            x += period
    elif texture == 'dotted':
        r = period * 0.27
        for i in range(-1, int(side / period) + 2):
            for j in range(-1, int(height / period) + 2):
                x, y = (i + 0.5 + 0.5 * (j % 2)) * period, (j + 0.5) * period
                pen.ellipse((x - r, y - r, x + r, y + r), fill=second)
    elif texture == 'checkered':
        for i in range(int(side / period) + 1):
            for j in range(int(height / period) + 1):
                if (i + j) % 2:
                    pen.rectangle((i * period, j * period, (i + 1) * period, (j + 1) * period), fill=second)


# ---------------------------------------------------------------- composition

def place_groups(rng, scene):
    """[(group, x, y, radius)] in parts of the central square, painted in this order"""
    size = {g: rng.uniform(*RADIUS[g.size]) for g in scene.groups}
    if scene.relation == 'inside':
        inner, outer = scene.groups
        x, y = rng.uniform(0.44, 0.56), rng.uniform(0.44, 0.56)
        drop = 0.06 if outer.shape == 'heart' else 0  # a heart is widest above its middle
        return [(outer, x, y, size[outer]), (inner, x, y - drop, rng.uniform(0.11, 0.135))]
    if scene.relation:
        return _apart(rng, scene, size)
    group = scene.groups[0]
    if group.count > 1:
        radius = min(size[group], 0.4 / group.count)  # six in a row must not touch
        return [(group, x, y, radius) for x, y in _spread(rng, group, radius)]
    words = group.place.split()
    x = next((COLUMN[w] for w in words if w in ('left', 'right')), 0.5) + rng.uniform(-0.05, 0.05)
    y = next((ROW[w] for w in words if w in ('top', 'bottom')), 0.5) + rng.uniform(-0.05, 0.05)
    return [(group, x, y, size[group])]


def _apart(rng, scene, size):
    first, second = scene.groups
    along = rng.uniform(0.2, 0.27), rng.uniform(0.73, 0.8)
    middle = rng.uniform(0.38, 0.62)
    across = [middle + rng.uniform(-0.07, 0.07) for _ in range(2)]
    if scene.relation in ('right', 'below'):
        along = along[::-1]
    if scene.relation in ('left', 'right'):
        spots = [(along[0], across[0]), (along[1], across[1])]
    else:
        spots = [(across[0], along[0]), (across[1], along[1])]
    return [(first, *spots[0], size[first]), (second, *spots[1], size[second])]


def _spread(rng, group, radius):
    """the middles of several equal shapes, without overlap"""
    if group.place in ('row', 'column'):
        step = min(0.88 / group.count, rng.uniform(0.26, 0.3))
        start = 0.5 - step * (group.count - 1) / 2
        across = rng.uniform(0.3, 0.7)
        line = [(start + i * step, across + rng.uniform(-0.01, 0.01)) for i in range(group.count)]
        return line if group.place == 'row' else [(y, x) for x, y in line]
    while True:
        spots = []
        for _ in range(400):
            x, y = rng.uniform(0.13, 0.87), rng.uniform(0.13, 0.87)
            if all(math.hypot(x - a, y - b) > 2.2 * radius for a, b in spots):
                spots.append((x, y))
            if len(spots) == group.count:
                if _wide(spots):
                    return spots
                break


def _wide(spots):
    """not by chance a row or a column"""
    return all(max(v) - min(v) > 0.26 for v in zip(*spots))


def _background(rng, scene, size):
    colour = jittered(rng, scene.background_colour)
    canvas = Image.new('RGB', size, colour)
    kind = scene.background
    if kind == 'gradient':
        other = shade(colour, 75 if sum(colour) < 3 * 128 else -75)
        ramp = Image.linear_gradient('L').rotate(rng.choice((0, 90, 180, 270))).resize(size)
        canvas.paste(Image.new('RGB', size, other), (0, 0), ramp)
    elif kind == 'grainy':
        small = tuple(max(1, n // (3 * SUPERSAMPLING)) for n in size)
        grain = Image.frombytes('L', small, rng.randbytes(small[0] * small[1])).point(lambda v: int(v * 0.6)).resize(size, Image.NEAREST)
        canvas.paste(Image.new('RGB', size, shade(colour, 95 if sum(colour) < 3 * 128 else -95)), (0, 0), grain)
    elif kind != 'plain':
        second = shade(colour, 48 if sum(colour) < 3 * 128 else -48)
        pattern(rng, ImageDraw.Draw(canvas), size[0], kind, second, min(size) / rng.uniform(5, 8), size[1])
    return canvas


def draw(scene, rng):
    """an RGB picture of the scene; its shorter side is SMALLEST..LARGEST

    All shapes lie in the central square, which a centre crop keeps.
    """
    short = rng.randint(SMALLEST, LARGEST)
    long = int(short * rng.choice((1, 1, rng.uniform(1, 1.2), rng.uniform(1, 1.6))))
    size = (short, long) if rng.random() < 0.4 else (long, short)
    big = tuple(SUPERSAMPLING * n for n in size)
    canvas = _background(rng, scene, big)
    unit = SUPERSAMPLING * short
    left, top = (big[0] - unit) / 2, (big[1] - unit) / 2
    colours = {g: jittered(rng, g.colour) for g in scene.groups}
    for group, x, y, radius in place_groups(rng, scene):
        mask = mask_of(rng, group, radius * unit)
        paint = fill_of(rng, group, colours[group], mask.width)
        canvas.paste(paint, (round(left + x * unit - mask.width / 2), round(top + y * unit - mask.height / 2)), mask)
    return canvas.reduce(SUPERSAMPLING)


def encode(image, rng):
    """(file extension, bytes): PNG or JPEG by chance"""
    out = io.BytesIO()
    if rng.random() < 0.5:
        image.save(out, 'PNG')
        return 'png', out.getvalue()
    image.save(out, 'JPEG', quality=rng.randint(70, 95))
    return 'jpg', out.getvalue()


# ---------------------------------------------------------------- sets for retrieval

def retrieval_set(seed, count, word=captions.caption):
    """`count` (scene, caption) pairs; no caption is true of another scene of the set

    `word(rng, scene)` -> (text, facts) makes the captions.
    """
    rng = scenes.generator('retrieval', seed)
    chosen = []  # (scene, facts true of it, text, facts claimed)
    while len(chosen) < count:
        scene = scenes.sample(rng)
        text, claims = word(rng, scene)
        true = scenes.facts(scene)
        assert claims <= true, (text, scene, claims - true)
        if any(claims <= t or c <= true or text == w for _, t, w, c in chosen):
            continue
        chosen.append((scene, true, text, claims))
    return [(scene, text) for scene, _, text, _ in chosen]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--count', type=int, required=True)
    parser.add_argument('--out', type=pathlib.Path, required=True, help='folder; made if it is not there')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    listed = []
    for i, (scene, text) in enumerate(retrieval_set(args.seed, args.count)):
        rng = scenes.generator('picture', args.seed, i)
        extension, data = encode(draw(scene, rng), rng)
        name = f'{i:03d}.{extension}'
        (args.out / name).write_bytes(data)
        listed.append({'file': name, 'caption': text})
    (args.out / 'captions.json').write_text(json.dumps(listed, indent=1) + '\n')


if __name__ == '__main__':
    main()
