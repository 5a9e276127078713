"""Measurements: each gives plain numbers that go into the results as they are."""
import base64
import io
import json
import math
import re
import subprocess
import sys
import urllib.request

from . import contestants

RAW_BATCHES = {'text': '8,16,32,64', 'picture': '2,4,8,16,32'}


def bench(*args):
    """the JSON lines of clipd bench; a server that answers nothing in time gives its empty result"""
    done = subprocess.run([contestants.CLIPD, 'bench', *map(str, args), '--format', 'lines'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode and (not lines or args[0] == 'raw'):
        sys.exit(f'clipd bench {" ".join(map(str, args))}: {done.stderr.strip()}')
    return lines


def load(server, kind, clients, batch, seconds, warmup=3, texts='caption', extra=()):
    """one closed loop; None when nothing was answered in the time, errors end the run"""
    args = [server, '--kind', kind, '--clients', clients, '--batch', batch, '--duration', f'{seconds}s', '--warmup', f'{warmup}s', '--texts', texts,
            '--timeout', '5m', *extra]
    if server.endswith('/embeddings'):
        args += ['--model', 'clip']
    result = bench(*args)[0]
    if result['failed']:
        sys.exit(f'{server}: {kind} {clients} × {batch}: {result["failed"]} requests failed: {result.get("first_error")}')
    return result if result['requests'] else None


def raw(runtime, seconds, precision=None):
    """a runtime by itself: texts in order (padded and packed) and sorted, whole pictures, and one text alone"""
    common = ['raw', '--model-path', contestants.MODEL, '--runtime', runtime, '--duration', f'{seconds}s', '--warmup', '1s']
    if precision:
        common += ['--dtype', precision]
    texts = bench(*common, '--kind', 'text', '--batch', RAW_BATCHES['text'], '--order', 'in,packed,sorted')
    alone = bench(*common, '--kind', 'text', '--batch', '1', '--order', 'in,same', '--alone')
    pictures = bench(*common, '--kind', 'picture', '--batch', RAW_BATCHES['picture'], '--alone')
    def best(results):
        return max(results, key=lambda r: r['items_per_second'], default=None) or sys.exit('nothing ended in --raw-seconds; measure longer')
    return {
        'text': best(r for r in texts if not r.get('sorted') and not r.get('packed')),
        'text packed': best(r for r in texts if r.get('packed')), 'text sorted': best(r for r in texts if r.get('sorted')),
        'picture': best(r for r in pictures if not r.get('alone')),
        'one text': min((r for r in alone if r.get('alone')), key=lambda r: r['latency_ms']['p50']),
        'one picture': next((r for r in pictures if r.get('alone')), None),
        'all': texts + alone + pictures,
    }


def scenario(server, name, seconds, warmup=3):
    return bench(server, '--scenario', name, '--duration', f'{seconds}s', '--warmup', f'{warmup}s')[0]


def overhead():
    """µs that the scheduler adds to one item, by its own Go benchmark; None without a Go compiler"""
    try:
        done = subprocess.run(['go', 'test', './engine', '-run', '^$', '-bench', '^BenchmarkOverhead', '-benchtime', '2s', '-count', '3'],
                              cwd=contestants.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    by_name = {}
    for name, ns in re.findall(r'^(Benchmark\S+)\s+\d+\s+([\d.]+) ns/op', done.stdout, re.MULTILINE):
        by_name.setdefault(name, []).append(float(ns) / 1000)
    return {name: sorted(values)[len(values) // 2] for name, values in by_name.items()} or None


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def probes():
    """a text, and a picture that is a file of the repository"""
    return ['a photo of a dog in the snow', str(contestants.ROOT / 'testdata' / 'demo' / '001.jpg')]


def encoded(*args):
    out = subprocess.run([contestants.CLIPD, 'encode', '--json', *args, *probes()], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line)['embedding'] for line in out.splitlines()]


def answers(server):
    """what a server answers to the probes"""
    if not server.endswith('/embeddings'):
        return encoded('--server', server)
    rows = []
    text, picture = probes()
    with open(picture, 'rb') as f:
        uri = 'data:image/jpeg;base64,' + base64.b64encode(f.read()).decode()
    for body in ({'model': 'clip', 'input': [text]}, {'model': 'clip', 'input': [uri], 'modality': 'image'}):
        request = urllib.request.Request(server, json.dumps(body).encode(), {'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=120) as answer:
            rows.append(json.load(io.TextIOWrapper(answer))['data'][0]['embedding'])
    return rows


def same_model(name, server, reference):
    """ends the run when a contestant does not compute what the model does: nothing may be gained by answering something else"""
    least = min(cosine(a, b) for a, b in zip(answers(server), reference))
    if not least >= 0.99:
        sys.exit(f'{name} at {server} answers something else than the model: cosine {least:.5f}')
    return least
