"""Two Alembic histories: `postgres` and `clickhouse`."""
