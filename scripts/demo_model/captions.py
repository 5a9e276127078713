"""Sentences about scenes. Each caption comes with the facts that it claims (see scenes.py)."""
import scenes
from scenes import ANY

# Words for one thing; the first is the most frequent. Plurals are made by plural().
SHAPE_WORDS = {
    'circle': ('circle', 'circle', 'circle', 'disc', 'disk', 'round shape', 'ball', 'dot'),
    'square': ('square', 'square', 'square', 'box', 'square block'),
    'triangle': ('triangle', 'triangle', 'triangle', 'three-sided shape'),
    'star': ('star', 'star', 'star', 'five-pointed star'),
    'cross': ('cross', 'cross', 'plus sign', 'plus'),
    'ring': ('ring', 'ring', 'ring', 'hoop', 'donut'),
    'diamond': ('diamond', 'diamond', 'diamond', 'rhombus', 'lozenge'),
    'heart': ('heart', 'heart', 'heart', 'heart shape'),
    'hexagon': ('hexagon', 'hexagon', 'hexagon', 'six-sided shape'),
    'crescent': ('crescent', 'crescent', 'moon', 'crescent moon', 'half moon'),
    'oval': ('oval', 'oval', 'oval', 'ellipse', 'egg shape'),
    'rectangle': ('rectangle', 'rectangle', 'rectangle', 'bar', 'oblong'),
}
COLOUR_WORDS = {
    'red': ('red', 'red', 'red', 'red', 'scarlet', 'crimson'), 'orange': ('orange',),
    'yellow': ('yellow', 'yellow', 'yellow', 'golden'), 'green': ('green',),
    'blue': ('blue', 'blue', 'blue', 'royal blue'), 'purple': ('purple', 'purple', 'purple', 'violet'),
    'pink': ('pink', 'pink', 'pink', 'rose'), 'brown': ('brown', 'brown', 'brown', 'chocolate'), 'black': ('black',),
    'white': ('white',), 'gray': ('gray', 'grey'), 'turquoise': ('turquoise', 'turquoise', 'cyan', 'teal'),
}
TEXTURE_WORDS = {
    'solid': ('solid', 'plain', 'filled'), 'striped': ('striped', 'striped', 'stripy'),
    'dotted': ('dotted', 'spotted', 'polka dot'), 'checkered': ('checkered', 'chequered', 'checked'),
    'outlined': ('outlined', 'hollow', 'unfilled'),
}
WITH_TEXTURE = {'striped': ('with stripes',), 'dotted': ('with dots', 'with spots'), 'checkered': ('with checks',)}
SIZE_WORDS = {'small': ('small', 'small', 'little', 'tiny'), 'large': ('big', 'large', 'large', 'huge')}
GROUND_WORDS = {
    'plain': ('plain', 'uniform', 'solid'), 'gradient': ('gradient', 'shaded', 'fading'),
    'grainy': ('grainy', 'noisy', 'rough'), 'striped': ('striped', 'stripy'), 'checkered': ('checkered', 'chequered', 'checked'),
}
NUMBERS = {1: ('one', 'a single', 'exactly one'), 2: ('two', 'two', 'a pair of', '2'), 3: ('three', 'three', '3'),
           4: ('four', 'four', '4'), 5: ('five', 'five', '5'), 6: ('six', 'six', '6', 'half a dozen')}
