"""What clipd is to reach, each a ratio within a round; the median of the rounds counts."""
import statistics

from . import contestants

TEXT_1, TEXT_32, TEXT_64 = 'text 8 × 1', 'text 4 × 32', 'text 8 × 64'
PICTURE_1, PICTURE_32 = 'image 8 × 1', 'image 4 × 32'
LONELY = 'text 1 × 1'


def speed(round_, name, load):
    """items a second; None when it was not measured, or nothing was answered in the time"""
    result = round_['servers'].get(name, {}).get(load)
    return result['items_per_second'] if result else None


def fastest(round_, names, load):
    """the most items a second among variants of a peer: it is measured at its best"""
    return max((s for s in (speed(round_, n, load) for n in names) if s), default=None)


def over(a, b):
    return a / b if a and b else None


def against(names, load):
    return lambda r: over(speed(r, 'clipd', load), fastest(r, names, load))


def raw_best(round_, what):
    return max((raw[what]['items_per_second'] for raw in round_['raw'].values() if what in raw), default=None)


def of_raw(what, *loads):
    return lambda r: over(max((speed(r, 'clipd', x) or 0 for x in loads), default=0), raw_best(r, what))


def added(round_):
    """ms between the median of a lonely text that is served and the runtime's own, on the runtime that serves"""
    served, raw = round_['servers'].get('clipd', {}).get(LONELY), round_['raw'].get('openvino') or next(iter(round_['raw'].values()), None)
    return served['latency_ms']['p50'] - raw['one text']['latency_ms']['p50'] if served and raw else None


def inside(*path):
    def get(round_):
        for key in path:
            round_ = (round_ or {}).get(key)
        return round_
    return get


def overhead(results):
    """the largest of the lanes of a processor; those of a GPU are locked to a thread, whose wake-up is the kernel's"""
    values = [us for name, us in (results.get('overhead_us') or {}).items() if '/locked/' not in name]
    return max(values, default=None)


ONNX = ['onnx', 'onnx-batching']
# name, wanted, 'at least' or 'at most', value of a round, unit
TARGETS = [
    ('short texts, 8 clients × 1: clipd / clip_server (ONNX)', 30, 'at least', against(ONNX, TEXT_1), ''),
    ('short texts, 8 clients × 1: clipd / infinity (PyTorch)', 10, 'at least', against(['infinity'], TEXT_1), ''),
    ('short texts, 4 clients × 32: clipd / clip_server', 15, 'at least', against(contestants.CLIP_SERVER, TEXT_32), ''),
    ('640×480 JPEG, 8 clients × 1: clipd / clip_server', 8, 'at least', against(contestants.CLIP_SERVER, PICTURE_1), ''),
    ('640×480 JPEG, 8 clients × 1: clipd / infinity', 8, 'at least', against(['infinity'], PICTURE_1), ''),
    ('served throughput / raw runtime at its best batch, texts', 0.90, 'at least', of_raw('text', TEXT_1, TEXT_32, TEXT_64), ''),
    ('the same, the raw runtime given texts packed as clipd packs them', 0.90, 'at least', of_raw('text packed', TEXT_1, TEXT_32, TEXT_64), ''),
    ('served throughput / raw runtime at its best batch, pictures (decode and resize included)', 0.80, 'at least',
     of_raw('picture', PICTURE_1, PICTURE_32), ''),
    ("unloaded p50 of one text − raw runtime's one-text time", 1.0, 'at most', added, ' ms'),
    ('p99 of a single text while another client sends batches of 256 without pause / its p99 alone', 3.0, 'at most', inside('fairness', 'p99_ratio'), ''),
    ('at twice the sustainable open-loop load: goodput / best throughput', 0.95, 'at least', inside('overload', 'goodput_ratio'), ''),
    ('scheduler overhead for one item with a fake runtime of zero cost', 5.0, 'at most', None, ' µs'),
]


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def judge(results):
    """(name, wanted as text, median or None, values of the rounds, met or None) for each target"""
    rows = []
    for name, wanted, sense, of_round, unit in TARGETS:
        values = [overhead(results)] if of_round is None else [of_round(r) for r in results['rounds']]
        value = median(values)
        met = None if value is None else value >= wanted if sense == 'at least' else value <= wanted
        rows.append((name, f'{"≥" if sense == "at least" else "≤"} {wanted:g}{unit}', value, unit, [v for v in values if v is not None], met))
    return rows


def table(results):
    """the targets as plain text"""
    lines = []
    for name, wanted, value, unit, values, met in judge(results):
        shown = 'not measured' if value is None else f'{value:.2f}{unit}'
        of = f'  of {", ".join(f"{v:.2f}" for v in values)}' if len(values) > 1 else ''
        lines.append(f'{"pass" if met else "----" if met is None else "MISS"}  {shown:>12}  {wanted:>8}  {name}{of}')
    return '\n'.join(lines)
