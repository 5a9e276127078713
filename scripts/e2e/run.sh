#!/usr/bin/env bash
# End-to-end test: the built ./clipd, driven by the real Python clip_client.
# Arguments go to main.py, e.g. `scripts/e2e/run.sh --only retrieval`. CLIPD names another binary.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
venv=$root/build/e2e-venv
uv_version=0.13.9

say() { printf 'e2e: %s\n' "$*" >&2; }

# The client's grpcio 1.57 has binary packages for Python 3.10 and 3.11 only.
find_python() {
  local candidate
  for candidate in python3.11 python3.10 python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  say "needs Python 3.10 or 3.11 (the client's grpcio 1.57 has no packages for others); found none of python3.11, python3.10, python3"
  return 1
}

# The mark of a finished installation is the checksum of what was asked for.
wanted=$(cat requirements.txt run.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat "$venv/.installed" 2>/dev/null || true)" != "$wanted" ]; then
  python=$(find_python)
  say "installing clip_client and what it needs into build/e2e-venv"
  rm -rf "$venv"
  mkdir -p "$root/build"
  "$python" -m venv "$venv" || { say "$python has no venv module: install python3-venv"; exit 1; }
  if "$venv/bin/python" -m pip install -q --disable-pip-version-check "uv==$uv_version" 2>"$venv/uv.log"; then
    "$venv/bin/python" -m uv pip install -q --python "$venv/bin/python" --require-hashes -r requirements.txt
  else
    say "uv is not to be had ($(tail -n 1 "$venv/uv.log")); pip takes longer"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
  fi
  printf '%s\n' "$wanted" >"$venv/.installed"
fi

clipd=${CLIPD:-$root/clipd}
if [ ! -x "$clipd" ]; then
  say "there is no $clipd: run \`make engine\` first"
  exit 1
fi
CLIPD=$clipd PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" -W ignore main.py "$@"
