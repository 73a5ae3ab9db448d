"""The control database's tables. Times are UTC without a zone, the same on SQLite and PostgreSQL."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

REVISION = "0005"
"""The migration after which the tables are as they are declared here: a database that has it needs no other."""

metadata = MetaData()

keys = Table(
    "keys",
    metadata,
    Column("public_id", String(32), primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("name", String(200), nullable=False),
    Column("feature", String(200), nullable=False),
    Column("tenant", String(200), nullable=False),
    Column("environment", String(100), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("expires_at", DateTime),
    Column("revoked_at", DateTime),
    Column("replaced_by", String(32)),
)
users = Table(
    "users",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("is_disabled", Boolean, nullable=False),
)
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_name", String(100), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
)
links = Table(
    "links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    Column("used_at", DateTime),
)
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("revoked_at", DateTime),
)
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("kind", String(50), nullable=False),
    Column("summary", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Index("changes_at", "at"),
)
faults = Table(
    "faults",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(50), nullable=False),
    Column("route", String(400), nullable=False),
    Column("share", Float, nullable=False),
    Column("target", String(400), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("tenant", String(200), nullable=False),
    Column("after", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("status", Integer, nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("started_by", String(200), nullable=False),
    Column("ends_at", DateTime, nullable=False),
    Column("stopped_by", String(200), nullable=False),
    Index("faults_ends_at", "ends_at"),
)
cache_purges = Table(
    "cache_purges",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("before_ns", BigInteger, nullable=False),
    Column("tenant", String(200), nullable=False),
    Column("release", String(200), nullable=False),
    Column("subject", String(200), nullable=False),
    Index("cache_purges_before_ns", "before_ns"),
)
ledger_rules = Table(
    "ledger_rules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule", LargeBinary, nullable=False),
    Column("is_current", Boolean, nullable=False),
)
ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("unit", String(10), nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("would_refuse", BigInteger, nullable=False),
    Column("unpriced_calls", BigInteger, nullable=False),
    Index("ledger_accounts_rule", "rule"),
)
ledger_sums = Table(
    "ledger_sums",
    metadata,
    Column("account", Text, primary_key=True),
    Column("bucket_s", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
)
ledger_leases = Table(
    "ledger_leases",
    metadata,
    Column("account", Text, primary_key=True),
    Column("holder", String(200), primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Index("ledger_leases_holder", "holder"),
)
ledger_lives = Table(
    "ledger_lives",
    metadata,
    Column("holder", String(200), primary_key=True),
    Column("host", String(64), nullable=False),
    Column("worker", String(100), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("born", String(40), nullable=False),
    Index("ledger_lives_host", "host"),
)
ledger_rows = Table(
    "ledger_rows",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", Text, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("call_id", String(64), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("settled", BigInteger),
    Column("state", String(10), nullable=False),
    Column("noted_at", DateTime, nullable=False),
    Column("closed_at", DateTime),
    Column("actor", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ledger_rows_account", "account", "state"),
    Index("ledger_rows_state", "state"),
    Index(
        "ledger_rows_expired",
        "call_id",
        "account",
        unique=True,
        sqlite_where=text("kind = 'expired'"),
        postgresql_where=text("kind = 'expired'"),
    ),
)
ledger_positions = Table(
    "ledger_positions",
    metadata,
    Column("spool", String(200), primary_key=True),
    Column("segment", String(64), nullable=False),
    Column("records", BigInteger, nullable=False),
)
alerts = Table(
    "alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(50), nullable=False),
    Column("key", Text, nullable=False),
    Column("open_key", String(64), unique=True),
    Column("severity", String(20), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("raised_at", DateTime, nullable=False),
    Column("resolved_at", DateTime),
    Column("resolved_by", String(200), nullable=False),
    Column("resolution", Text, nullable=False),
    Column("feedback", String(20), nullable=False),
    Index("alerts_raised_at", "raised_at"),
)
"""`open_key` is a digest of kind and key while the alert is open, and null afterwards: two of a kind cannot be open."""
outbox = Table(
    "outbox",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("alert_id", String(32), nullable=False),
    Column("event", String(20), nullable=False),
    Column("destination", String(100), nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("due_at", DateTime, nullable=False),
    Column("claimed_by", String(64), nullable=False),
    Column("claimed_until", DateTime),
    Column("delivered_at", DateTime),
    Column("answer", Text, nullable=False),
    Index("outbox_due_at", "state", "due_at"),
    Index("outbox_alert_id", "alert_id"),
)
destinations_off = Table(
    "destinations_off",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("address", String(64), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("answer", Text, nullable=False),
)
alert_marks = Table(
    "alert_marks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(50), nullable=False),
    Column("key", Text, nullable=False),
    Column("window_start", DateTime),
    Column("window_end", DateTime),
    Column("passed", JSON, nullable=False),
    Column("version", Integer, nullable=False),
)
