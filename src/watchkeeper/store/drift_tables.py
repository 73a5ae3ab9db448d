"""The control database's tables about drift: looks, findings, accepted references, rounds of canaries."""

from sqlalchemy import JSON, BigInteger, Column, DateTime, Index, Integer, String, Table, Text

from watchkeeper.store.tables import metadata

drift_looks = Table(
    "drift_looks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("feature", String(200), nullable=False),
    Column("window", String(10), nullable=False),
    Column("until", DateTime, nullable=False),
    Column("look", Text, nullable=False),
    Index("drift_looks_feature", "feature"),
)
"""The last look at each group in each window, as JSON."""
drift_findings = Table(
    "drift_findings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("feature", String(200), nullable=False),
    Column("environment", String(100), nullable=False),
    Column("release", String(40), nullable=False),
    Column("target", String(400), nullable=False),
    Column("signal", String(40), nullable=False),
    Column("cause", String(20), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("by", String(200), nullable=False),
    Index("drift_findings_feature", "feature", "id"),
)
"""Only ever added to: that something moved, and that it is over or was accepted. `feature` is empty for a canary's."""
drift_references = Table(
    "drift_references",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("feature", String(200), nullable=False),
    Column("environment", String(100), nullable=False),
    Column("release", String(40), nullable=False),
    Column("target", String(400), nullable=False),
    Column("since", DateTime, nullable=False),
    Column("until", DateTime, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Index("drift_references_feature", "feature", "id"),
)
"""The latest of a group holds."""
canary_rounds = Table(
    "canary_rounds",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("model", String(400), nullable=False),
    Column("prompts", String(64), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("status", String(20), nullable=False),
    Column("round", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("cost_nusd", BigInteger),
    Column("by", String(200), nullable=False),
    Index("canary_rounds_model", "model", "id"),
)
"""Answers and what they came to, as JSON. `cost_nusd` is null where a price is not known."""
canary_references = Table(
    "canary_references",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("model", String(400), nullable=False),
    Column("first_round", Integer, nullable=False),
    Column("at", DateTime, nullable=False),
    Column("by", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Index("canary_references_model", "model", "id"),
)
"""From which round on a model's answers are what it is held to; the latest of a model holds."""
