"""Runs the scripted upstream for people: `python -m watchkeeper.testing --port 9000`."""

import argparse
import asyncio
import contextlib
import sys

from watchkeeper.testing.catalogue import CATALOGUE
from watchkeeper.testing.upstream import Upstream


async def serve(port: int) -> None:
    """Serve on loopback until cancelled; say where, and which models there are."""
    async with Upstream(port=port) as upstream:
        names = "\n  ".join(CATALOGUE)
        sys.stdout.write(f"{upstream.base_url}\nModels, each with its own behaviour:\n  {names}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """Read the command line and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m watchkeeper.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=9000, help="port to listen on, on loopback; 0 for a free one")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.port))


if __name__ == "__main__":
    main()
