"""How cases stand in each run, for pages; links that show a feature's quality to whoever holds them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the index that a running run is counted by."""
    op.create_index("eval_outcomes_status", "eval_outcomes", ["run", "arm", "status", "case_id"])
    op.create_table(
        "eval_standings",
        sa.Column("run", sa.String(40), primary_key=True),
        sa.Column("case_id", sa.String(400), primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("standing", sa.String(12), nullable=False),
        sa.Column("passed", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("unmeasured", sa.Integer, nullable=False),
        sa.Column("before", sa.String(12), nullable=False),
        sa.Column("is_breach", sa.Boolean, nullable=False),
        sa.Column("scorers", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("eval_standings_place", "eval_standings", ["run", "place", "case_id"])
    op.create_table(
        "share_links",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("revoked_at", sa.DateTime),
        sa.Column("revoked_by", sa.String(200), nullable=False),
    )
    op.create_index("share_links_feature", "share_links", ["feature", "at"])
