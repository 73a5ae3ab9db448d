"""What people say of answers: queues, the items that were drawn for them, and every word."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "label_queues",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("feature", sa.String(200), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("run", sa.String(100), nullable=False),
        sa.Column("scorer", sa.String(200), nullable=False),
        sa.Column("rubric", sa.Text, nullable=False),
        sa.Column("scale", sa.String(20), nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("population", sa.Integer, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
    )
    op.create_index("label_queues_feature", "label_queues", ["feature"])
    op.create_index("label_queues_run", "label_queues", ["run", "scorer"])
    op.create_table(
        "label_items",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("queue", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("arm", sa.String(200), nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("repeat", sa.Integer, nullable=False),
        sa.Column("call", sa.String(40), nullable=False),
        sa.Column("shown", sa.JSON(none_as_null=True)),
        sa.Column("mark", sa.Float),
        sa.Column("has_passed", sa.Boolean),
        sa.Column("is_torn", sa.Boolean),
        sa.Column("judge", sa.String(200), nullable=False),
        sa.Column("stratum", sa.String(250), nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("gold", sa.Float),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("leased_by", sa.String(200), nullable=False),
        sa.Column("leased_until", sa.DateTime),
    )
    op.create_index("label_items_queue", "label_items", ["queue", "number"], unique=True)
    op.create_index("label_items_judge", "label_items", ["judge", "state"])
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("queue", sa.Integer, nullable=False),
        sa.Column("item", sa.Integer, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("said", sa.String(20), nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("undoes", sa.Integer),
    )
    op.create_index("labels_item", "labels", ["item", "id"])
    op.create_index("labels_by", "labels", ["queue", "by", "id"])
    op.create_index("labels_undoes", "labels", ["undoes"], unique=True)
