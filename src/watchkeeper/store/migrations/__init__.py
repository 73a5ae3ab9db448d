"""Alembic's steps for the control database."""
