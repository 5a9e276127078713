"""The commands that need no server, and the same ones against a server."""
import json
import os
import subprocess
import tempfile

from client import BROKEN, Client, cosine, np
from server import START_SECONDS, program, serving
from test_documents import SAME, material


def run(*arguments, status=0):
    """standard output of clipd; `status` is the exit status it must have, None for any but 0"""
    done = subprocess.run([program(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS)
    wanted = done.returncode > 0 if status is None else done.returncode == status
    assert wanted, f'{arguments}: exit status {done.returncode}\n{done.stdout}{done.stderr}'
    return done.stdout if status is not None else done.stdout + done.stderr


def test_encode_gives_what_the_server_gives():
    texts, paths = material()
    items = [*texts[:3], *paths[:3]]
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        want = Client(server.url).encode(items)
        for name, options in (('alone', []), ('asked', ['--server', server.url])):
            file = os.path.join(folder, f'{name}.npy')
            run('encode', '--output', file, *options, *items)
            got = np.load(file)
            assert got.dtype == np.float32 and got.shape == want.shape, f'{got.dtype} {got.shape}'
            assert cosine(got, want).min() > SAME, f'{name}: {cosine(got, want)}'


def test_rank_finds_the_sentence():
    texts, paths = material()
    first = []
    for i in range(6):
        ranked = [json.loads(line) for line in run('rank', '--json', paths[i], *texts[:12]).splitlines()]
        assert sorted(r['candidate'] for r in ranked) == sorted(texts[:12])
        scores = [r['clip_score'] for r in ranked]
        assert scores == sorted(scores, reverse=True) and abs(sum(scores) - 1) < 1e-3, f'{scores}'
        first.append(ranked[0]['candidate'] == texts[i])
    assert sum(first) >= 5, f'{first}'


def test_broken_picture_is_named():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'broken.jpg')
        with open(path, 'wb') as file:
            file.write(BROKEN)
        printed = run('encode', 'a red circle', path, status=None)
    assert ('broken.jpg' in printed or 'input 1' in printed) and 'goroutine ' not in printed, printed


def test_version_names_a_runtime():
    printed = run('version')
    assert printed.startswith('clipd ') and ('openvino' in printed or 'onnxruntime' in printed), printed


def test_unknown_flag():
    printed = run('encode', '--no-such-flag', 'x', status=None)
    assert '--no-such-flag' in printed, printed
