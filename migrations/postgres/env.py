"""Alembic environment of the PostgreSQL history."""

import os

from alembic import context
from sqlalchemy import text
from sqlalchemy.engine import Connection

from warehouse.engines import postgres
from warehouse.schema import POSTGRES_VERSION_TABLE, keep_postgres
from warehouse.tables import metadata


def migrate(connection: Connection) -> None:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS ops"))  # where the version table lives
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=POSTGRES_VERSION_TABLE,
        version_table_schema="ops",
        include_schemas=True,
        include_name=keep_postgres,
        compare_type=True,
        compare_server_default=False,
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is not None:
    migrate(connection)
else:
    url = context.config.attributes.get("url") or os.environ["DATABASE_URL"]
    engine = postgres(url, application="wharf-migrate")
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()
