#!/usr/bin/env bash
# Start the Python server with the weights of a clipd checkpoint and wait until it answers.
#
#   start.sh [CHECKPOINT_FOLDER]     default: build/peers/ViT-B-32, made with random weights by ./clipd
#
# PEER_PORT (51900) is the gRPC port; stop.sh ends the server.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=$(cd "$here/../../.." && pwd)/build/peers
checkpoint=${1:-$peers/ViT-B-32}
export PEER_PORT=${PEER_PORT:-51900} PEER_PAIR=$peers/pair/$(basename "$checkpoint")
python=$peers/venv/bin/python

if [ -e "$peers/server.pid" ]; then
  echo "peers: a server is there already (process group $(cat "$peers/server.pid")); run $here/stop.sh first" >&2
  exit 1
fi
"$here/install.sh"
if [ ! -e "$checkpoint" ]; then
  "$here/../../../clipd" model make ViT-B-32 --random "$checkpoint"
fi
if [ ! -e "$PEER_PAIR/visual.onnx" ] || [ "$PEER_PAIR" -ot "$checkpoint" ]; then
  "$python" -W ignore "$here/make_pair.py" "$checkpoint" "$PEER_PAIR"
fi

# A session of its own: the server's executor and gateway are processes of one group, ended together.
NO_VERSION_CHECK=1 JINA_OPTOUT_TELEMETRY=1 setsid "$python" -W ignore -m clip_server "$here/flow.yml" >"$peers/server.log" 2>&1 </dev/null &
echo $! >"$peers/server.pid"

for _ in $(seq 180); do
  if ! kill -0 "$(cat "$peers/server.pid")" 2>/dev/null; then
    rm -f "$peers/server.pid"
    tail -n 30 "$peers/server.log" >&2
    echo "peers: the server ended; its log is $peers/server.log" >&2
    exit 1
  fi
  if "$python" -W ignore "$here/ready.py" "$PEER_PORT" 2>/dev/null; then
    echo "grpc://127.0.0.1:$PEER_PORT"
    exit 0
  fi
  sleep 1
done
"$here/stop.sh"
echo "peers: the server was not ready after 180 tries; its log is $peers/server.log" >&2
exit 1
