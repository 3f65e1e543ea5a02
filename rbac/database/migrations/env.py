"""What Alembic runs: the revisions, inside the transaction schema.py has begun, never one of its own."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
)
context.run_migrations()
