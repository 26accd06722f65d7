"""What a passwordless analyst may ask: read `analytics`, look around in `system`, and nothing else.

Three fences, because each alone has holes (tried on engine 26.9): the engine's grants (a role that may
only SELECT there), `readonly=1`, and a look at the statement for what the first two let through:
`file('/etc/passwd')` as a scalar function, `APPLY(file)`, `Python(x)`, `INTO OUTFILE`, `KILL QUERY`, a second
statement behind the first, and all of `system` (the embedded engine does not ask for a grant there).
"""

from collections.abc import Mapping

from deployments.local.clickhouse_statements import words

# What dashboards and clickhouse-connect look up when they connect or complete names. Not here: what
# others are running (processes, query_log), the machine's files and disks, users and grants.
_CATALOG = (
    "one numbers numbers_mt zeros zeros_mt tables columns databases functions settings merge_tree_settings "
    "data_type_families formats table_engines table_functions database_engines aggregate_function_combinators "
    "keywords collations time_zones build_options contributors licenses dictionaries data_skipping_indices "
    "projections parts constraints settings_changes macros warnings"
).split()

MAX_EXECUTION_SECONDS = 60
MAX_RESULT_ROWS = 1_000_000
LIMITS = {
    "max_execution_time": MAX_EXECUTION_SECONDS,
    "max_result_rows": MAX_RESULT_ROWS,
    "max_memory_usage": 1_000_000_000,
    "max_query_size": 1_000_000,
}
# Settings clients send by themselves and that only shape the answer. A limit may be lowered, not raised.
_HARMLESS = frozenset(
    "extremes final limit offset join_use_nulls date_time_output_format session_timezone max_block_size "
    "result_overflow_mode timeout_overflow_mode log_comment log_queries use_query_cache readonly "
    "max_threads prefer_column_name_to_alias".split()
)
_HARMLESS_PREFIXES = ("output_format_", "format_csv_", "format_display_")
_HARMFUL = frozenset({"output_format_schema", "format_display_secrets_in_show_and_select"})

# Table functions that compute, and read nothing but what they are given or the grants allow.
_TABLE_FUNCTIONS = frozenset(
    b"NUMBERS NUMBERS_MT ZEROS ZEROS_MT VALUES SQLSTANDARDVALUES NULL VIEW GENERATESERIES GENERATE_SERIES "
    b"GENERATERANDOM FORMAT PRIMES".split()
)
_SHOWN = frozenset(
    b"TABLES TABLE DATABASES DATABASE CREATE COLUMNS INDEX INDEXES INDICES KEYS DICTIONARIES FUNCTIONS FIELDS "
    b"SETTINGS SETTING ENGINES VIEW DICTIONARY FULL EXTENDED CHANGED TEMPORARY".split()
)
_CATALOG_TABLES = frozenset(name.upper().encode() for name in _CATALOG)
# Refused wherever they stand: they are functions even without parentheses (`APPLY file`, `arrayMap(file, …)`).
_NEVER = frozenset({b"FILE", b"PYTHON", b"OUTFILE", b"INFILE", b"EVAL"})


class Refused(Exception):
    """The analyst may not do that; `code` and `name` as ClickHouse has them."""

    def __init__(self, message: str, *, code: int = 497, name: str = "ACCESS_DENIED") -> None:
        super().__init__(f"Code: {code}. DB::Exception: {message}. ({name})")


def users_xml() -> str:
    """The engine's users file: its one user holds both roles, and a connection gives up `owner` for `analyst`."""
    grants = [
        "GRANT SELECT ON analytics.*",
        "GRANT SHOW ON analytics.*",
        "GRANT dictGet ON analytics.*",
        "GRANT SELECT ON information_schema.*",
        "GRANT SELECT ON INFORMATION_SCHEMA.*",
        *(f"GRANT SELECT ON system.{table}" for table in _CATALOG),
    ]
    queries = "".join(f"<query>{grant}</query>" for grant in grants)
    return (
        "<clickhouse><profiles><default><implicit_select>0</implicit_select>"
        "<use_uncompressed_cache>1</use_uncompressed_cache></default></profiles><quotas><default/></quotas><roles>"
        "<owner><grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></owner>"
        f"<analyst><grants>{queries}</grants></analyst></roles>"
        "<users><default><password/><networks><ip>127.0.0.1</ip><ip>::1</ip></networks>"
        "<profile>default</profile><quota>default</quota>"
        "<grants><query>GRANT owner</query><query>GRANT analyst</query></grants></default></users></clickhouse>"
    )


def settings_for_analyst(asked: dict[str, str]) -> dict[str, str]:
    """The settings to apply: those asked for that are harmless, and our limits where none lower is asked."""
    settings = {name: str(value) for name, value in LIMITS.items()}
    for name, value in asked.items():
        if name in LIMITS:
            settings[name] = _lower(value, LIMITS[name])
        elif (name in _HARMLESS or name.startswith(_HARMLESS_PREFIXES)) and name not in _HARMFUL:
            settings[name] = value
        else:
            raise Refused(f"Cannot modify '{name}' setting in readonly mode", code=164, name="READONLY")
    settings.pop("readonly", None)  # ours is the strictest, and comes last
    return settings


def _lower(asked: str, limit: int) -> str:
    """0 means unlimited to ClickHouse, so it means our limit here."""
    try:
        number = float(asked)
    except ValueError:
        return str(limit)
    return asked if 0 < number <= limit else str(limit)


def analyst_database(asked: str | None) -> str:
    """Where unqualified names lead: always to `analytics`, which is what `default` means to an analyst too.
    `system` is read with its name in front, so that the statement shows it."""
    if asked in (None, "", "default", "analytics"):
        return "analytics"
    raise Refused(f"analyst: Not enough privileges to use database {asked}")


def check_statement(
    canonical: bytes,
    parameters: Mapping[str, str],
    table_functions: frozenset[bytes],
    ai_functions: frozenset[bytes],
) -> None:
    """Refuse what grants and readonly let through. `canonical` is the engine's own rendering of the statement,
    so a name cannot hide behind quotes or escapes; nor may it behind a parameter (`FROM {t:Identifier}`)."""
    tokens = words(canonical)
    if b"IDENTIFIER" in tokens and any("system" in v.lower() or "\\" in v for v in parameters.values()):
        raise _not_for_analysts(b"system by way of an Identifier parameter")
    if tokens[:1] == [b"SHOW"] and tokens[1:2] and tokens[1] not in _SHOWN:
        raise _not_for_analysts(b"SHOW " + tokens[1])
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else b""
        forbidden_table = following == b"(" and token in table_functions and token not in _TABLE_FUNCTIONS
        if token in _NEVER or token in ai_functions or forbidden_table:
            raise _not_for_analysts(token)
        if token == b"SYSTEM" and following == b"." and not set(tokens[at + 2 : at + 3]) <= _CATALOG_TABLES:
            raise _not_for_analysts(b"system." + tokens[at + 2])


def _not_for_analysts(what: bytes) -> Refused:
    return Refused(
        f"analyst: Not enough privileges: {what.decode(errors='replace').lower()} is not for analysts"
    )
