#!/usr/bin/env bash
# Measures the native CUDA runtime by itself, without a server, on ViT-B/32 with random weights: pictures in batches of
# 256, captions in batches of 512, and one item at a time. DEVICE, DTYPE, LANES and RUNTIME choose others than cuda:0,
# bf16, 2 and cuda.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

model=build/bench/ViT-B-32
[[ -f $model/open_clip_model.safetensors ]] || ./clipd model make ViT-B-32 --random "$model"
measure() {
  ./clipd bench raw --model-path "$model" --runtime "${RUNTIME:-cuda}" --device "${DEVICE:-cuda:0}" \
    --dtype "${DTYPE:-bf16}" --lanes "${LANES:-2}" --warmup 3s --duration 5s --rounds 3 --format table "$@"
}

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader || {
  echo 'bench-gpu: there is no GPU on this machine, or no driver' >&2
  exit 1
}
measure --kind image --batch 1,32,256
measure --kind text --texts caption --batch 32,512 --alone
