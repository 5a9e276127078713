"""Scenes of the demo model: what is in a picture, before it is drawn or worded.

A scene is one to six shapes on a background. Everything here is data and chance; draw.py
makes pixels of it and captions.py makes sentences. Only the standard library is used.

What a sentence claims, and what is true of a scene, are both written as sets of *facts*
(strings), so that "is this caption true of that picture?" is a subset test.
"""
import dataclasses
import itertools
import random

# Middle of each colour's range, RGB 0..255; a drawn colour lies within JITTER of it.
COLOURS = {
    'red': (212, 36, 36), 'orange': (245, 135, 20), 'yellow': (250, 224, 45), 'green': (40, 155, 60),
    'blue': (40, 75, 210), 'purple': (128, 45, 165), 'pink': (250, 135, 190), 'brown': (120, 72, 38),
    'black': (22, 22, 22), 'white': (248, 248, 248), 'gray': (130, 130, 130), 'turquoise': (45, 205, 205),
}
JITTER = 14

SHAPES = ('circle', 'square', 'triangle', 'star', 'cross', 'ring', 'diamond', 'heart', 'hexagon', 'crescent',
          'oval', 'rectangle')
TEXTURES = ('solid', 'striped', 'dotted', 'checkered', 'outlined')
SIZES = ('small', 'medium', 'large')
BACKGROUNDS = ('plain', 'gradient', 'grainy', 'striped', 'checkered')
PLACES = ('top left', 'top', 'top right', 'left', 'center', 'right', 'bottom left', 'bottom', 'bottom right')
ARRANGEMENTS = ('row', 'column', 'scattered')
MOST = 6  # the largest count

# Two colours closer than this (Euclidean, RGB) do not lie on each other in one picture.
CONTRAST = 105


@dataclasses.dataclass(frozen=True)
class Group:
    """Equal shapes: one, or `count` of them."""
    shape: str
    colour: str
    texture: str = 'solid'
    size: str = 'medium'
    count: int = 1
    place: str = ''  # one of PLACES for a shape alone, of ARRANGEMENTS for several, '' in a relation


@dataclasses.dataclass(frozen=True)
class Scene:
    """`relation` says how groups[0] lies to groups[1]: left, right, above, below, inside; '' for one group."""
    groups: tuple
    background: str
    background_colour: str
    relation: str = ''


def contrast(a, b):
    """distance of two named colours"""
    return sum((x - y) ** 2 for x, y in zip(COLOURS[a], COLOURS[b])) ** 0.5


def other_colour(rng, *against):
    return rng.choice([c for c in COLOURS if all(contrast(c, a) > CONTRAST for a in against)])


def texture_for(rng, shape, size):
    """Small shapes have no room for a pattern; an outlined circle would be a ring."""
    if size == 'small' or rng.random() < 0.5:
        return 'solid'
    allowed = [t for t in TEXTURES[1:] if t != 'outlined' or shape not in ('circle', 'ring', 'crescent')]
    return rng.choice(allowed)


def sample_one(rng, ground):
    size = rng.choice(SIZES)
    shape = rng.choice(SHAPES)
    place = 'center' if size == 'large' else rng.choice(PLACES)
    return (Group(shape, other_colour(rng, ground), texture_for(rng, shape, size), size, 1, place),), ''


def sample_many(rng, ground):
    group = Group(rng.choice(SHAPES), other_colour(rng, ground), 'solid', 'small', rng.randint(2, MOST),
                  rng.choice(ARRANGEMENTS))
    return (group,), ''


def sample_pair(rng, ground):
    groups = []
    for _ in range(2):
        shape = rng.choice(SHAPES)
        groups.append(Group(shape, other_colour(rng, ground), texture_for(rng, shape, 'medium')))
    if (groups[0].shape, groups[0].colour) == (groups[1].shape, groups[1].colour):
        return sample_pair(rng, ground)
    return tuple(groups), rng.choice(('left', 'right', 'above', 'below'))


def sample_inside(rng, ground):
    outer = Group(rng.choice(('circle', 'square', 'diamond', 'heart', 'hexagon')), other_colour(rng, ground), size='large')
    inner = Group(rng.choice(SHAPES), other_colour(rng, outer.colour), size='small')
    return (inner, outer), 'inside'


def sample(rng):
    """a scene by chance"""
    ground = rng.choice(list(COLOURS))
    kind = rng.choices((sample_one, sample_many, sample_pair, sample_inside), (40, 22, 28, 10))[0]
    groups, relation = kind(rng, ground)
    background = 'plain' if rng.random() < 0.45 else rng.choice(BACKGROUNDS[1:])
    return Scene(groups, background, ground, relation)


