"""Roles of users, scopes of API tokens, users from elsewhere, and the feature that a change belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the columns; whoever could do everything still can."""
    op.create_table(
        "grants",
        sa.Column("user_name", sa.String(100), primary_key=True),
        sa.Column("role", sa.String(20), primary_key=True),
        sa.Column("feature", sa.String(200), primary_key=True),
        sa.Column("origin", sa.String(10), primary_key=True),
        sa.Column("granted_at", sa.DateTime, nullable=False),
        sa.Column("granted_by", sa.String(200), nullable=False),
    )
    op.execute(
        "INSERT INTO grants (user_name, role, feature, origin, granted_at, granted_by) "
        "SELECT name, 'admin', '*', 'local', created_at, 'migration' FROM users"
    )
    op.add_column("users", sa.Column("origin", sa.String(10), nullable=False, server_default="local"))
    op.add_column("users", sa.Column("identity", sa.Text, nullable=True))
    op.create_index("users_identity", "users", ["identity"], unique=True)
    op.add_column("api_tokens", sa.Column("scopes", sa.JSON, nullable=False, server_default='["*"]'))
    op.add_column("api_tokens", sa.Column("features", sa.JSON, nullable=False, server_default='["*"]'))
    op.add_column("api_tokens", sa.Column("expires_at", sa.DateTime, nullable=True))
    op.add_column("changes", sa.Column("feature", sa.String(200), nullable=False, server_default=""))
    op.add_column("changes", sa.Column("once", sa.String(64), nullable=True))
    op.create_index("changes_once", "changes", ["once"], unique=True)
    op.create_index("changes_kind", "changes", ["kind", "at"])
