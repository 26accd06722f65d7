"""Connections: PostgreSQL engines with time-outs by class of work, ClickHouse clients from a URL."""

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from sqlalchemy import URL, Engine, create_engine, make_url

Work = Literal["load", "read", "ops"]


@dataclass(frozen=True)
class _Limits:
    """Seconds a statement, a lock wait and an idle transaction may last."""

    statement: int
    lock: int
    idle: int


# A stalled client must not hold the warehouse; a healthy long merge must not be killed for being long.
_LIMITS: dict[Work, _Limits] = {
    "load": _Limits(statement=900, lock=300, idle=120),
    "read": _Limits(statement=300, lock=30, idle=300),
    "ops": _Limits(statement=30, lock=15, idle=30),
}


def postgres_url(url: str) -> URL:
    """`url` for SQLAlchemy with psycopg2, whatever driver or short scheme it names."""
    parsed = make_url(
        url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url
    )
    return parsed.set(drivername="postgresql+psycopg2")


def postgres(
    url: str, *, work: Work = "load", application: str = "wharf", pool_size: int = 5, **options: Any
) -> Engine:
    """An engine whose sessions speak UTC, name themselves and cannot wait for ever."""
    limits = _LIMITS[work]
    session = {
        "timezone": "UTC",
        "statement_timeout": f"{limits.statement}s",
        "lock_timeout": f"{limits.lock}s",
        "idle_in_transaction_session_timeout": f"{limits.idle}s",
    }
    return create_engine(
        postgres_url(url),
        pool_size=pool_size,
        max_overflow=20,  # a sync holds four at times: staging, merge, lease, budget
        pool_pre_ping=True,
        connect_args={
            "application_name": f"{application}:{work}",
            "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
            "connect_timeout": 10,
            # A peer that vanished is noticed in about half a minute, not in hours.
            "keepalives": 1,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
        **options,
    )


def clickhouse_url(url: str) -> URL:
    """`url` (http, https, clickhouse, clickhousedb, chdb) as SQLAlchemy's `clickhousedb://…`."""
    parts = urlsplit(url)
    if parts.scheme == "chdb":
        return URL.create("clickhousedb", database="default", query={"interface": "chdb", "path": parts.path})
    if "interface=chdb" in parts.query:
        return make_url(url)
    secure = parts.scheme in ("https", "clickhouses") or "secure=true" in parts.query.lower()
    return URL.create(
        "clickhousedb",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        host=parts.hostname or "127.0.0.1",
        port=parts.port or (8443 if secure else 8123),
        database=parts.path.strip("/") or "default",
        query={"secure": "true"} if secure else {},
    )


def clickhouse(url: str, **options: Any) -> Client:
    """A ClickHouse client; instants come back aware. Accepts `http(s)://user:pw@host:port/db` and the like."""
    parsed = clickhouse_url(url)
    settings: dict[str, Any] = {"tz_mode": "aware", **options}
    if parsed.query.get("interface") == "chdb":
        return clickhouse_connect.get_client(interface="chdb", path=parsed.query["path"], **settings)
    return clickhouse_connect.get_client(
        host=parsed.host,
        port=parsed.port,
        username=parsed.username,
        password=parsed.password or "",
        database=parsed.database,
        secure=parsed.query.get("secure") == "true",
        connect_timeout=10,
        send_receive_timeout=600,
        autogenerate_session_id=False,  # one client may serve several threads
        **settings,
    )
