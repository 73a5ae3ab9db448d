"""nginx as the upstream that costs next to nothing, and as the reverse proxy to compare with."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import machine
from watchkeeper.testing.harness import free_port

_FRAME = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; default_type application/json;
  client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {inside}
}}
"""
_STATIC = "server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{body}'; }} }}"
_PROXY = """
  upstream there {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{
    proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection "";
  }} }}
"""


@contextlib.contextmanager
def static_reply(folder: Path, body: bytes, *, core: int) -> Iterator[int]:
    """Answer every request with one body; yield the port."""
    port = free_port()
    with _running(folder, _STATIC.format(port=port, body=body.decode()), port=port, core=core):
        yield port


@contextlib.contextmanager
def reverse_proxy(folder: Path, upstream_port: int, *, core: int) -> Iterator[int]:
    """Pass every request on over pooled connections; yield the port."""
    port = free_port()
    with _running(folder, _PROXY.format(port=port, upstream=upstream_port), port=port, core=core):
        yield port


@contextlib.contextmanager
def _running(folder: Path, inside: str, *, port: int, core: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_FRAME.format(folder=folder, inside=inside))
    command = [*machine.pinned(core), "nginx", "-e", str(folder / "error.log"), "-c", str(config)]
    process = subprocess.Popen(command)
    try:
        machine.wait_listening(port)
        yield
    finally:
        process.terminate()
        process.wait(10)
