"""CLIP's byte-pair encoding with a shortened vocabulary.

Of CLIP's merges file only the first `vocab_size - 514` merges are used. Ids: 256 byte symbols, the
same 256 with </w>, one for each merge in the order of the file, then the start and the end marker.
The text cleaning here is what lower-case ASCII needs; the server's tokenizer does all of CLIP's.
"""
import gzip
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
MERGES = ROOT / 'engine/tokenizer/bpe_simple_vocab_16e6.txt.gz'
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")


def byte_symbols():
    """the printable character that stands for each byte, in the order of the ids"""
    visible = [*range(ord('!'), ord('~') + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [b for b in range(256) if b not in visible]
    return {b: chr(b) for b in visible} | {b: chr(256 + i) for i, b in enumerate(hidden)}


class Tokenizer:
    def __init__(self, merges_file, vocab_size, context_length):
        lines = gzip.open(merges_file, 'rt', encoding='utf-8').read().split('\n')
        merges = [tuple(line.split()) for line in lines[1:1 + vocab_size - 514]]
        self.rank = {pair: i for i, pair in enumerate(merges)}
        self.bytes = byte_symbols()
        symbols = list(self.bytes.values())
        symbols += [s + '</w>' for s in symbols] + [a + b for a, b in merges]
        self.ids = {s: i for i, s in enumerate(symbols)}
        self.start, self.end = vocab_size - 2, vocab_size - 1
        assert len(symbols) == self.start
        self.context_length = context_length
        self.known = {}  # piece -> ids

    def _piece(self, text):
        word = [self.bytes[b] for b in text.encode()]
        word[-1] += '</w>'
        while len(word) > 1:
            best = min(zip(word, word[1:]), key=lambda pair: self.rank.get(pair, len(self.rank)))
            if best not in self.rank:
                break
            merged, i = [], 0
            while i < len(word):
                if tuple(word[i:i + 2]) == best:
                    merged.append(word[i] + word[i + 1])
                    i += 2
                else:
                    merged.append(word[i])
                    i += 1
            word = merged
        return tuple(self.ids[s] for s in word)

    def encode(self, text):
        """ids from the start to the end marker, cut to context_length with the end marker kept"""
        assert text.isascii(), text
        ids = [self.start]
        for piece in SPLIT.findall(text.lower()):
            if piece not in self.known:
                self.known[piece] = self._piece(piece)
            ids.extend(self.known[piece])
        return ids[:self.context_length - 1] + [self.end]
