"""Run by Alembic with the connection it is handed; one transaction around everything."""

from __future__ import annotations

from alembic import context

from vedette.configdb.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
