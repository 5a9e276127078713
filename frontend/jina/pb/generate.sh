#!/usr/bin/env bash
# Generates the Go code of Jina's protocol from its FileDescriptorSet (jina.binpb, imports included).
# Needs protoc, and protoc-gen-go v1.36.12 and protoc-gen-go-grpc v1.6.1 on the PATH.
set -euo pipefail
cd "$(dirname "$0")"
opts=module=clipd/frontend/jina/pb
for f in jina docarray; do opts+=",M$f.proto=clipd/frontend/jina/pb;pb"; done
protoc --descriptor_set_in=jina.binpb --go_out=. --go_opt="$opts" --go-grpc_out=. --go-grpc_opt="$opts" \
  jina.proto docarray.proto
gofmt -w ./*.pb.go
