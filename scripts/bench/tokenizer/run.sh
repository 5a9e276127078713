#!/usr/bin/env bash
# Compares the tokenizer with Hugging Face's `tokenizers` on one core, in one run. Arguments go to compare.py.
# Needs Go and Python 3.9 or newer.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
build=$root/build/bench/tokenizer
mkdir -p "$build"
(cd "$root" && go build -o "$build/tokenizer" ./scripts/bench/tokenizer)
if [[ ! -x $build/venv/bin/python ]] || ! cmp -s requirements.txt "$build/requirements.txt"; then
  "${PYTHON:-python3}" -m venv "$build/venv"
  "$build/venv/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
  cp requirements.txt "$build/requirements.txt"
fi
one_core=()
if command -v taskset >/dev/null; then
  one_core=(taskset --cpu-list 0)
fi
"${one_core[@]}" "$build/venv/bin/python" compare.py "$build/tokenizer" "$@"