def valid(scene):
    """Can it be drawn so that a viewer sees what the facts say?"""
    groups, ground = scene.groups, scene.background_colour
    visible = groups[1:] if scene.relation == 'inside' else groups
    if any(contrast(g.colour, ground) <= CONTRAST for g in visible):
        return False
    if scene.relation == 'inside' and contrast(groups[0].colour, groups[1].colour) <= CONTRAST:
        return False
    return len({(g.shape, g.colour) for g in groups}) == len(groups)


def sibling(rng, scene):
    """a scene that differs from `scene` in one thing: the hard negatives of the training"""
    for _ in range(50):
        changed = _change(rng, scene)
        if changed is not None and changed != scene and valid(changed):
            return changed
    return sample(rng)


def _change(rng, scene):
    what = rng.choice(('colour', 'colour', 'shape', 'shape', 'size', 'texture', 'place', 'place', 'count', 'count',
                       'ground', 'background', 'relation', 'swap'))
    i = rng.randrange(len(scene.groups))
    group = scene.groups[i]
    single, alone = len(scene.groups) == 1, group.count == 1 and len(scene.groups) == 1

    def with_group(**kw):
        groups = list(scene.groups)
        groups[i] = dataclasses.replace(group, **kw)
        return dataclasses.replace(scene, groups=tuple(groups))

    if what == 'colour':
        return with_group(colour=rng.choice(list(COLOURS)))
    if what == 'shape' and not (scene.relation == 'inside' and i == 1):
        shape = rng.choice(SHAPES)
        return with_group(shape=shape, texture=group.texture if group.texture != 'outlined' else 'solid')
    if what == 'size' and alone:
        size = rng.choice(SIZES)
        return with_group(size=size, texture=group.texture if size != 'small' else 'solid',
                          place='center' if size == 'large' else group.place)
    if what == 'texture' and group.count == 1 and scene.relation != 'inside':
        return with_group(texture=texture_for(rng, group.shape, group.size))
    if what == 'place' and single and group.size != 'large':
        return with_group(place=rng.choice(PLACES if alone else ARRANGEMENTS))
    if what == 'count' and single and not alone:
        return with_group(count=rng.randint(2, MOST))
    if what == 'ground':
        return dataclasses.replace(scene, background_colour=rng.choice(list(COLOURS)))
    if what == 'background':
        return dataclasses.replace(scene, background=rng.choice(BACKGROUNDS))
    if what == 'relation' and not single and scene.relation != 'inside':
        return dataclasses.replace(scene, relation=rng.choice(('left', 'right', 'above', 'below')))
    if what == 'swap' and not single:
        a, b = scene.groups
        a, b = dataclasses.replace(a, colour=b.colour), dataclasses.replace(b, colour=a.colour)
        return dataclasses.replace(scene, groups=(a, b))
    return None


# ---------------------------------------------------------------- facts

ANY = '*'


def thing(shape=ANY, colour=ANY, texture=ANY, size=ANY, count=ANY, place=ANY):
    """the fact "there is such a thing"; ANY where the sentence does not say"""
    return f'thing:{shape}/{colour}/{texture}/{size}/{count}/{place}'


def ground(kind=ANY, colour=ANY):
    return f'ground:{kind}/{colour}'


def relation(kind, a, b):
    """`a`, `b`: (shape, colour), ANY allowed; the mirrored relations are one fact"""
    if kind in ('right', 'below'):
        kind, a, b = {'right': 'left', 'below': 'above'}[kind], b, a
    return f'{kind}:{a[0]}/{a[1]}:{b[0]}/{b[1]}'


def _places(group):
    """'top left' is also 'top' and 'left'"""
    names = {ANY, group.place} - {''}
    if group.place in PLACES:
        names |= set(group.place.split()) & set(PLACES)
    return names


def facts(scene):
    """every fact that is true of the scene"""
    true = set()
    for g in scene.groups:
        counts = {ANY, str(g.count)} | ({'several'} if g.count > 2 else set())
        for shape, colour, texture, size, count, place in itertools.product(
                (g.shape, ANY), (g.colour, ANY), (g.texture, ANY), (g.size, ANY), counts, _places(g)):
            true.add(thing(shape, colour, texture, size, count, place))
    for kind, colour in itertools.product((scene.background, ANY), (scene.background_colour, ANY)):
        true.add(ground(kind, colour))
    if scene.relation:
        a, b = scene.groups
        for x in itertools.product((a.shape, ANY), (a.colour, ANY)):
            for y in itertools.product((b.shape, ANY), (b.colour, ANY)):
                true.add(relation(scene.relation, x, y))
    return true


def generator(*seed):
    """random.Random from several numbers or words, the same on every machine"""
    return random.Random('/'.join(map(str, seed)))
