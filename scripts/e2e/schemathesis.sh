#!/usr/bin/env bash
# Holds a running server against its own OpenAPI document: scripts/e2e/schemathesis.sh http://127.0.0.1:51000 [KEY]
# Sends right and wrong requests for every operation and checks statuses, content types, headers and bodies of the answers.
# EXAMPLES bounds the requests of an operation that are drawn by chance (default 30).
set -euo pipefail
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "usage: schemathesis.sh URL [KEY]" >&2
  exit 2
fi
url=${1%/}
key=${2:-}
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
venv=$root/build/schemathesis-venv
uv_version=0.13.9

say() { printf 'schemathesis: %s\n' "$*" >&2; }

find_python() {
  local candidate
  for candidate in python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  say "needs Python 3.11 or newer; found none of python3.13, python3.12, python3.11, python3"
  return 1
}

# The mark of a finished installation is the checksum of what was asked for.
wanted=$(cat schemathesis.txt schemathesis.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat "$venv/.installed" 2>/dev/null || true)" != "$wanted" ]; then
  python=$(find_python)
  say "installing schemathesis and what it needs into build/schemathesis-venv"
  rm -rf "$venv"
  mkdir -p "$root/build"
  "$python" -m venv "$venv" || { say "$python has no venv module: install python3-venv"; exit 1; }
  if "$venv/bin/python" -m pip install -q --disable-pip-version-check "uv==$uv_version" 2>"$venv/uv.log"; then
    "$venv/bin/python" -m uv pip install -q --python "$venv/bin/python" --require-hashes -r schemathesis.txt
  else
    say "uv is not to be had ($(tail -n 1 "$venv/uv.log")); pip takes longer"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r schemathesis.txt
  fi
  printf '%s\n' "$wanted" >"$venv/.installed"
fi

arguments=(run "$url/openapi.json" --no-color --phases "examples,coverage,fuzzing" --max-examples "${EXAMPLES:-30}"
  --request-timeout 30 --wait-for-schema 10)
if [ -n "$key" ]; then
  arguments+=(--header "Authorization: Bearer $key")
fi
# Schemathesis keeps its database of examples in the working folder.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hooks=$PWD
cd "$work"
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$hooks SCHEMATHESIS_HOOKS=schemathesis_hooks "$venv/bin/schemathesis" "${arguments[@]}"
