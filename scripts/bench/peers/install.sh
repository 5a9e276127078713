#!/usr/bin/env bash
# Install the Python server (clip_server 0.8.3) into build/peers/venv. PyTorch alone takes about 5 GB there.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
venv=$root/build/peers/venv
uv_version=0.13.9

wanted=$(cat requirements.txt install.sh | sha256sum | cut -d' ' -f1)
[ "$(cat "$venv/.installed" 2>/dev/null || true)" = "$wanted" ] && exit 0
python=$(command -v python3.11 || command -v python3)
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
  echo "peers: needs Python 3.11 (requirements.txt is pinned for it); $python is another version" >&2
  exit 1
}
echo "peers: installing clip_server 0.8.3 into build/peers/venv" >&2
rm -rf "$venv"
mkdir -p "$root/build/peers"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check "uv==$uv_version"
"$venv/bin/python" -m uv pip install -q --python "$venv/bin/python" -r requirements.txt
printf '%s\n' "$wanted" >"$venv/.installed"
