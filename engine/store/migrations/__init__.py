"""Alembic's scripts: every version of the store's tables since the first. A released one never changes."""
