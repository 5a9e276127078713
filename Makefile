# clipd: build, test and measure. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BUILD := build
CMAKE_FLAGS ?=
GO_TEST_FLAGS ?= -race

.PHONY: help deps engine native test test-go test-native test-e2e test-gpu lint format bench bench-gpu clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## fetch the native parts, pinned, into build/deps; system packages only where they are missing
	@scripts/deps.sh

native: deps
	@cmake -S . -B $(BUILD) -G Ninja $(CMAKE_FLAGS) >$(BUILD)/cmake.log 2>&1 || { cat $(BUILD)/cmake.log; exit 1; }
	@cmake --build $(BUILD) --target clip_image clip_loader clip_openvino clip_onnxruntime clip_tensorrt clip_gpu

# Go does not see that a library it links has changed; its hash among the flags makes it link again.
# go-nvml binds every function of NVML, also those that its header calls deprecated.
GO_LINKED = CGO_CFLAGS="-O2 -g -Wno-deprecated-declarations -DCLIP_LINKED=$$(cat $(BUILD)/lib/*.a | sha256sum | cut -c1-12)"

engine: native ## build ./clipd and its runtimes
	$(GO_LINKED) go build -o clipd .

test: engine test-native test-go test-e2e ## run every test: C++, Go with the race detector, the real Python client

test-native: native ## C++ tests
	@cmake --build $(BUILD)
	ctest --test-dir $(BUILD) --output-on-failure

test-go: native ## Go tests
	$(GO_LINKED) go test $(GO_TEST_FLAGS) ./...

test-e2e: engine ## the built binary, driven by the real clip_client
	scripts/e2e/run.sh

test-gpu: engine ## the tests that need a GPU: C++, under compute-sanitizer too where it is installed, and Go
	@cmake --build $(BUILD)
	scripts/test_gpu.sh
	CLIPD_GPU=1 $(GO_LINKED) go test -count=1 -v -run 'CUDA|GPU' ./...

lint: native ## gofmt, go vet, staticcheck, clang-format
	$(GO_LINKED) scripts/lint.sh

format: deps ## format Go and C++ in place
	gofmt -w $$(git ls-files '*.go')
	scripts/lint.sh --fix

bench: engine ## measure clipd against the raw runtime (docs/benchmarks.md)
	scripts/bench/served.py

bench-gpu: engine ## measure the native CUDA runtime: pictures, ragged texts, one at a time (docs/gpu.md)
	scripts/bench/gpu.sh

clean: ## remove what was built (build/deps stays; `rm -rf build` removes it too)
	rm -f clipd
	find $(BUILD) -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} + 2>/dev/null || true
