"""Batches for training: fresh scenes each time, half of them with a sibling that differs in one thing."""
import io

import numpy as np
from PIL import Image

import captions
import draw
import pixels
import scenes

def mentioned(facts):
    """the single properties in a set of facts, such as 'colour red', 'red circle', 'left red' (the left one is red)"""
    names = set()
    for fact in facts:
        kind, rest = fact.split(':', 1)
        if kind == 'thing':
            shape, colour, *others = rest.split('/')
            names |= {f'shape {shape}', f'colour {colour}', f'{colour} {shape}'}
            names |= {f'{field} {value}' for field, value in zip(('texture', 'size', 'count', 'place'), others)}
        elif kind == 'ground':
            names |= {f'ground {part}' for part in rest.split('/')}
        else:
            first, second = rest.split(':')
            names |= {kind} | {f'{kind} {part}' for part in first.split('/')} | {f'{kind} of {part}' for part in second.split('/')}
    return {name for name in names if scenes.ANY not in name}


def labels():
    """name -> column of the targets of the auxiliary loss: every property that mentioned() can give"""
    names = set()
    rng = scenes.generator('labels')
    for _ in range(20000):
        names |= mentioned(scenes.facts(scenes.sample(rng)))
    return {name: i for i, name in enumerate(sorted(names))}


LABELS = labels()


def columns(names):
    row = np.zeros(len(LABELS), bool)
    row[[LABELS[name] for name in names if name in LABELS]] = True
    return row


def picture(rng, scene, size):
    """uint8 [size, size, 3], one in three through JPEG"""
    image = draw.draw(scene, rng)
    if rng.random() < 0.33:
        out = io.BytesIO()
        image.save(out, 'JPEG', quality=rng.randint(40, 95))
        image = Image.open(out)
    return np.asarray(pixels.square(image, size))


def strange_words(rng, ids, strangers):
    """puts one or two tokens that no caption of ours has into the sentence, so that unknown words do little harm"""
    for _ in range(rng.randint(1, 2)):
        ids.insert(rng.randint(1, len(ids) - 1), rng.choice(strangers))
    return ids


def batch(seed, index, size, image_size, tokenizer, strangers):
    """(pixels uint8 [N, S, S, 3], ids: N lists, seen [N, L], said [N, L], true [N, N])

    seen, said: properties (columns of LABELS) that are in the picture, in the caption.
    true[i, j]: the caption of scene j holds for scene i too.
    """
    rng = scenes.generator('train', seed, index)
    chosen = []
    while len(chosen) < size:
        chosen.append(scenes.sample(rng))
        if len(chosen) < size and rng.random() < 0.34:
            chosen.append(scenes.sibling(rng, chosen[-1]))
    ids, claims = [], []
    for scene in chosen:
        text, facts = captions.caption(rng, scene)
        sequence = tokenizer.encode(text)
        if rng.random() < 0.1 and len(sequence) < tokenizer.context_length - 2:
            sequence = strange_words(rng, sequence, strangers)
        ids.append(sequence)
        claims.append(facts)
    everything = [scenes.facts(scene) for scene in chosen]
    holders = {}  # fact -> rows of the scenes for which it is true
    for i, facts in enumerate(everything):
        for fact in facts:
            holders.setdefault(fact, set()).add(i)
    true = np.zeros((size, size), bool)
    for j, facts in enumerate(claims):
        true[list(set.intersection(*(holders[f] for f in facts))), j] = True
    shown = np.stack([picture(rng, scene, image_size) for scene in chosen])
    seen, said = (np.stack([columns(mentioned(facts)) for facts in group]) for group in (everything, claims))
    return shown, ids, seen, said, true


def strangers(tokenizer, seed):
    """ids of the vocabulary that our captions do not use"""
    rng = scenes.generator('strangers', seed)
    used = set()
    for _ in range(20000):
        used.update(tokenizer.encode(captions.caption(rng, scenes.sample(rng))[0]))
    return [i for i in range(256, tokenizer.start) if i not in used]
