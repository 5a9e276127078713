#!/usr/bin/env bash
# End the Python server: its whole process group, for its gateway outlives its executor.
set -euo pipefail
peers=$(cd "$(dirname "$0")/../../.." && pwd)/build/peers
[ -e "$peers/server.pid" ] || exit 0
group=$(cat "$peers/server.pid")
kill -TERM -- "-$group" 2>/dev/null || true
for _ in $(seq 50); do
  kill -0 -- "-$group" 2>/dev/null || break
  sleep 0.2
done
kill -KILL -- "-$group" 2>/dev/null || true
rm -f "$peers/server.pid"
