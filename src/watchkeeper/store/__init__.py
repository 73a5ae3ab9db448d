"""The questions asked of the two databases: analytics (ClickHouse SQL) and control state (SQLAlchemy)."""
