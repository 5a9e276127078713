#!/usr/bin/env bash
# Start a peer with the weights of a clipd checkpoint, wait until it answers and print its address.
#
#   start.sh PEER [CHECKPOINT_FOLDER]
#
# PEER is onnx, onnx-batching, torch, torch-batching (clip_server with each executor, alone or with jina's
# uses_dynamic_batching) or infinity. The checkpoint is build/bench/ViT-B-32 by default, made with random weights by
# ./clipd. PEER_PORT (51900) is the port; stop.sh ends the server.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
peers=$root/build/peers
peer=${1:?usage: start.sh onnx|onnx-batching|torch|torch-batching|infinity [CHECKPOINT_FOLDER]}
checkpoint=${2:-$root/build/bench/ViT-B-32}
name=$(basename "$checkpoint")
cores=$(nproc)
export PEER_PORT=${PEER_PORT:-51900} PEER_PAIR=$peers/pair/$name PEER_TORCH=$peers/torch/$name.pt
export NO_VERSION_CHECK=1 JINA_OPTOUT_TELEMETRY=1 HF_HUB_OFFLINE=1 DO_NOT_TRACK=1 INFINITY_ANONYMOUS_USAGE_STATS=0

if [ -e "$peers/server.pid" ]; then
  echo "peers: a server is there already (process group $(cat "$peers/server.pid")); run $here/stop.sh first" >&2
  exit 1
fi
if [ ! -e "$checkpoint" ]; then
  "${CLIPD:-$root/clipd}" model make ViT-B-32 --random "$checkpoint" >&2
fi

stale() { [ ! -e "$1" ] || [ "$1" -ot "$checkpoint" ]; }
python=$peers/venv/bin/python
url=grpc://127.0.0.1:$PEER_PORT
case $peer in
  onnx | onnx-batching)
    "$here/install.sh" clip_server
    if stale "$PEER_PAIR/visual.onnx"; then "$python" -W ignore "$here/make_pair.py" "$checkpoint" "$PEER_PAIR" >&2; fi
    ;;
  torch | torch-batching)
    "$here/install.sh" clip_server
    if stale "$PEER_TORCH"; then "$python" -W ignore "$here/make_torch.py" "$checkpoint" "$PEER_TORCH" >&2; fi
    ;;
  infinity)
    "$here/install.sh" infinity
    folder=$peers/hf/$name
    if stale "$folder/tokenizer_config.json"; then
      "$peers/infinity/bin/python" -W ignore "$here/make_hf.py" "$checkpoint" "$root/engine/tokenizer/bpe_simple_vocab_16e6.txt.gz" "$folder" >&2
    fi
    url=http://127.0.0.1:$PEER_PORT/embeddings
    ;;
  *)
    echo "peers: $peer is not onnx, onnx-batching, torch, torch-batching or infinity" >&2
    exit 1
    ;;
esac

# A session of its own: the processes of a server are one group, ended together. What is set here was the fastest of what
# README.md lists.
cd "$here"
if [ "$peer" = infinity ]; then
  setsid "$peers/infinity/bin/infinity_emb" v2 --model-id "$folder" --served-model-name clip --device cpu --engine torch --dtype "${PEER_DTYPE:-float32}" \
    --batch-size "${PEER_BATCH:-32}" --no-bettertransformer --no-model-warmup --port "$PEER_PORT" >"$peers/server.log" 2>&1 </dev/null &
else
  OMP_NUM_THREADS=${PEER_THREADS:-$cores} setsid "$python" -W ignore -m clip_server "${PEER_FLOW:-$here/$peer.yml}" >"$peers/server.log" 2>&1 </dev/null &
fi
echo $! >"$peers/server.pid"

ready() {
  if [ "$peer" = infinity ]; then
    curl -sf -o /dev/null "http://127.0.0.1:$PEER_PORT/health"
  else
    "$python" -W ignore "$here/ready.py" "$PEER_PORT" 2>/dev/null
  fi
}
for _ in $(seq 180); do
  if ! kill -0 "$(cat "$peers/server.pid")" 2>/dev/null; then
    rm -f "$peers/server.pid"
    tail -n 30 "$peers/server.log" >&2
    echo "peers: the server ended; its log is $peers/server.log" >&2
    exit 1
  fi
  if ready; then
    echo "$url"
    exit 0
  fi
  sleep 1
done
"$here/stop.sh"
echo "peers: the server was not ready after 180 tries; its log is $peers/server.log" >&2
exit 1
