"""Run migrations on the connection and within the transaction that the caller has opened."""

from alembic import context

from evalkit.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
