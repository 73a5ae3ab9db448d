"""Alerts, what is sent of them and to whom, and what their rules remember."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the four tables."""
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("open_key", sa.String(64), unique=True),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.Column("raised_at", sa.DateTime, nullable=False),
        sa.Column("resolved_at", sa.DateTime),
        sa.Column("resolved_by", sa.String(200), nullable=False),
        sa.Column("resolution", sa.Text, nullable=False),
        sa.Column("feedback", sa.String(20), nullable=False),
    )
    op.create_index("alerts_raised_at", "alerts", ["raised_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("alert_id", sa.String(32), nullable=False),
        sa.Column("event", sa.String(20), nullable=False),
        sa.Column("destination", sa.String(100), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("due_at", sa.DateTime, nullable=False),
        sa.Column("claimed_by", sa.String(64), nullable=False),
        sa.Column("claimed_until", sa.DateTime),
        sa.Column("delivered_at", sa.DateTime),
        sa.Column("answer", sa.Text, nullable=False),
    )
    op.create_index("outbox_due_at", "outbox", ["state", "due_at"])
    op.create_index("outbox_alert_id", "outbox", ["alert_id"])
    op.create_table(
        "destinations_off",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
    )
    op.create_table(
        "alert_marks",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("window_start", sa.DateTime),
        sa.Column("window_end", sa.DateTime),
        sa.Column("passed", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
