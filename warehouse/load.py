"""Frames into staging tables, by COPY: what we were told, kept until it is merged.

Every attempt has tables of its own, so what a dead attempt left behind is never loaded. The attempt's session
holds an advisory lock; a set of tables whose lock is free belongs to nobody and is dropped by the next one.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import polars as pl
from sqlalchemy import Connection, Engine, text

from warehouse import schema
from warehouse.errors import StagingError, StagingLostError
from warehouse.tables import staging as tables

_LOAD_ID = re.compile(r"^[a-z0-9_]{1,40}$")
_INSTANT = "%Y-%m-%dT%H:%M:%S%.6fZ"
# A page holds the same order several times only when it changed while we read: versions within a page.
_VERSIONS_PER_PAGE = 1 << 12


class RejectedRecord(Protocol):
    """A refused record as the connectors describe it; read-only here."""

    @property
    def natural_key(self) -> str: ...
    @property
    def field(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def raw(self) -> str: ...


class Staging:
    """Staging tables of one attempt. Use as a context manager; the tables are dropped at its end.

    `load_id` is unique per attempt: lower-case letters, digits and `_`. `account` and `resource` name the
    session, so that a stuck one can be found and ended by whoever takes over (see `reap`). `seal` makes the JSON
    text of a refused record into what is kept of it at rest, JSON text again.
    """

    def __init__(
        self,
        engine: Engine,
        load_id: str,
        *,
        account: str = "",
        resource: str = "",
        seal: Callable[[str], str] | None = None,
    ) -> None:
        if not _LOAD_ID.match(load_id):
            raise ValueError(f"load_id must be 1 to 40 of a-z, 0-9 and _, not {load_id!r}")
        self.load_id = load_id
        self.seal = seal
        self.rows: dict[str, int] = {}
        self.rejected: list[RejectedRecord] = []
        self.is_tangled = False  # some page held a thing twice, or a line without its parent
        self._engine = engine
        self._name = session_name(account, resource, load_id)
        self._connection: Connection | None = None
        self._page = 0

    def __enter__(self) -> Self:
        reap(self._engine)
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            self._open(self._connection)
        except BaseException:
            self._close()
            raise
        return self

    def _open(self, connection: Connection) -> None:
        schema.require(connection)
        name = {"name": self._name}
        connection.execute(text("SELECT set_config('application_name', :name, false)"), name)
        if not connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:id, 7))"), self._id):
            raise ValueError(f"load_id {self.load_id} is in use by another attempt")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._drop()
        except Exception:
            # The server may be gone; the next attempt reaps. The first error is the one to report.
            if error is None:
                raise
        finally:
            self._close()

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("Staging is used outside its `with` block")
        return self._connection

    def add(self, frames: Mapping[str, pl.DataFrame], rejected: Sequence[RejectedRecord] = ()) -> None:
        """Stage the frames of one page. Rows of later calls win ties on the version clock."""
        self._page += 1
        self.rejected.extend(rejected)
        for name in tables.COLUMNS:
            frame = frames.get(name)
            if frame is not None and not frame.is_empty():
                parent = frames.get(tables.PARENTS[name][0]) if name in tables.PARENTS else None
                frame = _conform(frame, name)
                self.is_tangled = self.is_tangled or _is_tangled(frame, name, parent)
                self._copy(name, _with_seq(frame, name, self._page, parent))
        unknown = frames.keys() - tables.COLUMNS.keys()
        if unknown:
            raise StagingError(f"no staging table for {sorted(unknown)}")

    def verify(self, connection: Connection) -> None:
        """Raise StagingLostError unless every staged row is there, as seen by `connection`.

        Unlogged tables are emptied when the server restarts after a crash.
        """
        for name, rows in self.rows.items():
            table = tables.table(self.load_id, name)
            found = connection.scalar(text(f"SELECT count(*) FROM {table}"))
            connection.execute(text(f"ANALYZE {table} ({', '.join(tables.KEYS[name])})"))
            if found != rows:
                raise StagingLostError(f"{table} holds {found} rows of {rows} staged; stage the window again")

    def has(self, name: str) -> bool:
        """Whether any row of frame `name` was staged."""
        return self.rows.get(name, 0) > 0

    @property
    def _id(self) -> dict[str, str]:
        return {"id": self.load_id}

    def _copy(self, name: str, frame: pl.DataFrame) -> None:
        if name not in self.rows:
            self.connection.execute(text(tables.ddl(self.load_id, name)))
            self.rows[name] = 0
        copy_frame(self.connection, tables.table(self.load_id, name), frame)
        self.rows[name] += frame.height

    def _drop(self) -> None:
        for name in self.rows:
            self.connection.execute(text(f"DROP TABLE IF EXISTS {tables.table(self.load_id, name)}"))

    def _close(self) -> None:
        if self._connection is not None:
            # The session goes with its name, lock and all: it must not return to the pool.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def session_name(account: str, resource: str, load_id: str) -> str:
    """What a loading session calls itself in pg_stat_activity (63 bytes at most)."""
    return f"wharf:stage:{account}:{resource}:{load_id}".encode()[:63].decode(errors="ignore")


def copy_frame(connection: Connection, table: str, frame: pl.DataFrame) -> None:
    """Append `frame` to `table` (columns by name) by COPY. NUL characters, which text cannot hold, go."""
    if frame.is_empty():
        return
    text_columns = [column for column, kind in frame.schema.items() if kind == pl.String]
    body = _csv(frame)
    if b"\x00" in body:
        clean = frame.with_columns(pl.col(text_columns).str.replace_all("\x00", "", literal=True))
        body = _csv(clean)
    columns = ", ".join(f'"{column}"' for column in frame.columns)
    with _cursor(connection) as cursor:
        cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)", io.BytesIO(body))


def reap(engine: Engine) -> list[str]:
    """Drop staging tables of attempts that are no more; returns their load ids."""
    dropped = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        rows = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'staging'"))
        by_load: dict[str, list[str]] = {}
        for (name,) in rows:
            by_load.setdefault(str(name).rsplit("__", 1)[0], []).append(str(name))
        for load_id, names in by_load.items():
            lock = {"id": load_id}
            if not connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:id, 7))"), lock):
                continue
            for name in names:
                connection.execute(text(f'DROP TABLE IF EXISTS staging."{name}"'))
            connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:id, 7))"), lock)
            dropped.append(load_id)
    return dropped


def end_sessions(engine: Engine, account: str, resource: str, *, keep: str = "") -> int:
    """Terminate staging sessions of an account and resource, except load `keep`; returns how many.

    Called by whoever holds the lease now: a stopped client of the former holder may sit in COPY, where no
    time-out reaches it, and its locks would block every load after it.
    """
    prefix = session_name(account, resource, "")
    with engine.begin() as connection:
        rows = connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name,"
                " :prefix) AND application_name <> :keep AND datname = current_database()"
                " AND pid <> pg_backend_pid()"
            ),
            {"prefix": prefix, "keep": session_name(account, resource, keep)},
        )
        return len(rows.all())


def _csv(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, datetime_format=_INSTANT, quote_style="necessary")
    return buffer.getvalue()


def _cursor(connection: Connection) -> Any:
    dbapi = connection.connection.dbapi_connection
    if dbapi is None:
        raise RuntimeError("connection is closed")
    return dbapi.cursor()


def _conform(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    wanted = tables.COLUMNS[name]
    if set(frame.columns) != set(wanted):
        missing, extra = wanted.keys() - set(frame.columns), set(frame.columns) - wanted.keys()
        raise StagingError(f"{name}: missing columns {sorted(missing)}, unknown columns {sorted(extra)}")
    return frame.select(*wanted)


def _is_tangled(frame: pl.DataFrame, name: str, parent: pl.DataFrame | None) -> bool:
    """Whether lines of this page cannot simply be taken together with the orders of this page."""
    keys = list(tables.KEYS[name])
    if name in _PARENT_FRAMES:
        return bool(frame.select(keys).is_duplicated().any())
    if name not in tables.PARENTS:
        return False
    if parent is None or bool(frame.select(keys).is_duplicated().any()):
        return True
    own = frame.select(pl.col(keys[0]), pl.col(tables.PARENTS[name][1]).alias("external_id"))
    return not own.join(parent, on=["channel", "external_id"], how="anti").is_empty()


def _with_seq(frame: pl.DataFrame, name: str, page: int, parent: pl.DataFrame | None) -> pl.DataFrame:
    """`frame` with `seq`: its page, and the version within the page where a parent comes more than once.

    Lines have no clock. When one page holds an order twice, its lines come twice too, in the same order: a
    line id that begins to repeat begins the next version. Elsewhere a repeated line is just a duplicate.
    """
    base = page * _VERSIONS_PER_PAGE
    keys = tables.KEYS[name]
    if name in _PARENT_FRAMES and _is_tangled(frame, name, None):
        return frame.with_columns(seq=base + pl.int_range(pl.len()).over(keys))
    if name in tables.PARENTS and parent is not None:
        parent_keys = tables.KEYS[tables.PARENTS[name][0]]
        own_keys = [keys[0], tables.PARENTS[name][1]]
        twice = parent.filter(pl.struct(parent_keys).is_duplicated()).select(parent_keys).unique()
        if not twice.is_empty():
            marks = twice.rename(dict(zip(parent_keys, own_keys, strict=True))).with_columns(is_twice=True)
            marked = frame.join(marks, on=own_keys, how="left", maintain_order="left", nulls_equal=True)
            version = pl.when("is_twice").then(pl.int_range(pl.len()).over(keys)).otherwise(0)
            numbered = marked.with_columns(seq=version).drop("is_twice")
            return numbered.with_columns(seq=base + pl.col("seq").cum_max().over(own_keys))
    return frame.with_columns(seq=pl.lit(base, pl.Int64))


_PARENT_FRAMES = {parent for parent, _ in tables.PARENTS.values()}
