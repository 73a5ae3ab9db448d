"""Schedules of suites, the times that they were due, and how far online evaluation has come."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _schedules()
    _firings()
    op.create_table(
        "eval_online",
        sa.Column("rule", sa.String(200), primary_key=True),
        sa.Column("cursor_us", sa.BigInteger, nullable=False),
        sa.Column("cursor_id", sa.String(26), nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("held_until", sa.DateTime, nullable=False),
    )


def _schedules() -> None:
    op.create_table(
        "eval_schedules",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
    )
    op.create_table(
        "eval_schedule_states",
        sa.Column("schedule", sa.String(200), primary_key=True),
        sa.Column("timing", sa.String(400), nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("accepted", sa.String(40), nullable=False),
        sa.Column("accepted_at", sa.DateTime),
        sa.Column("accepted_by", sa.String(200), nullable=False),
    )


def _firings() -> None:
    op.create_table(
        "eval_firings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("schedule", sa.String(200), nullable=False),
        sa.Column("due_at", sa.DateTime, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("run", sa.String(40), nullable=False),
        sa.Column("suite_id", sa.String(40), nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("held_until", sa.DateTime, nullable=False),
        sa.Column("child", sa.String(100), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("result", sa.String(20), nullable=False),
        sa.Column("facts", sa.JSON),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("ended_at", sa.DateTime),
        sa.UniqueConstraint("schedule", "due_at"),
    )
    op.create_index("eval_firings_status", "eval_firings", ["status"])
