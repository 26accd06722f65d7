"""What must never be found: every credential in use and every personal value the marketplaces answered with."""

import io
import logging
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from sqlalchemy import text

from connectors.client import Answer, Call, ChannelClient
from connectors.privacy import is_personal
from flows import connections
from warehouse.tables import metadata

_NOISY = (
    "httpx",
    "httpcore",
    "urllib3",
    "connectors",
    "warehouse",
    "models",
    "alerts",
    "flows",
    "deployments",
    "",
)
_SHORTEST = 8


class Canaries:
    """Collects what it hears; `poison` makes the next Walmart and Amazon orders unreadable."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.personal: set[str] = set()
        self.log = io.StringIO()
        self.poison = False

    @property
    def all(self) -> set[str]:
        """Long enough, and varied enough, to stand for themselves."""
        heard = self.secrets | self.personal
        return {value for value in heard if len(value) >= _SHORTEST and len(set(value)) > 2}

    def hear(self, answer: Answer) -> Answer:
        try:
            record = msgspec.json.decode(answer.body)
        except msgspec.MsgspecError:
            return answer
        self.personal |= set(personal_values(record))
        if isinstance(record, dict):
            self.secrets |= {str(value) for name, value in record.items() if name.endswith("_token")}
        if not self.poison:
            return answer
        body = re.sub(rb'"(orderDate|createdTime)": ?("[^"]*"|\d+)', rb'"\1":"poison"', answer.body)
        return Answer(answer.status, answer.headers, body)


def personal_values(record: Any, *, in_address: bool = False) -> Iterator[str]:
    """Texts under names that carry personal data, and addresses' parts."""
    if isinstance(record, dict):
        for name, value in record.items():
            # Categories of goods have these, too.
            personal = is_personal(name, in_address=in_address) and name not in {"displayName", "fullName"}
            if personal and isinstance(value, str | int):
                yield str(value)
            yield from personal_values(value, in_address=in_address or "address" in name.lower())
    elif isinstance(record, list):
        for item in record:
            yield from personal_values(item, in_address=in_address)


@contextmanager
def listening() -> Iterator[Canaries]:
    """Every answer of every channel is heard, every line of every logger kept, at DEBUG."""
    found = Canaries()
    handler = logging.StreamHandler(found.log)
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    exchange = ChannelClient._exchange

    def heard(client: ChannelClient, call: Call, *more: Any) -> Answer:
        headers = client._auth.headers() if call.authorized else {}
        found.secrets |= {
            value.removeprefix("Bearer ") for name, value in headers.items() if "token" in name.lower()
        }
        return found.hear(exchange(client, call, *more))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChannelClient, "_exchange", heard)
        for account in connections.accounts().values():
            found.secrets |= {secret.get_secret_value() for secret in account.credentials.values()}
        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.DEBUG)
            logging.getLogger(name).addHandler(handler)
        try:
            yield found
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
                logging.getLogger(name).removeHandler(handler)


def in_text(content: str, wanted: Iterable[str]) -> set[str]:
    """Those of `wanted` that stand in `content`, in any case of letters. One pass, however many are wanted."""
    found = pl.Series([content]).str.extract_many(
        sorted(wanted), ascii_case_insensitive=True, overlapping=True
    )
    return set(found.explode().drop_nulls())


def in_files(folder: Path, wanted: Iterable[str]) -> set[tuple[str, str]]:
    """(file, canary) found in any file below `folder`, whatever its format; sockets are none."""
    return {
        (str(path), value)
        for path in folder.rglob("*")
        if path.is_file()
        for value in in_text(path.read_bytes().decode(errors="replace"), wanted)
    }


def in_postgres(wanted: Iterable[str]) -> set[str]:
    """Those that stand in any column of any row."""
    with connections.postgres().connect() as connection:
        rows = [
            str(row)
            for table in metadata.sorted_tables
            for row in connection.scalars(text(f"SELECT t::text FROM {table.schema}.{table.name} t"))
        ]
    return in_text("\n".join(rows), wanted)


def in_clickhouse(wanted: Iterable[str]) -> set[str]:
    client = connections.clickhouse()
    try:
        tables = client.query(
            "SELECT name FROM system.tables WHERE database = 'analytics' AND total_rows > 0"
        )
        rows = [
            client.raw_query(f"SELECT * FROM analytics.{name} FORMAT CSV").decode()
            for (name,) in tables.result_rows
        ]
    finally:
        client.close()
    return in_text("\n".join(rows), wanted)


def in_sqlite(url: str, wanted: Iterable[str]) -> set[str]:
    """Those in any row of Prefect's database: logs, parameters, states, artifacts, events."""
    path = url.partition(":///")[2]
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [str(row) for name in names for row in database.execute(f"SELECT * FROM '{name}'")]
    assert len(rows) > 50, "that is not the server's database"
    return in_text("\n".join(rows), wanted)
