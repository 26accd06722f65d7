"""Alembic environment of the ClickHouse history."""

import os

from alembic import context
from clickhouse_connect.cc_sqlalchemy.alembic import clickhouse_writer
from sqlalchemy import create_engine, text

from warehouse.engines import clickhouse_url
from warehouse.schema import CLICKHOUSE_VERSION_TABLE, keep_clickhouse
from warehouse.tables.rollup import DATABASE, metadata

url = context.config.attributes.get("url") or os.environ["CLICKHOUSE_URL"]
engine = create_engine(clickhouse_url(url))
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
