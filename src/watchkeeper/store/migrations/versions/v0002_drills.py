"""Faults that are injected for drills, and purges of the answer cache."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "faults",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("route", sa.String(400), nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("target", sa.String(400), nullable=False),
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("after", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("started_by", sa.String(200), nullable=False),
        sa.Column("ends_at", sa.DateTime, nullable=False),
        sa.Column("stopped_by", sa.String(200), nullable=False),
    )
    op.create_index("faults_ends_at", "faults", ["ends_at"])
    op.create_table(
        "cache_purges",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("before_ns", sa.BigInteger, nullable=False),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("release", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
    )
    op.create_index("cache_purges_before_ns", "cache_purges", ["before_ns"])
