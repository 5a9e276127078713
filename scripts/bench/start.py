#!/usr/bin/env python3
"""Measures the time from the start of clipd to its first answer, caches filled.

    scripts/bench/start.py [--rounds 5]

ViT-B/32 with random weights (scripts/bench/served.py makes the same). Standard library only.
"""
import argparse
import statistics
import subprocess
import time

from suite import contestants


def first_answer():
    began = time.monotonic()
    with contestants.clipd() as server:
        subprocess.run([contestants.CLIPD, 'encode', '--server', server, 'a photo of a cat'], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--rounds', type=int, default=5)
    args = ap.parse_args()
    contestants.make_model()
    first_answer()  # fills the caches
    seconds = [first_answer() for _ in range(args.rounds)]
    print(f'first answer after {statistics.median(seconds):.2f} s, the median of {", ".join(f"{s:.2f}" for s in seconds)}')


if __name__ == '__main__':
    main()
