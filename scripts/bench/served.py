#!/usr/bin/env python3
"""Measures clipd's served throughput against the raw runtime and, where it is installed, the Python server.

    scripts/bench/served.py [--rounds 3] [--seconds 8] [--peer] [--kinds text,image] [--output FILE]

In every round the contestants run one after the other on the otherwise idle machine: the raw runtime (lanes run
without pause on tensors that are ready), then clipd, then with --peer the Python server (scripts/bench/peers), all
with the same random-weight ViT-B/32 and the same inputs. Ratios are taken within a round; medians are printed.
Standard library only.
"""
import argparse
import contextlib
import json
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIPD = ROOT / 'clipd'
MODEL = ROOT / 'build' / 'bench' / 'ViT-B-32'
PEERS = ROOT / 'scripts' / 'bench' / 'peers'
LOADS = {'text': [(8, 1), (4, 32), (8, 64)], 'image': [(8, 1), (4, 32)]}
PEER_LOADS = {'text': [(8, 1), (4, 32)], 'image': [(8, 1)]}  # a request of 32 pictures takes the Python server longer than a run
RAW_BATCHES = {'text': '8,16,32,64', 'image': '4,8,16,32'}


def clipd(*args):
    out = subprocess.run([CLIPD, *args], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def flow(port):
    return f'''
jtype: Flow
with: {{port: {port}}}
executors:
  - name: clip_t
    uses:
      jtype: CLIPEncoder
      with: {{model_path: {MODEL}}}
      metas: {{py_modules: [clip_server.executors.clip_torch]}}
'''


@contextlib.contextmanager
def clipd_server():
    port = free_port()
    began = time.monotonic()
    p = subprocess.Popen([CLIPD, '-i'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    p.stdin.write(flow(port))
    p.stdin.close()
    box = []
    for line in p.stdout:
        box.append(line.rstrip())
        if line.startswith('device'):
            break
    if not box:
        sys.exit('clipd did not start; try: ./clipd demo-flow.yml')
    try:
        yield f'grpc://127.0.0.1:{port}', began
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(60)


@contextlib.contextmanager
def peer_server():
    started = subprocess.run([PEERS / 'start.sh', MODEL], check=True, stdout=subprocess.PIPE, text=True)
    try:
        yield started.stdout.split()[-1]
    finally:
        subprocess.run([PEERS / 'stop.sh'], check=True, stdout=subprocess.DEVNULL)


def load(server, kind, clients, batch, seconds):
    r = clipd('bench', server, '--kind', kind, '--clients', str(clients), '--batch', str(batch),
              '--duration', f'{seconds}s', '--warmup', '3s')[0]
    if r['failed']:
        sys.exit(f'{server}: {r["failed"]} requests failed: {r.get("first_error")}')
    return r


def first_answer():
    """Seconds from the start of the process to the first answer."""
    with clipd_server() as (server, began):
        subprocess.run([CLIPD, 'encode', '--server', server, 'a photo of a cat'], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--rounds', type=int, default=3)
    ap.add_argument('--seconds', type=int, default=8)
    ap.add_argument('--kinds', default='text,image')
    ap.add_argument('--peer', action='store_true', help='also the Python server')
    ap.add_argument('--output', type=pathlib.Path, default=ROOT / 'build' / 'bench' / 'served.json')
    args = ap.parse_args()
    if not MODEL.exists():
        subprocess.run([CLIPD, 'model', 'make', 'ViT-B-32', '--random', MODEL], check=True)
    first_answer()  # fills the caches
    results = {'first_answer_seconds': [first_answer() for _ in range(args.rounds)]}
    for n in range(args.rounds):
        for kind in args.kinds.split(','):
            raw = clipd('bench', 'raw', '--model-path', str(MODEL), '--kind', kind, '--batch', RAW_BATCHES[kind],
                        '--duration', f'{max(args.seconds // 2, 3)}s')
            best = max(raw, key=lambda r: r['items_per_second'])
            results.setdefault(f'{kind}: raw runtime, best batch', []).append(best['items_per_second'])
            with clipd_server() as (server, _):
                served = {c: load(server, kind, *c, args.seconds) for c in LOADS[kind]}
            peer = {}
            if args.peer:
                with peer_server() as server:
                    peer = {c: load(server, kind, *c, max(args.seconds, 15)) for c in PEER_LOADS[kind]}
            for c, r in served.items():
                name = f'{kind} {c[0]}x{c[1]}'
                results.setdefault(f'{name}: clipd', []).append(r['items_per_second'])
                results.setdefault(f'{name}: clipd p50 ms', []).append(r['P50'])
                results.setdefault(f'{name}: clipd / raw', []).append(r['items_per_second'] / best['items_per_second'])
                if c in peer:
                    results.setdefault(f'{name}: Python server', []).append(peer[c]['items_per_second'])
                    results.setdefault(f'{name}: clipd / Python server', []).append(
                        r['items_per_second'] / peer[c]['items_per_second'])
            print(f'round {n + 1}, {kind}: done', file=sys.stderr, flush=True)
    for name, values in results.items():
        print(f'{name:45s} {statistics.median(values):10.2f}   of {", ".join(f"{v:.2f}" for v in values)}')
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(results, indent=1) + '\n')


if __name__ == '__main__':
    main()
