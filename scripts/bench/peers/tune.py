#!/usr/bin/env python3
"""Measures the settings of the peers, one after the other, to find those at which each is at its best.

    scripts/bench/peers/tune.py [--seconds 15] [PEER ...]

Prints texts a second at 8 clients × 1 and 4 × 32 and pictures a second at 8 × 1 for each setting. Standard library only.
"""
import argparse
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from suite import contestants, measure  # noqa: E402

CORES = len(os.sched_getaffinity(0))
LOADS = [('text', 8, 1), ('text', 4, 32), ('image', 8, 1)]
THREADS = [{'PEER_THREADS': n} for n in sorted({1, CORES, 2 * CORES})]
SETTINGS = {
    'onnx': THREADS, 'torch': THREADS,
    'onnx-batching': [{'batch': b, 'timeout': t} for b in (4, 8, 32) for t in (2, 10)],
    'torch-batching': [{'batch': b, 'timeout': t} for b in (4, 8, 32) for t in (2, 10)],
    'infinity': [{'PEER_DTYPE': d, 'PEER_BATCH': b} for d in ('float32', 'bfloat16') for b in (8, 32, 64)],
}


def flow(peer, batch, timeout, folder):
    """the peer's flow with another preferred batch size (requests' documents together) and another wait in milliseconds"""
    text = (contestants.PEERS / f'{peer}.yml').read_text()
    head, _, _ = text.partition('    uses_dynamic_batching:')
    path = pathlib.Path(folder) / f'{peer}.yml'
    path.write_text(head.replace('- random_torch.py', f'- {contestants.PEERS}/random_torch.py')
                    + f'    uses_dynamic_batching:\n      /default: {{preferred_batch_size: {batch}, timeout: {timeout}}}\n')
    return path


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('peers', nargs='*', default=list(SETTINGS))
    ap.add_argument('--seconds', type=int, default=15)
    args = ap.parse_args()
    contestants.make_model()
    with tempfile.TemporaryDirectory() as folder:
        for peer in args.peers:
            for setting in SETTINGS[peer]:
                env = setting if 'batch' not in setting else {'PEER_FLOW': flow(peer, setting['batch'], setting['timeout'], folder)}
                with contestants.peer(peer, **env) as server:
                    found = [measure.load(server, *load, args.seconds, warmup=5) for load in LOADS]
                shown = '  '.join(f'{kind} {c}×{b}: {r["items_per_second"] if r else 0:6.1f}' for (kind, c, b), r in zip(LOADS, found))
                print(f'{peer:15s} {" ".join(f"{k}={v}" for k, v in setting.items()):35s} {shown}', flush=True)


if __name__ == '__main__':
    main()
