"""The wheel carries all that the program needs, and runs where nothing of the working copy is."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

ROOT = Path(__file__).parents[2]
UP_WITHIN_S = 120
MODEL = "smollm2-135m"
PACKAGE_DATA = frozenset({".css", ".html", ".ico", ".jinja", ".js", ".mako", ".sql", ".svg", ".typed", ".yaml"})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive of the working copy."""
    folder = tmp_path_factory.mktemp("dist")
    # Where the machine has its own npm, set-up leaves node out, which the build would ask for.
    build = [sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check", "--sdist", "--wheel"]
    done = subprocess.run(
        [*build, "--outdir", str(folder), str(ROOT)], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it. What it requires is lent from this one, so that nothing is downloaded."""
    home = tmp_path_factory.mktemp("clean")
    venv.create(home, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True, timeout=120)
    [packages] = home.glob("lib/python*/site-packages")
    # A folder named in a .pth file is searched last, and the .pth files in it (the editable install's) are not read.
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def test_the_wheel_carries_every_file_of_the_package(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    needed = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src/watchkeeper").rglob("*")
        if path.suffix in PACKAGE_DATA | {".py"}
    }
    assert needed - packed == set()
    assert {"watchkeeper/config/default.yaml", "watchkeeper/config/watchkeeper.schema.json"} <= packed
    assert any(name.startswith("watchkeeper/console/static/vendor/") and name.endswith(".js") for name in packed)


def test_the_source_archive_holds_what_a_wheel_is_built_from(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "package.json", "package-lock.json", "scripts/build_hook.py", "LICENSE"} <= packed
    assert not any(name.startswith(("node_modules", ".venv", "data/")) or "/static/vendor/" in name for name in packed)


def test_the_wheel_runs_in_a_clean_environment_and_a_real_model_answers(clean: Path, tmp_path: Path) -> None:
    where = [str(clean / "bin/python"), "-c", "import watchkeeper; print(watchkeeper.__file__)"]
    assert subprocess.check_output(where, text=True, cwd=tmp_path).startswith(str(clean))
    port, console_port, model_port = _free_ports(3)
    config = tmp_path / "watchkeeper.yaml"
    config.write_text(
        f"providers: {{local: {{base_url: 'http://127.0.0.1:{model_port}/v1', price_list: free}}}}\n"
        f"features: {{playground: {{}}}}\nroutes: {{{MODEL}: {{targets: [local/{MODEL}]}}}}\n"
    )
    up = [str(clean / "bin/watchkeeper"), "up", "--config", str(config), "--data", str(tmp_path / "data")]
    ports = ["--port", str(port), "--console-port", str(console_port)]
    with subprocess.Popen(
        [*up, *ports], stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=_environment()
    ) as process:
        try:
            key = _first_key(process)
            reply = _ask(port, key)
            assert reply["choices"][0]["message"]["content"]
            with urllib.request.urlopen(f"http://127.0.0.1:{console_port}/", timeout=10) as page:
                assert page.status == 200
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
    assert code == 0


def _environment() -> dict[str, str]:
    """Without what would bring the working copy back in."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


def _first_key(process: subprocess.Popen[str]) -> str:
    """Wait for the key that `up` prints once everything runs."""
    lines: Queue[str | None] = Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    Thread(target=read, daemon=True).start()
    for line in _until_end(lines):
        found = re.search(r"sk-wk-\w{12}-\w{40}", line)
        if found:
            return found[0]
    pytest.fail("`watchkeeper up` ended without printing a key")


def _until_end(lines: Queue[str | None]) -> Iterator[str]:
    while (line := lines.get(timeout=UP_WITHIN_S)) is not None:
        yield line


def _ask(port: int, key: str) -> dict[str, list[dict[str, dict[str, str]]]]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer: dict[str, list[dict[str, dict[str, str]]]] = json.load(response)
    return answer
