"""Least rights in PostgreSQL: who may change tables, who may write rows, who may read, and what of.

Three groups without a login; give them to logins of your own. `wharf_migrator` is for migrations, `wharf_writer` for
workers and commands, `wharf_reader` for people and dashboards: it sees no pseudonyms of customers, no refused
records (only how many and why), no messages (only how many wait).
"""

from sqlalchemy import Engine, text

from warehouse.tables import metadata

MIGRATOR, WRITER, READER = "wharf_migrator", "wharf_writer", "wharf_reader"
_SCHEMAS = "core, ops, staging"
# What a reader may know of `ops`: what ran, how fresh and how right the figures are. New tables stay hidden.
_SHOWN_OPS = {
    "runs", "watermarks", "observations", "dirty_days", "published_days", "backfill_slices", "schema_notes",
    "reconciliation", "rate_buckets",
}  # fmt: skip
# … and how much was refused and why, and what waits to be sent; not the records, not the messages
_SHOWN_COLUMNS = {
    "quarantine": "account, channel, resource, field, reason, refused_at, last_refused_at, accepted_at, replayed_at",
    "outbox": "way, state, severity, attempts, next_attempt_at, created_at, updated_at",
}
_HIDDEN_COLUMNS = {"customer_key", "session_key"}


def grant(engine: Engine) -> list[str]:
    """Make the roles and give them their rights; repeat it after every migration. Returns the roles.

    Needs a login that may create roles and owns the tables.
    """
    with engine.begin() as connection:
        for statement in statements(set(connection.scalars(text("SELECT rolname FROM pg_roles")))):
            connection.execute(text(statement))
    return [MIGRATOR, WRITER, READER]


def statements(existing: set[str]) -> list[str]:
    """The SQL of it, for those who would rather run it themselves. `existing`: roles there are."""
    found = [f"CREATE ROLE {role} NOLOGIN" for role in (MIGRATOR, WRITER, READER) if role not in existing]
    found += [
        f"GRANT ALL ON SCHEMA {_SCHEMAS} TO {MIGRATOR}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA {_SCHEMAS} TO {MIGRATOR}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {_SCHEMAS} TO {MIGRATOR}",
        f"GRANT USAGE ON SCHEMA core, ops TO {WRITER}",
        f"GRANT USAGE, CREATE ON SCHEMA staging TO {WRITER}",  # each attempt makes its own tables, there alone
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA core, ops TO {WRITER}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA core, ops TO {WRITER}",
        f"REVOKE INSERT, UPDATE, DELETE ON ops.schema_version FROM {WRITER}",
        # A stopped predecessor's session holds locks no time-out reaches; its successor ends it.
        f"GRANT pg_signal_backend TO {WRITER}",
        f"GRANT USAGE ON SCHEMA core, ops TO {READER}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {_SCHEMAS} FROM {READER}",
    ]
    found += [
        f"GRANT SELECT ({columns}) ON ops.{name} TO {READER}" for name, columns in _SHOWN_COLUMNS.items()
    ]
    for table in metadata.sorted_tables:
        if table.schema == "ops" and table.name not in _SHOWN_OPS:
            continue
        shown = [column.name for column in table.columns if column.name not in _HIDDEN_COLUMNS]
        columns = "" if len(shown) == len(table.columns) else f" ({', '.join(shown)})"
        found.append(f"GRANT SELECT{columns} ON {table.schema}.{table.name} TO {READER}")
    return found
