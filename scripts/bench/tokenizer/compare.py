"""Compares the speed of clipd's tokenizer with Hugging Face's `tokenizers` (Rust) on one core.

Both encode the captions of the golden set, in turn, for several rounds. Hugging Face's is CLIP's, built from the same
merges: normalizer NFC, white space, lower case; split pattern; byte-level BPE; markers; cut to 77. It does not do the
repairs of ftfy and the HTML unescaping that clipd does on top. Its fastest way in is taken: encode_batch_fast.
"""

import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402

PACKAGE = pathlib.Path(__file__).resolve().parents[3] / "engine" / "tokenizer"
CAPTIONS = slice(756, 1176)  # lines of the golden file
MERGES = 48894
START, END = "<|startoftext|>", "<|endoftext|>"
PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""


def hugging_face_clip():
    """The tokenizer that transformers makes for CLIP."""
    lines = gzip.decompress((PACKAGE / "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 1 + MERGES]]
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    symbols = [chr(b) for b in printable] + [chr(0x100 + i) for i in range(256 - len(printable))]
    names = symbols + [s + "</w>" for s in symbols] + ["".join(m) for m in merges] + [START, END]
    vocab = {name: i for i, name in enumerate(names)}
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocab,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
            fuse_unk=False,
            unk_token=END,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.post_processor = processors.RobertaProcessing(
        sep=(END, vocab[END]), cls_token=(START, vocab[START]), add_prefix_space=False, trim_offsets=False
    )
    tokenizer.enable_truncation(77)
    return tokenizer


def measure(encode_batch, texts, seconds):
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        encode_batch(texts)
        done += len(texts)
    return done / (time.perf_counter() - start)


class Clipd:
    """The Go program beside this file, which measures when told to."""

    def __init__(self, program, texts):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as file:
            file.writelines(json.dumps(text) + "\n" for text in texts)
        self.file = file.name
        self.process = subprocess.Popen([program, file.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ids = [self.answer() for _ in texts]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("compare: the Go program ended early")
        return json.loads(line)

    def measure(self, seconds):
        print(seconds, file=self.process.stdin, flush=True)
        return self.answer()["texts_per_second"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        os.unlink(self.file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the Go program of this folder, built")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a round (default %(default)s)")
    options = parser.parse_args()

    golden = gzip.decompress((PACKAGE / "testdata" / "strings.jsonl.gz").read_bytes()).decode().splitlines()
    texts = [json.loads(line)["text"] for line in golden[CAPTIONS]]
    theirs, ours = hugging_face_clip(), Clipd(options.program, texts)
    same = sum(a.ids == b for a, b in zip(theirs.encode_batch(texts), ours.ids))
    print(f"{len(texts)} captions, {sum(map(len, ours.ids)) / len(texts):.1f} ids each; {same} give equal ids in both")
    print(f"{'round':>6} {'clipd':>12} {'tokenizers':>12} {'ratio':>7}   texts a second, one core")
    rates = []
    for number in range(1, options.rounds + 1):
        rate = (ours.measure(options.seconds), measure(theirs.encode_batch_fast, texts, options.seconds))
        rates.append(rate)
        print(f"{number:>6} {rate[0]:>12,.0f} {rate[1]:>12,.0f} {rate[0] / rate[1]:>7.1f}")
    ours.close()
    medians = [statistics.median(column) for column in zip(*rates)]
    ratio = statistics.median(a / b for a, b in rates)
    print(f"{'median':>6} {medians[0]:>12,.0f} {medians[1]:>12,.0f} {ratio:>7.1f}")
    if ratio < 1:
        sys.exit("compare: clipd's tokenizer is slower")


if __name__ == "__main__":
    main()
