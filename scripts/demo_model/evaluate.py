#!/usr/bin/env python3
"""Measure the exported demo model on pictures of unseen seeds.

    python evaluate.py --seeds 101 102 103

The network is open_clip's own, filled with the exported fp16 weights and computed in float32; nothing
of train.py is used. Pictures go through PNG and JPEG files in memory, as a server gets them.
"""
import argparse
import io
import json
import pathlib

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional

import bpe
import captions
import draw
import pixels
import scenes


class Evaluator:
    def __init__(self, folder, merges):
        self.config = json.loads((folder / 'open_clip_config.json').read_text())
        cfg = self.config['model_cfg']
        self.net = open_clip.CLIP(cfg['embed_dim'], cfg['vision_cfg'], cfg['text_cfg'])
        weights = {name: t.float() for name, t in load_file(folder / 'model.safetensors').items()}
        self.net.load_state_dict(weights)
        self.net.eval()
        self.tokenizer = bpe.Tokenizer(merges, cfg['text_cfg']['vocab_size'], cfg['text_cfg']['context_length'])

    @torch.inference_mode()
    def images(self, files, normalise=True):
        """encoded pictures -> float32 [N, D]"""
        size = self.config['model_cfg']['vision_cfg']['image_size']
        shown = np.stack([np.asarray(pixels.square(Image.open(io.BytesIO(f)), size)) for f in files])
        pre = self.config['preprocess_cfg']
        x = (torch.from_numpy(shown).float() / 255 - torch.tensor(pre['mean'])) / torch.tensor(pre['std'])
        return self.net.encode_image(x.permute(0, 3, 1, 2), normalize=normalise)

    @torch.inference_mode()
    def texts(self, texts, normalise=True):
        """sentences -> float32 [N, D]"""
        rows = torch.zeros(len(texts), self.tokenizer.context_length, dtype=torch.int64)
        for row, text in zip(rows, texts):
            ids = self.tokenizer.encode(text)
            row[:len(ids)] = torch.tensor(ids)
        return self.net.encode_text(rows, normalize=normalise)


def encoded(scene, *seed):
    rng = scenes.generator(*seed)
    return draw.encode(draw.draw(scene, rng), rng)[1]


def retrieval(model, seed, count, word, show):
    """part of the captions (of the pictures) whose best picture (caption) is the right one"""
    chosen = draw.retrieval_set(seed, count, word)
    scores = model.texts([text for _, text in chosen]) @ model.images([encoded(s, 'picture', seed, i) for i, (s, _) in enumerate(chosen)]).T
    best, right = scores.argmax(1), torch.arange(count)
    for i in (best != right).nonzero().flatten().tolist()[:show]:
        print(f'  wrong: {chosen[i][1]!r}\n    wanted {chosen[i][0]}\n    found  {chosen[best[i]][0]}')
    return (best == right).float().mean().item(), (scores.argmax(0) == right).float().mean().item()


def everyday(rng, scene):
    """sentences in forms that captions.py does not have"""
    wording = captions.Wording(rng, dict(ground=0, solid=0, texture=1, size=1, place=1, relation=1, count=1, shape=1, colour=1))
    words, claims = wording.subject(scene)
    colour = rng.choice(captions.COLOUR_WORDS[scene.background_colour])
    claims = claims | {scenes.ground(colour=scene.background_colour)}
    form = rng.choice(('could you find me the one showing {0}? the background should be {1}',
                       'my favourite: {0}, everything behind it is {1}',
                       'somebody painted {0} onto {2} sheet of paper',
                       'the card where you have {0} and all the rest is {1}',
                       'wanted: {0} ({1} background)',
                       'screenshot of {0} with {2} backdrop behind',
                       '{1} wallpaper featuring {0}'))
    return form.format(words, colour, captions.article(colour)), frozenset(claims)


def zero_shot(model, seed, count):
    """single shapes, one of 12 colours and one of 12 shapes to choose from"""
    rng = scenes.generator('zero-shot', seed)
    chosen = []
    while len(chosen) < count:
        scene = scenes.sample(rng)
        if len(scene.groups) == 1 and scene.groups[0].count == 1 and scene.groups[0].texture == 'solid':
            chosen.append(scene)
    images = model.images([encoded(s, 'zero-shot picture', seed, i) for i, s in enumerate(chosen)])
    colours, shapes = list(scenes.COLOURS), list(scenes.SHAPES)
    guess = (images @ model.texts([f'{captions.article(c)} {s}' for c in colours for s in shapes]).T).argmax(1)
    both = np.mean([divmod(int(g), len(shapes)) == (colours.index(s.groups[0].colour), shapes.index(s.groups[0].shape))
                    for g, s in zip(guess, chosen)])
    return both


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--merges', default=bpe.MERGES, help="CLIP's merges file (gzip)")
    parser.add_argument('--model', type=pathlib.Path, default=bpe.ROOT / 'engine/model/demo')
    parser.add_argument('--seeds', type=int, nargs='+', default=[101, 102, 103, 104, 105])
    parser.add_argument('--count', type=int, default=200)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--show', type=int, default=0, help='wrong answers to print for each seed')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = Evaluator(args.model, args.merges)
    print(f'rank 1 among {args.count}, caption -> picture, picture -> caption')
    for name, word in (('captions', captions.caption), ('everyday', everyday)):
        results = [retrieval(model, seed, args.count, word, args.show) for seed in args.seeds]
        for seed, (there, back) in zip(args.seeds, results):
            print(f'{name} seed {seed}: {there:.3f} {back:.3f}')
        print(f'{name}: mean {np.mean(results, axis=0)[0]:.4f} {np.mean(results, axis=0)[1]:.4f}, worst {min(r[0] for r in results):.3f}')
    print(f'zero-shot, 144 classes of colour and shape: {np.mean([zero_shot(model, s, args.count) for s in args.seeds]):.3f}')


if __name__ == '__main__':
    main()
