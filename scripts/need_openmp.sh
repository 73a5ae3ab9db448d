#!/usr/bin/env bash
# Makes sure that the bundled model finds the OpenMP runtime it is linked with: most systems have it, a bare one does not.
set -euo pipefail
"$1" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "setup: installing libgomp1 for the bundled model"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -y -q --no-install-recommends libgomp1; } >.venv/libgomp.log 2>&1 && exit 0
  tail -n 3 .venv/libgomp.log >&2
fi
echo "setup: the bundled model needs libgomp.so.1; install it (Debian: apt-get install libgomp1), or use other providers" >&2
