"""Alembic's entry: runs on the connection and inside the transaction that engine.store.migrate hands over."""

from alembic import context

from engine.store.migrate import VERSION_TABLE
from engine.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite can't alter a column in place
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
