#!/usr/bin/env python3
"""Write testdata/demo/expected.json: what PyTorch gives for a few captions and pictures of that folder.

    python expected.py

The network is open_clip's, filled with the exported weights, in float32; embeddings are not normalised.
`ids` are the token ids from the start to the end marker.
"""
import json

import torch

import bpe
import evaluate

FOLDER = bpe.ROOT / 'testdata/demo'
COUNT = 8
MORE_TEXTS = ('a red circle', 'a blue square', 'Three GREEN stars!', 'hello world')


def digits(row):
    """nine digits hold a float32 exactly"""
    return [float(f'{value:.9g}') for value in row.tolist()]


def main():
    torch.set_num_threads(1)
    reference = evaluate.Evaluator(bpe.ROOT / 'engine/model/demo', bpe.MERGES)
    listed = json.loads((FOLDER / 'captions.json').read_text())
    files = [entry['file'] for entry in listed[:COUNT]]
    texts = [entry['caption'] for entry in listed[:COUNT]] + list(MORE_TEXTS)
    pictures = reference.images([(FOLDER / name).read_bytes() for name in files], normalise=False)
    rows = reference.texts(texts, normalise=False)
    expected = {
        'pictures': [{'file': f, 'embedding': digits(row)} for f, row in zip(files, pictures)],
        'texts': [{'text': t, 'ids': reference.tokenizer.encode(t), 'embedding': digits(row)} for t, row in zip(texts, rows)],
    }
    text = json.dumps(expected, indent=None, separators=(',', ':'))
    (FOLDER / 'expected.json').write_text(text.replace('{"', '\n{"') + '\n')


if __name__ == '__main__':
    main()
