#!/usr/bin/env bash
# Compares preprocessing of JPEGs, from bytes to 224 × 224 pixels, with Pillow and with libjpeg-turbo's bare decoding of
# the whole picture: one core, processor time (other work on the machine hardly disturbs it), medians of several rounds
# taken in turn. Needs `make native` and uv or Python's venv.
# CORE and ROUNDS may be set in the environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
here=scripts/bench/preprocess
work=${WORK:-build/bench/preprocess}
mkdir -p "$work"

if [[ ! -x $work/venv/bin/python ]]; then
  if command -v uv >/dev/null; then
    uv venv -q "$work/venv"
    uv pip install -q --python "$work/venv/bin/python" -r $here/requirements.txt
  else
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install -q -r $here/requirements.txt
  fi
fi
"$work/venv/bin/python" $here/make_pictures.py "$work"
c++ -O2 -std=c++20 $here/bare_decode.cc -o "$work/bare_decode" -ljpeg
# The hash makes Go link again when the library changed, as in the Makefile.
CGO_CFLAGS="-O2 -g -DCLIP_LINKED=$(cat build/lib/*.a | sha256sum | cut -c1-12)" go build -o "$work/clipd" ./$here/clipd
"$work/venv/bin/python" $here/compare.py "${CORE:-0}" "${ROUNDS:-7}" "$work" "$work/bare_decode" "$work/clipd"
