"""Alembic's entry: runs the steps on the connection that `strandline.store.migrate` hands over."""

from alembic import context

from strandline.store.migrate import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
