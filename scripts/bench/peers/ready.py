#!/usr/bin/env python3
"""Exit status 0 when the server on the given port says that its executor is ready."""
import sys

import grpc

with grpc.insecure_channel(f'127.0.0.1:{sys.argv[1]}') as channel:
    dry_run = channel.unary_unary('/jina.JinaGatewayDryRunRPC/dry_run')
    try:
        # an empty google.protobuf.Empty; an empty StatusProto means ready
        sys.exit(len(dry_run(b'', timeout=5)) != 0)
    except grpc.RpcError:
        sys.exit(1)
