#!/usr/bin/env bash
# Install a peer, pinned, into a virtual environment below build/peers. PyTorch alone takes about 5 GB.
#
#   install.sh clip_server|infinity
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
uv_version=0.13.9
case ${1:?usage: install.sh clip_server|infinity} in
  clip_server) venv=$root/build/peers/venv requirements=requirements.txt ;;
  infinity) venv=$root/build/peers/infinity requirements=infinity.txt ;;
  *)
    echo "peers: $1 is not clip_server or infinity" >&2
    exit 1
    ;;
esac

wanted=$(cat "$requirements" | sha256sum | cut -d' ' -f1)
[ "$(cat "$venv/.installed" 2>/dev/null || true)" = "$wanted" ] && exit 0
python=$(command -v python3.11 || command -v python3)
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
  echo "peers: needs Python 3.11 ($requirements is pinned for it); $python is another version" >&2
  exit 1
}
echo "peers: installing $1 into $venv" >&2
rm -rf "$venv"
mkdir -p "$root/build/peers"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check "uv==$uv_version"
"$venv/bin/python" -m uv pip install -q --python "$venv/bin/python" -r "$requirements"
printf '%s\n' "$wanted" >"$venv/.installed"
