"""The ledger of budgets: accounts, sums, leases, the lives that hold them, rows to be resolved, places in spools."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _make_accounts()
    _make_leases()
    _make_rows()


def _make_accounts() -> None:
    op.create_table(
        "ledger_rules",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("rule", sa.LargeBinary, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
    )
    op.create_table(
        "ledger_accounts",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("unit", sa.String(10), nullable=False),
        sa.Column("refused", sa.BigInteger, nullable=False),
        sa.Column("would_refuse", sa.BigInteger, nullable=False),
        sa.Column("unpriced_calls", sa.BigInteger, nullable=False),
    )
    op.create_index("ledger_accounts_rule", "ledger_accounts", ["rule"])
    op.create_table(
        "ledger_sums",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("bucket_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ledger_positions",
        sa.Column("spool", sa.String(200), primary_key=True),
        sa.Column("segment", sa.String(64), nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
    )


def _make_leases() -> None:
    op.create_table(
        "ledger_leases",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("holder", sa.String(200), primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )
    op.create_index("ledger_leases_holder", "ledger_leases", ["holder"])
    op.create_table(
        "ledger_lives",
        sa.Column("holder", sa.String(200), primary_key=True),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("worker", sa.String(100), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("born", sa.String(40), nullable=False),
    )
    op.create_index("ledger_lives_host", "ledger_lives", ["host"])


def _make_rows() -> None:
    op.create_table(
        "ledger_rows",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.BigInteger),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("noted_at", sa.DateTime, nullable=False),
        sa.Column("closed_at", sa.DateTime),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("ledger_rows_account", "ledger_rows", ["account", "state"])
    op.create_index("ledger_rows_state", "ledger_rows", ["state"])
    expired = sa.text("kind = 'expired'")
    op.create_index(
        "ledger_rows_expired",
        "ledger_rows",
        ["call_id", "account"],
        unique=True,
        sqlite_where=expired,
        postgresql_where=expired,
    )
