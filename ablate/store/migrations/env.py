"""Run by Alembic: migrates the connection that :func:`ablate.store.migrate.migrate` hands over, in its transaction."""

from alembic import context

from ablate.store.schema import metadata, revision

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=revision.name
)
with context.begin_transaction():
    context.run_migrations()
