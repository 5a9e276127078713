#!/usr/bin/env python3
"""Measures the peak of resident memory while clipd loads ViT-L/14 and embeds one text and one picture.

    scripts/bench/memory.py [--model DIR]

Each (runtime, precision) runs twice in processes of their own: with empty caches, where the graphs are built and compiled,
and again with what the first run left. The ratio is to the size of the checkpoint. Standard library only.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIPD = ROOT / 'clipd'
PICTURE = ROOT / 'testdata' / 'demo' / '001.jpg'

# A child of its own for each measurement: ru_maxrss of children is the largest of all so far.
CHILD = '''
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
'''


def peak(runtime, precision, model, cache):
    command = [sys.executable, '-c', CHILD, CLIPD, 'encode', '--runtime', runtime, '--dtype', precision,
               '--model-path', model, 'a photo of a cat', PICTURE]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          env={**os.environ, 'CLIPD_CACHE': cache})
    return int(done.stdout)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--model', type=pathlib.Path, default=ROOT / 'build' / 'bench' / 'ViT-L-14')
    args = ap.parse_args()
    if not args.model.exists():
        subprocess.run([CLIPD, 'model', 'make', 'ViT-L-14', '--random', args.model], check=True)
    size = sum(f.stat().st_size for f in args.model.iterdir())
    for runtime, precision in (('openvino', 'bf16'), ('openvino', 'fp32'), ('onnxruntime', 'fp32')):
        with tempfile.TemporaryDirectory(dir=args.model.parent) as cache:
            for start in ('first', 'second'):
                n = peak(runtime, precision, args.model, cache)
                print(f'{runtime:12s} {precision}  {start:6s} start: {n / 1e6:6.0f} MB, {n / size:.2f} times the checkpoint')


if __name__ == '__main__':
    main()
