"""The `analyst` role of a ClickHouse server: reads `analytics`, changes nothing, and cannot use the server up.

On the embedded engine the role comes with the engine. On a server it is made here, once: what an administrator has
changed since (limits, members) stays. Give it to people: `GRANT analyst TO anna; SET DEFAULT ROLE analyst TO anna`.
"""

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from warehouse.tables.analytics import DATABASE

STATEMENTS = (
    "CREATE ROLE IF NOT EXISTS analyst",
    "CREATE SETTINGS PROFILE IF NOT EXISTS analyst SETTINGS readonly = 2 CONST, allow_ddl = 0 CONST,"
    " max_execution_time = 60 MIN 1 MAX 60, max_result_rows = 1000000 MIN 1 MAX 1000000,"
    " max_memory_usage = 4000000000 MIN 1 MAX 4000000000 TO analyst",
    f"GRANT SELECT, SHOW ON {DATABASE}.* TO analyst",
    "CREATE QUOTA IF NOT EXISTS analyst KEYED BY user_name FOR INTERVAL 1 hour"
    " MAX queries = 2000, result_rows = 20000000, read_rows = 20000000000, execution_time = 1800 TO analyst",
)
# Roles of users.xml are read-only: the embedded engine's, or an administrator's.
_MADE_ELSEWHERE = (
    "SELECT count() FROM system.roles WHERE name = 'analyst'"
    " AND storage NOT IN ('local_directory', 'replicated')"
)


def ensure(client: Client) -> str | None:
    """Have the role; returns why there is none, where this user may not make it, else None."""
    try:
        if int(client.query(_MADE_ELSEWHERE).result_rows[0][0]):
            return None
        for statement in STATEMENTS:
            client.command(statement)
    except ClickHouseError as error:
        told = str(error).splitlines()[0][:200]
        return f"the role `analyst` was not made, this user may not: {told}; an administrator can, see docs/roles.md"
    return None
