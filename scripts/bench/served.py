#!/usr/bin/env python3
"""Measures clipd beside raw runtimes and the Python servers, on this machine, and writes docs/benchmarks.md.

    scripts/bench/served.py [--rounds 3] [--seconds 8] [--peers] [--write]

In every round the contestants run one after the other with the same random-weight ViT-B/32 and the same inputs: raw OpenVINO, raw ONNX
Runtime, clipd as it comes, and with --peers the Python servers at their best (scripts/bench/peers). Ratios are taken within
a round. The targets are printed with pass or miss; --write keeps the results in docs/benchmarks/results.json and writes the page and its
plots. --page writes the page from the results that are there. Standard library only.
"""
import argparse
import datetime
import json
import pathlib
import subprocess
import sys

from suite import contestants, machine, measure, page, targets

CLIPD_LOADS = [('text', 1, 1), ('text', 8, 1), ('text', 4, 32), ('text', 8, 64), ('image', 8, 1), ('image', 4, 32)]
PEER_LOADS = [('text', 8, 1), ('text', 4, 32), ('image', 8, 1)]
RESULTS = contestants.ROOT / 'docs' / 'benchmarks' / 'results.json'


def progress(text):
    print(f'{datetime.datetime.now():%H:%M:%S} {text}', file=sys.stderr, flush=True)


def loads(server, name, wanted, seconds):
    found = {}
    for kind, clients, batch in wanted:
        found[f'{kind} {clients} × {batch}'] = result = measure.load(server, kind, clients, batch, seconds, warmup=3 if name == 'clipd' else 5)
        progress(f'  {name}, {kind} {clients} × {batch}: ' + (f'{result["items_per_second"]:.1f} items/s' if result else 'no answer in time'))
    return found


def one_round(args, reference):
    result = {'load': machine.load(), 'raw': {}, 'servers': {}, 'cosine': {}}
    for runtime in args.runtimes:
        result['raw'][runtime] = raw = measure.raw(runtime, args.raw_seconds)
        progress(f'  raw {runtime}: {raw["text"]["items_per_second"]:.1f} texts/s at {raw["text"]["batch"]}, '
                 f'{raw["picture"]["items_per_second"]:.1f} pictures/s at {raw["picture"]["batch"]}')
    for name in ['clipd'] + args.peers:
        with contestants.start(name) as server:
            result['cosine'][name] = measure.same_model(name, server, reference)
            if name == 'clipd':
                result['servers'][name] = loads(server, name, CLIPD_LOADS, args.seconds)
                result['fairness'] = measure.scenario(server, 'fairness', args.seconds)
                # Until the queue has grown to max_wait, 5 s, more is accepted than answered.
                result['overload'] = measure.scenario(server, 'overload', args.seconds, warmup=8)
                progress(f'  clipd, fairness: p99 ratio {result["fairness"]["p99_ratio"]:.2f}; overload: goodput {result["overload"]["goodput_ratio"]:.2f}')
            else:
                result['servers'][name] = loads(server, name, PEER_LOADS, args.peer_seconds)
    return result


def command(args):
    """the command that measures the same again"""
    peers = [] if not args.peers else ['--peers'] if args.peers == contestants.PEER_NAMES else ['--peers', ','.join(args.peers)]
    seconds = ['--rounds', args.rounds, '--seconds', args.seconds, '--raw-seconds', args.raw_seconds, '--peer-seconds', args.peer_seconds]
    return ' '.join(map(str, ['scripts/bench/served.py', *seconds, *peers, '--write']))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--rounds', type=int, default=3)
    ap.add_argument('--seconds', type=int, default=8, help='of each load')
    ap.add_argument('--raw-seconds', type=int, default=4, help='of each batch size of a raw runtime')
    ap.add_argument('--peer-seconds', type=int, default=20, help='of each load of a Python server: they answer few requests')
    ap.add_argument('--peers', nargs='?', const=','.join(contestants.PEER_NAMES), default='', help='all of them, or a list: ' + ','.join(contestants.PEER_NAMES))
    ap.add_argument('--runtimes', default='openvino,onnxruntime')
    ap.add_argument('--output', type=pathlib.Path, default=contestants.ROOT / 'build' / 'bench' / 'served.json')
    ap.add_argument('--write', action='store_true', help='write docs/benchmarks.md and docs/benchmarks/')
    ap.add_argument('--page', action='store_true', help='only write the page, from docs/benchmarks/results.json')
    args = ap.parse_args()
    if args.page:
        results = json.loads(RESULTS.read_text())
        page.write(results)
        print(targets.table(results))
        return
    args.peers = [p for p in args.peers.split(',') if p]
    args.runtimes = [r for r in args.runtimes.split(',') if r]
    if unknown := set(args.peers) - set(contestants.PEER_NAMES):
        ap.error(f'--peers {", ".join(sorted(unknown))}: there are {", ".join(contestants.PEER_NAMES)}')
    contestants.make_model()
    reference = measure.encoded('--model-path', str(contestants.MODEL), '--runtime', 'onnxruntime', '--dtype', 'fp32')
    results = {
        'command': command(args), 'date': f'{datetime.date.today()}', 'commit': machine.commit(contestants.ROOT),
        'machine': machine.describe(), 'seconds': args.seconds, 'peer_seconds': args.peer_seconds, 'rounds': [], 'overhead_us': measure.overhead(),
        'versions': [line for line in subprocess.run([contestants.CLIPD, 'version'], stdout=subprocess.PIPE, text=True, check=False).stdout.splitlines()
                     if ' missing: ' not in line],
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    for n in range(args.rounds):
        progress(f'round {n + 1} of {args.rounds}')
        results['rounds'].append(one_round(args, reference))
        args.output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + '\n')
        print(targets.table(results), flush=True)
    if args.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + '\n')
        page.write(results)


if __name__ == '__main__':
    main()
