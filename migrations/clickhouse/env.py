"""Alembic environment of the ClickHouse history."""

import os

from alembic import context
from clickhouse_connect.cc_sqlalchemy.alembic import clickhouse_writer
from sqlalchemy import create_engine, event, text

from warehouse import cluster
from warehouse.engines import clickhouse_url
from warehouse.schema import CLICKHOUSE_VERSION_TABLE, keep_clickhouse
from warehouse.tables.analytics import DATABASE, metadata

url = context.config.attributes.get("url") or os.environ["CLICKHOUSE_URL"]
# Connected to `default` whatever the URL names: our database may not exist yet, and tables of the connection's own
# database come back without a schema, so that all of ours would count as missing.
engine = create_engine(clickhouse_url(url).set(database="default"))
if name := cluster.in_url(url):

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _everywhere(_, cursor, statement, parameters, *__):  # type: ignore[no-untyped-def]  # SQLAlchemy's hook
        """A statement as the cluster needs it; of several, all but the last are run here."""
        *first, last = cluster.statements(statement, name)
        for one in first:
            cursor.execute(one, parameters)
        return last, parameters


with engine.connect() as connection:
    connection.execute(text(f"CREATE DATABASE IF NOT EXISTS {DATABASE}"))
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=CLICKHOUSE_VERSION_TABLE,
        version_table_schema=DATABASE,
        include_schemas=True,
        include_name=keep_clickhouse,
        process_revision_directives=clickhouse_writer,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
