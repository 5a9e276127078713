#!/usr/bin/env bash
# Writes the generated tables again. Needs Python 3.11, whose Unicode version is the reference's.
set -euo pipefail
cd "$(dirname "$0")"
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
"${PYTHON:-python3.11}" -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
"$environment/bin/python" tables.py
gofmt -w ../runes/tables_gen.go ../ftfy/tables_gen.go
