"""Tables behind the pages about evaluation, declared as those in `store.tables`."""

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, String, Table, Text

from watchkeeper.store.tables import metadata

eval_standings = Table(
    "eval_standings",
    metadata,
    Column("run", String(40), primary_key=True),
    Column("case_id", String(400), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("standing", String(12), nullable=False),
    Column("passed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("unmeasured", Integer, nullable=False),
    Column("before", String(12), nullable=False),
    Column("is_breach", Boolean, nullable=False),
    Column("scorers", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("eval_standings_place", "run", "place", "case_id"),
)
"""What `eval_outcomes` come to, a row for each case of a run that has ended. `place` orders them, failing ones first;
`scorers` (those that an answer did not pass) and `tags` are JSON lists."""
share_links = Table(
    "share_links",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("feature", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("by", String(200), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
    Column("revoked_by", String(200), nullable=False),
    Index("share_links_feature", "feature", "at"),
)
