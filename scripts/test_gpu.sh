#!/usr/bin/env bash
# Runs the C++ tests that need a GPU (label "gpu" of ctest), then those of the kernels again under compute-sanitizer, for
# memory errors and races, where it is installed. Fails where there is no GPU: then nothing would be tested.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

test=build/csrc/tests/cuda/cuda_gpu_test
[[ -x $test ]] || {
  echo "test-gpu: $test is missing: there was no CUDA compiler when this was built (make deps)" >&2
  exit 1
}
nvidia-smi -L || {
  echo 'test-gpu: there is no GPU on this machine, or no driver' >&2
  exit 1
}
CLIPD_GPU=1 ctest --test-dir build --output-on-failure -L gpu

if ! command -v compute-sanitizer >/dev/null; then
  echo 'test-gpu: compute-sanitizer is not installed: memory errors and races in kernels are not looked for'
  exit 0
fi
# Not the tests that only read files or end a process on purpose.
for tool in memcheck racecheck; do
  compute-sanitizer --tool "$tool" --error-exitcode 1 "$test" --gtest_filter='All/*:One/*'
done
