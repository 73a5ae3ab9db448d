"""What was seen of drift: looks, findings, accepted references; rounds of canaries."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _drift()
    _canaries()


def _drift() -> None:
    op.create_table(
        "drift_looks",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("window", sa.String(10), nullable=False),
        sa.Column("until", sa.DateTime, nullable=False),
        sa.Column("look", sa.Text, nullable=False),
    )
    op.create_index("drift_looks_feature", "drift_looks", ["feature"])
    op.create_table(
        "drift_findings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("release", sa.String(40), nullable=False),
        sa.Column("target", sa.String(400), nullable=False),
        sa.Column("signal", sa.String(40), nullable=False),
        sa.Column("cause", sa.String(20), nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
    )
    op.create_index("drift_findings_feature", "drift_findings", ["feature", "id"])
    op.create_table(
        "drift_references",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("release", sa.String(40), nullable=False),
        sa.Column("target", sa.String(400), nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("until", sa.DateTime, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("drift_references_feature", "drift_references", ["feature", "id"])


def _canaries() -> None:
    op.create_table(
        "canary_rounds",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("model", sa.String(400), nullable=False),
        sa.Column("prompts", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("round", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("cost_nusd", sa.BigInteger),
        sa.Column("by", sa.String(200), nullable=False),
    )
    op.create_index("canary_rounds_model", "canary_rounds", ["model", "id"])
    op.create_table(
        "canary_references",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("model", sa.String(400), nullable=False),
        sa.Column("first_round", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("canary_references_model", "canary_references", ["model", "id"])
