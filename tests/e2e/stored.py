"""How often each call stands in the store of a data folder nobody runs on: `python -m tests.e2e.stored FOLDER`.

A process of its own, because the embedded store can be opened only once in a process.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import clickhouse_connect

TABLES = {"calls": "id", "attempts": "call_id", "bodies": "call_id"}


def stored(data: Path) -> dict[str, dict[str, int]]:
    """Return, for each table, how many rows each call id has."""
    command = [sys.executable, "-m", "tests.e2e.stored", str(data / "analytics")]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, cwd=Path(__file__).parents[2])
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    client = clickhouse_connect.get_client(dsn=f"chdb://{sys.argv[1]}")
    counts: dict[str, dict[Any, Any]] = {
        table: dict(client.query(f"SELECT {column}, count() FROM {table} GROUP BY {column}").result_rows)  # type: ignore[arg-type]
        for table, column in TABLES.items()
    }
    json.dump(counts, sys.stdout)