PLACE_WORDS = {
    'top left': ('in the top left corner', 'at the top left', 'in the upper left', 'in the upper left corner'),
    'top': ('at the top', 'near the top', 'in the upper part', 'at the top edge'),
    'top right': ('in the top right corner', 'at the top right', 'in the upper right', 'in the upper right corner'),
    'left': ('on the left', 'on the left side', 'at the left edge', 'to the left'),
    'center': ('in the middle', 'in the center', 'in the centre', 'at the center'),
    'right': ('on the right', 'on the right side', 'at the right edge', 'to the right'),
    'bottom left': ('in the bottom left corner', 'at the bottom left', 'in the lower left', 'in the lower left corner'),
    'bottom': ('at the bottom', 'near the bottom', 'in the lower part', 'at the bottom edge'),
    'bottom right': ('in the bottom right corner', 'at the bottom right', 'in the lower right', 'in the lower right corner'),
    'row': ('in a row', 'side by side', 'in a horizontal line', 'lined up in a row'),
    'column': ('in a column', 'on top of each other', 'in a vertical line', 'stacked in a column'),
    'scattered': ('scattered around', 'spread out', 'scattered', 'all over the place'),
}
RELATION_WORDS = {
    'left': ('to the left of', 'left of', 'on the left of', 'on the left side of'),
    'right': ('to the right of', 'right of', 'on the right of', 'on the right side of'),
    'above': ('above', 'over', 'on top of', 'higher than'),
    'below': ('below', 'under', 'beneath', 'underneath', 'lower than'),
    'inside': ('inside', 'within', 'in the middle of', 'inside of', 'on'),
}
OPPOSITE = {'left': 'right', 'right': 'left', 'above': 'below', 'below': 'above'}
OPENINGS = ('a picture of', 'a photo of', 'an image of', 'a drawing of', 'an illustration of', 'this is', 'there is', 'it shows',
            'a picture with', 'an image with', 'a picture that shows', 'here is', 'i see', 'we see', 'look at', 'a simple drawing of')


def article(words):
    return f'{"an" if words[0] in "aeiou" and not words.startswith(("one", "uni")) else "a"} {words}'


def plural(noun):
    return noun + ('es' if noun.endswith(('s', 'x')) else 's')


