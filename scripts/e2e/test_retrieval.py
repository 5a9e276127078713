"""The served model finds the right picture for a sentence."""
import json
import pathlib
import secrets
import subprocess
import sys
import tempfile

from client import Client, Document, DocumentArray, cosine, np, unit
from server import ROOT, serving

TESTDATA = ROOT / 'testdata' / 'demo'
DRAW = ROOT / 'scripts' / 'demo_model' / 'draw.py'


def found(client, folder):
    """part of the captions whose nearest picture is the right one; all pictures and captions in two calls"""
    listed = json.loads((folder / 'captions.json').read_text())
    texts = client.encode([entry['caption'] for entry in listed])
    pictures = client.encode([str(folder / entry['file']) for entry in listed])
    assert texts.shape == pictures.shape and len(texts) == len(listed)
    best = (unit(texts) @ unit(pictures).T).argmax(1)
    return (best == np.arange(len(listed))).mean()


def test_pictures_of_the_repository():
    with serving() as server:
        right = found(Client(server.url), TESTDATA)
    assert right >= 0.9, f'{right:.3f} of the captions found their picture'


def test_200_fresh_pictures():
    seed = secrets.randbelow(10 ** 9)
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        subprocess.run([sys.executable, DRAW, '--seed', str(seed), '--count', '200', '--out', folder], check=True)
        right = found(Client(server.url), pathlib.Path(folder))
    print(f'seed {seed}: {right:.3f} of 200 captions found their picture at rank 1')
    assert right >= 0.9, f'seed {seed}: {right:.3f} of the captions found their picture'


def test_embeddings_are_those_of_torch():
    expected = json.loads((TESTDATA / 'expected.json').read_text())
    with serving() as server:
        client = Client(server.url)
        texts = client.encode([entry['text'] for entry in expected['texts']])
        pictures = client.encode([str(TESTDATA / entry['file']) for entry in expected['pictures']])
    for got, want in ((texts, expected['texts']), (pictures, expected['pictures'])):
        near = cosine(got, [entry['embedding'] for entry in want])
        assert near.min() >= 0.9995, f'cosines to torch: {near}'


def test_rank_puts_the_right_sentence_first():
    listed = json.loads((TESTDATA / 'captions.json').read_text())[:12]
    queries = [Document(uri=str(TESTDATA / entry['file']), matches=[Document(text=e['caption']) for e in listed]) for entry in listed]
    with serving() as server:
        ranked = Client(server.url).rank(DocumentArray(queries))
    first = [query.matches[0].text == entry['caption'] for query, entry in zip(ranked, listed)]
    assert sum(first) >= 0.9 * len(first), f'{sum(first)} of {len(first)} right'
