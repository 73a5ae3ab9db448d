"""What the supervisor tells the processes that it starts; apart from them, since it needs nothing else of theirs."""

import msgspec


class KeeperOptions(msgspec.Struct, frozen=True):
    """How the supervisor starts the keeper; passed as JSON in its first argument."""

    data: str
    config: str
    host: str
    console_port: int
    gateway_port: int


class WorkerOptions(msgspec.Struct, frozen=True):
    """How the supervisor starts a worker; passed as JSON in its first argument."""

    data: str
    name: str
    host: str
    port: int
    records: bool = True
    """Off only in benchmarks: nothing is written down."""