class Wording:
    """One person's way of saying things: decides by chance what is said of a scene, and how."""

    def __init__(self, rng, chance=None):
        """`chance`: how probably each property is mentioned"""
        self.rng = rng
        self.chance = dict(colour=0.93, shape=0.95, texture=0.8, solid=0.08, size=0.65, place=0.6, count=0.95,
                           ground=0.62, kind=0.65, plain=0.12, relation=0.88) | (chance or {})

    def says(self, what):
        return self.rng.random() < self.chance[what]

    def noun(self, group):
        """(words, facts) of a group without its place: 'two small red circles'"""
        rng = self.rng
        say = {name: ANY for name in ('shape', 'colour', 'texture', 'size', 'count')}
        adjectives, tail = [], ''
        if self.says('shape'):
            say['shape'] = group.shape
        if say['shape'] == ANY or self.says('colour'):
            say['colour'] = group.colour
        noun = rng.choice(SHAPE_WORDS[group.shape]) if say['shape'] != ANY else rng.choice(('shape', 'thing', 'object', 'figure'))
        if group.size in SIZE_WORDS and group.count == 1 and self.says('size'):
            say['size'] = group.size
            adjectives.append(rng.choice(SIZE_WORDS[group.size]))
        if self.says('solid' if group.texture == 'solid' else 'texture'):
            say['texture'] = group.texture
            if group.texture in WITH_TEXTURE and rng.random() < 0.3:
                tail = ' ' + rng.choice(WITH_TEXTURE[group.texture])
            else:
                adjectives.append(rng.choice(TEXTURE_WORDS[group.texture]))
        if say['colour'] != ANY:
            adjectives.append(rng.choice(COLOUR_WORDS[group.colour]))
        if len(adjectives) > 1 and rng.random() < 0.15:
            rng.shuffle(adjectives)
        words = self._counted(group, say, ' '.join(adjectives + [noun]), noun) + tail
        return words, say

    def _counted(self, group, say, words, noun):
        rng = self.rng
        if group.count == 1:
            if rng.random() < 0.05:
                say['count'] = '1'
                return f'{rng.choice(NUMBERS[1])} {words}'
            return words if rng.random() < 0.12 else article(words)
        words = words[:len(words) - len(noun)] + plural(noun)
        if self.says('count'):
            say['count'] = str(group.count)
            return f'{rng.choice(NUMBERS[group.count])} {words}'
        if group.count > 2:
            say['count'] = 'several'
            return f'{rng.choice(("several", "some", "a few"))} {words}'
        return words

    def background(self, scene):
        """(words, facts) such as 'a striped blue background'"""
        rng = self.rng
        kind, colour = ANY, scene.background_colour
        if self.says('plain' if scene.background == 'plain' else 'kind'):
            kind = scene.background
        if kind != ANY and rng.random() < 0.12:
            colour = ANY
        words = [rng.choice(GROUND_WORDS[kind])] if kind != ANY else []
        if colour != ANY:
            words.append(rng.choice(COLOUR_WORDS[colour]))
            if rng.random() < 0.15:
                words.reverse()
        words.append(rng.choice(('background', 'background', 'background', 'ground', 'backdrop')))
        return article(' '.join(words)), {scenes.ground(kind, colour)}

    def subject(self, scene):
        """(words, facts) of everything but the background"""
        if scene.relation:
            return self._related(scene)
        rng, group = self.rng, scene.groups[0]
        words, say = self.noun(group)
        # of large shapes the place says nothing: they fill the picture
        if group.size == 'large' or not self.says('place'):
            return words, {scenes.thing(**say)}
        say['place'] = group.place
        place = rng.choice(PLACE_WORDS[group.place])
        if rng.random() < 0.15:
            return f'{place} {rng.choice(("there is", "is", ","))} {words}'.replace(' ,', ','), {scenes.thing(**say)}
        return f'{words} {rng.choice(("", "", "", "placed ", "that is "))}{place}', {scenes.thing(**say)}

    def _related(self, scene):
        rng, kind = self.rng, scene.relation
        (a, say_a), (b, say_b) = (self.noun(g) for g in scene.groups)
        claims = {scenes.thing(**say_a), scenes.thing(**say_b)}
        if rng.random() < 0.35:
            a, b, say_a, say_b = b, a, say_b, say_a
            kind = OPPOSITE.get(kind, 'around')
        if not self.says('relation'):
            return f'{a} {rng.choice(("and", "and", "with", "next to"))} {b}', claims
        key = (say_a['shape'], say_a['colour']), (say_b['shape'], say_b['colour'])
        if kind == 'around':
            claims.add(scenes.relation('inside', *reversed(key)))
            joint = rng.choice(('around', 'containing', 'with', 'that contains', 'surrounding'))
            return f'{a} {joint} {b}{" inside" if joint == "with" else ""}', claims
        claims.add(scenes.relation(kind, *key))
        joint = rng.choice(RELATION_WORDS[kind])
        return f'{a} {rng.choice(("", "", "", "is ", "that is "))}{joint} {b}', claims

    def caption(self, scene):
        """(text, facts)"""
        rng = self.rng
        words, claims = self.subject(scene)
        if self.says('ground'):
            ground, more = self.background(scene)
            claims |= more
            form = rng.random()
            if form < 0.62:
                words = f'{words} {rng.choice(("on", "on", "on", "against", "over", "in front of"))} {ground}'
            elif form < 0.75:
                words = f'{ground} with {words}'
            elif form < 0.85:
                words = f'on {ground}, {words}'
            elif form < 0.93:
                words = f'{words}, {ground}'
            else:
                words = f'{words} and the background is {ground.split(" ", 1)[1].rsplit(" ", 1)[0]}'
        if rng.random() < 0.3 and words.split()[0] not in ('in', 'on', 'at', 'near', 'all', 'to'):
            words = f'{rng.choice(OPENINGS)} {words}'
        if rng.random() < 0.08:
            words += '.'
        return words, frozenset(claims)


def caption(rng, scene):
    """one sentence about the scene and the facts it claims"""
    # some people tell little, some everything
    style = rng.random()
    if style < 0.12:
        chance = dict(texture=0.15, size=0.15, place=0.1, ground=0.1, relation=0.5)
    elif style < 0.5:
        chance = dict(texture=1, size=0.9, place=0.95, ground=0.9, kind=0.9, relation=1, colour=1, shape=1, count=1)
    else:
        chance = None
    return Wording(rng, chance).caption(scene)
