"""Suites, their runs, and what came of each case."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _suites()
    _runs()


def _suites() -> None:
    op.create_table(
        "eval_suites",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("cases", sa.Integer, nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
    )
    op.create_index("eval_suites_name", "eval_suites", ["feature", "name", "number"])
    op.create_table(
        "eval_suite_heads",
        sa.Column("feature", sa.String(200), primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("suite", sa.String(40), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "eval_runs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("suite_id", sa.String(40), nullable=False),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("suite", sa.String(200), nullable=False),
        sa.Column("candidate", sa.String(200), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("result", sa.String(20), nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("decision", sa.Text),
        sa.Column("counts", sa.JSON),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("ended_at", sa.DateTime),
        sa.Column("by", sa.String(200), nullable=False),
    )
    op.create_index("eval_runs_suite", "eval_runs", ["feature", "suite", "started_at"])
    op.create_index("eval_runs_started", "eval_runs", ["started_at"])
    op.create_table(
        "eval_outcomes",
        sa.Column("run", sa.String(40), primary_key=True),
        sa.Column("arm", sa.String(400), primary_key=True),
        sa.Column("case_id", sa.String(400), primary_key=True),
        sa.Column("repeat", sa.Integer, primary_key=True),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("latency_ms", sa.Float),
        sa.Column("cost_nusd", sa.BigInteger),
        sa.Column("ask", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
    )
    op.create_index("eval_outcomes_ask", "eval_outcomes", ["ask", "at"])
