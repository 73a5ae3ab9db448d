"""The control database's tables of what is evaluated without anybody asking; the others are in `store.tables`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from watchkeeper.store.tables import metadata

eval_schedules = Table(
    "eval_schedules",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("feature", String(200), nullable=False),
    Column("content", Text, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("by", String(200), nullable=False),
)
"""Those that people have made; those of the configuration stand there."""
eval_schedule_states = Table(
    "eval_schedule_states",
    metadata,
    Column("schedule", String(200), primary_key=True),
    Column("timing", String(400), nullable=False),
    Column("since", DateTime, nullable=False),
    Column("accepted", String(40), nullable=False),
    Column("accepted_at", DateTime),
    Column("accepted_by", String(200), nullable=False),
)
"""`since`: what was due until then is claimed, or was before anybody knew of it. `timing`: its cron and its zone."""
eval_firings = Table(
    "eval_firings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("schedule", String(200), nullable=False),
    Column("due_at", DateTime, nullable=False),
    Column("status", String(12), nullable=False),
    Column("run", String(40), nullable=False),
    Column("suite_id", String(40), nullable=False),
    Column("holder", String(200), nullable=False),
    Column("held_until", DateTime, nullable=False),
    Column("child", String(100), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("result", String(20), nullable=False),
    Column("facts", JSON),
    Column("by", String(200), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("ended_at", DateTime),
    UniqueConstraint("schedule", "due_at"),
    Index("eval_firings_status", "status"),
)
"""One time that a schedule was due. `child`: number and birth of the process that runs it."""
eval_online = Table(
    "eval_online",
    metadata,
    Column("rule", String(200), primary_key=True),
    Column("cursor_us", BigInteger, nullable=False),
    Column("cursor_id", String(26), nullable=False),
    Column("holder", String(200), nullable=False),
    Column("held_until", DateTime, nullable=False),
)
"""How far the calls of a rule have been looked at, and which keeper does."""
