"""Releases, what is live where and was, reviews, freezes, gates and rollouts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _releases()
    _environments()
    _reviews()
    _rollouts()


def _releases() -> None:
    op.create_table(
        "releases",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("recipe", sa.Text, nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("parent", sa.String(40), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
    )
    op.create_index("releases_feature", "releases", ["feature", "number"])
    op.create_table(
        "release_heads",
        sa.Column("feature", sa.String(200), primary_key=True),
        sa.Column("release", sa.String(40), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
    )
    op.create_table(
        "blocks",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
    )
    op.create_index("blocks_name", "blocks", ["name", "at"])


def _environments() -> None:
    op.create_table(
        "environment_history",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("release", sa.String(40), nullable=False),
        sa.Column("rollout", sa.JSON),
        sa.Column("effective_at", sa.DateTime, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("review", sa.Integer),
        sa.Column("eval_run", sa.String(100), nullable=False),
    )
    op.create_index(
        "environment_history_number", "environment_history", ["feature", "environment", "number"], unique=True
    )
    op.create_index("environment_history_effective", "environment_history", ["feature", "environment", "effective_at"])
    op.create_table(
        "freezes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ended_at", sa.DateTime),
        sa.Column("ended_by", sa.String(200), nullable=False),
    )
    op.create_index("freezes_ended_at", "freezes", ["ended_at"])
    op.create_table(
        "gate_results",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("release", sa.String(40), nullable=False),
        sa.Column("gate", sa.String(200), nullable=False),
        sa.Column("run", sa.String(100), nullable=False),
        sa.Column("has_passed", sa.Boolean, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
    )
    op.create_index("gate_results_release", "gate_results", ["release", "gate"])


def _reviews() -> None:
    op.create_table(
        "review_requests",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("release", sa.String(40), nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("requested_by", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("closed_at", sa.DateTime),
    )
    op.create_index("review_requests_feature", "review_requests", ["feature", "environment", "state"])
    op.create_table(
        "review_votes",
        sa.Column("request", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("by", sa.String(200), primary_key=True),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
    )


def _rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("baseline", sa.String(40), nullable=False),
        sa.Column("arms", sa.JSON, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("step_at", sa.DateTime, nullable=False),
        sa.Column("standing", sa.Integer, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("started_by", sa.String(200), nullable=False),
        sa.Column("ended_at", sa.DateTime),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("rollouts_state", "rollouts", ["state"])
    op.create_index("rollouts_feature", "rollouts", ["feature", "environment", "started_at"])
    op.create_table(
        "rollout_looks",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("rollout", sa.String(40), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("decision", sa.String(20), nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
    )
    op.create_index("rollout_looks_rollout", "rollout_looks", ["rollout", "id"])
