#!/usr/bin/env bash
# Makes sure that the browser tests find a Chromium, and the library that the program which drives it is linked with:
# installs Debian's where that is allowed, else says what to install.
set -euo pipefail
missing=()
found=
for name in chromium chromium-browser google-chrome; do command -v "$name" >/dev/null && found=$name; done
[ -n "$found" ] || missing+=(chromium)
"$1" -c 'import ctypes; ctypes.CDLL("libatomic.so.1")' 2>/dev/null || missing+=(libatomic1)
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "setup: installing ${missing[*]} for the browser tests"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >.venv/chromium.log 2>&1 && exit 0
  tail -n 3 .venv/chromium.log >&2
fi
echo "setup: the browser tests need ${missing[*]}; install them (Debian: apt-get install ${missing[*]}) and run this again" >&2
exit 1
