#!/usr/bin/env bash
# Makes sure that the browser tests find a Chromium: installs Debian's where that is allowed, else says what to install.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "setup: installing chromium for the browser tests"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -y -q --no-install-recommends chromium; } >.venv/chromium.log 2>&1 && exit 0
  tail -n 3 .venv/chromium.log >&2
fi
echo "setup: the browser tests need Chromium; install it (Debian: apt-get install chromium) and run this again" >&2
exit 1
