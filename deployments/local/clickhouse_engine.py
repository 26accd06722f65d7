"""The chdb engine behind the ClickHouse front: who may do what with it, and one way to run a statement.

chdb allows one process a folder, any number of handles in it, and hangs after a fork: this module is
imported only by the front's own process. Every request has a handle to itself, because settings, the
database in use and the role in force live on the handle. One that has only been read with waits for the next
request that wants the same of it: making one ready takes as long as a small query.
"""

import contextlib
import enum
import itertools
import json
import re
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast
from xml.sax.saxutils import escape

import chdb

from deployments.local.clickhouse_guard import (
    Refused,
    analyst_database,
    check_statement,
    settings_for_analyst,
    users_xml,
)
from deployments.local.clickhouse_statements import Insert, output_format, words

DATABASE = "analytics"
_chdb: Any = chdb._chdb  # the handles themselves: the package's wrappers add progress bars and pandas
_SPOOL_BYTES = 32 * 1024 * 1024
_INLINE_VALUES_BYTES = 1024 * 1024
_IDLE_HANDLES = 8
# Formats whose blocks, put one after the other, are a valid whole: their results never stand in memory at once.
_BLOCKWISE = frozenset(
    {"Native", "TabSeparated", "TSV", "TSVRaw", "CSV", "RowBinary", "JSONEachRow", "TabSeparatedRaw"}
)
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_CODE = re.compile(r"Code: (\d+)\. ")


class Principal(enum.Enum):
    """Who is asking: the owner may do anything, an analyst may read."""

    OWNER = "wharf"
    ANALYST = "analyst"


@dataclass(frozen=True)
class Statement:
    """One statement with all that came along: `data` holds an INSERT's rows, uncompressed, in `insert.format`."""

    text: bytes
    principal: Principal
    database: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    format: str = "TabSeparated"
    session: str | None = None
    session_seconds: float = 60.0
    read_only: bool = False
    insert: Insert | None = None
    data: Path | None = None


@dataclass
class Answer:
    """What a statement gave. `body` is a file at its start, `format` None when there is no result to speak of."""

    body: IO[bytes]
    size: int
    format: str | None
    summary: dict[str, str]


class EngineError(Exception):
    """The engine said no; `code` is ClickHouse's, the text its message."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        found = _CODE.search(message)
        self.code = int(found.group(1)) if found else 1002


@dataclass
class _Session:
    handle: Any
    lock: threading.Lock
    expires: float = 0.0


class Engine:
    """chdb over one folder."""

    def __init__(self, folder: Path, settings_folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (settings_folder / "users.xml").write_text(users_xml())
        config = settings_folder / "config.xml"
        config.write_text(_config_xml(settings_folder / "users.xml"))
        # its crash handlers would swallow the signals this process stops on
        _chdb.set_signal_handlers_enabled(0)
        self._connection = f"{folder}?config-file={config}"
        self._root = _chdb.connect(self._connection)
        self._sessions: dict[tuple[Principal, str], _Session] = {}
        self._sessions_lock = threading.Lock()
        self._idle: deque[tuple[Any, Any]] = deque()  # what a handle is prepared for, and the handle
        self._ask(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        self.version = self._ask("SELECT version()").strip()
        self.timezone = self._ask("SELECT timezone()").strip()
        self._table_functions = self._names("system.table_functions")
        self._ai_functions = self._names("system.functions WHERE name ILIKE 'ai%'")

    def run(self, statement: Statement) -> Answer:
        """Run it and give what it gave. EngineError for all that ClickHouse would refuse."""
        self._refuse_files(statement)
        kind = self._classify(statement)
        with self._handle(statement, kind) as handle:
            try:
                return _execute(handle, statement, reads=kind == "READ_ONLY")
            except RuntimeError as error:
                raise EngineError(self._message(error)) from None

    def close(self) -> None:
        """Close every handle, which ends the engine. No statement may be running."""
        for session in self._sessions.values():
            session.handle.close()
        for _, handle in self._idle:
            handle.close()
        self._root.close()

    # judging

    def _classify(self, statement: Statement) -> str:
        text = statement.insert.without_data() if statement.insert and statement.data else statement.text
        verdict = self._root.classify_query(text)
        kind = str(verdict["query_class"].name)
        if verdict["statement_count"] > 1:
            raise EngineError(
                "Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)"
            )
        if statement.principal is Principal.ANALYST:
            self._check_analyst(statement, kind)
        return kind

    def _check_analyst(self, statement: Statement, kind: str) -> None:
        try:
            if kind != "READ_ONLY":
                raise Refused("analyst: Cannot execute query in readonly mode", code=164, name="READONLY")  # noqa: TRY301 told as ClickHouse tells it
            rendered = self._root.query(
                "SELECT formatQuerySingleLine({q:String})", "TSVRaw", params={"q": _escaped(statement.text)}
            )
            check_statement(rendered.bytes(), statement.parameters, self._table_functions, self._ai_functions)
        except Refused as refusal:
            raise EngineError(str(refusal)) from None
        except RuntimeError as error:
            raise EngineError(self._message(error)) from None

    def _refuse_files(self, statement: Statement) -> None:
        """A client's file is not on our disk: a server answers the same."""
        text = statement.insert.head if statement.insert else statement.text
        lowered = text.lower()
        if b"outfile" in lowered or b"infile" in lowered:
            tokens = words(text)
            pairs = set(itertools.pairwise(tokens))
            if (b"INTO", b"OUTFILE") in pairs or (b"FROM", b"INFILE") in pairs:
                raise EngineError(
                    "Code: 48. DB::Exception: INTO OUTFILE and FROM INFILE work on the client's files, "
                    "not over HTTP. (NOT_IMPLEMENTED)"
                )

    # handles

    @contextlib.contextmanager
    def _handle(self, statement: Statement, kind: str) -> Iterator[Any]:
        """A handle with the statement's database, settings and rights. It is the session's own once the
        session holds something (a temporary table, a SET); most clients send a session and never use it."""
        session = self._session(statement, create=kind == "CONTROL")
        if session is None:
            yield from self._lent(statement, reads=kind == "READ_ONLY")
            return
        try:
            self._prepare(session.handle, statement)
            yield session.handle
        finally:
            for name in statement.settings:
                with contextlib.suppress(RuntimeError):
                    session.handle.query(f"SET {name} = DEFAULT", "Null")
            session.expires = time.monotonic() + statement.session_seconds
            session.lock.release()

    def _lent(self, statement: Statement, *, reads: bool) -> Iterator[Any]:
        """A handle of no session. Only a statement that reads leaves it as it was, and only if it succeeded."""
        wanted = (
            statement.principal, statement.database, statement.read_only, tuple(sorted(statement.settings.items()))
        )  # fmt: skip
        handle = self._take_idle(wanted) if reads else None
        is_reusable = False
        try:
            if handle is None:
                handle = _chdb.connect(self._connection)
                self._prepare(handle, statement)
            yield handle
            is_reusable = reads
        finally:
            if is_reusable and len(self._idle) < _IDLE_HANDLES:
                self._idle.append((wanted, handle))
            elif handle is not None:
                handle.close()

    def _take_idle(self, wanted: Any) -> Any:
        """A handle prepared for that; None: there is none. Where all wait for something else, the oldest makes room."""
        with self._sessions_lock:
            for entry in self._idle:
                if entry[0] == wanted:
                    self._idle.remove(entry)
                    return entry[1]
            if len(self._idle) == _IDLE_HANDLES:
                self._idle.popleft()[1].close()
        return None

    def _session(self, statement: Statement, *, create: bool) -> _Session | None:
        if statement.session is None:
            return None
        key = (statement.principal, statement.session)
        with self._sessions_lock:
            self._expire_sessions()
            session = self._sessions.get(key)
            if session is None and create and statement.principal is Principal.OWNER:
                session = self._sessions[key] = _Session(_chdb.connect(self._connection), threading.Lock())
            if session is not None and not session.lock.acquire(blocking=False):
                raise EngineError(
                    f"Code: 373. DB::Exception: Session {statement.session} is locked by a concurrent client. "
                    "(SESSION_IS_LOCKED)"
                )
            return session

    def _expire_sessions(self) -> None:
        now = time.monotonic()
        idle = [key for key, session in self._sessions.items() if session.expires and session.expires < now]
        for key in idle:
            if self._sessions[key].lock.acquire(blocking=False):
                self._sessions.pop(key).handle.close()

    def _prepare(self, handle: Any, statement: Statement) -> None:
        settings = dict(statement.settings)
        database = statement.database
        try:
            if statement.principal is Principal.ANALYST:
                settings = settings_for_analyst(settings)
                _set(handle, settings)
                handle.query("SET ROLE analyst", "Null")
                handle.query(f"USE {_quoted(analyst_database(database))}", "Null")
                handle.query("SET readonly = 1", "Null")
                return
            if database:
                handle.query(f"USE {_quoted(database)}", "Null")
            if statement.read_only:
                settings.setdefault("readonly", "2")
            _set(handle, settings)
        except Refused as refusal:
            raise EngineError(str(refusal)) from None
        except RuntimeError as error:
            raise EngineError(self._message(error)) from None

    def _message(self, error: RuntimeError) -> str:
        """The engine's message from its first `Code:` on, with the version as a server adds it."""
        text = str(error)
        text = text[max(0, text.find("Code: ")) :].strip()
        return text if "(version " in text else f"{text} (version {self.version} (official build))"

    # asking for ourselves

    def _ask(self, query: str) -> str:
        return cast(bytes, self._root.query(query, "TSVRaw").bytes()).decode()

    def _names(self, source: str) -> frozenset[bytes]:
        return frozenset(name.upper().encode() for name in self._ask("SELECT name FROM " + source).split())  # noqa: S608 - ours


def _execute(handle: Any, statement: Statement, *, reads: bool) -> Answer:
    parameters = dict(statement.parameters)
    started = time.monotonic()
    if not reads:
        text = statement.text
        if statement.insert and statement.data:
            text = statement.insert.from_file(statement.data.name)
        result = handle.query(text, statement.format, params=parameters)
        body = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - the caller's to close
        body.write(result.bytes() or b"")
        # a file's rows count as read; rows given inline as written
        from_file = statement.insert and statement.data
        written = result.rows_read() if from_file else result.rows_written()
        written_bytes = result.bytes_read() if from_file else result.bytes_written()
        return _answer(body, None, started, written_rows=written, written_bytes=written_bytes)
    asked = output_format(statement.text) if b"format" in statement.text.lower() else None
    format_ = asked or statement.format
    body = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - the caller's to close
    read_rows = read_bytes = 0
    if format_ in _BLOCKWISE and words(statement.text[:200])[:1] in ([b"SELECT"], [b"WITH"]):
        stream = handle.send_query(statement.text, statement.format, params=parameters)
        for block in _blocks(handle, stream):
            body.write(block.bytes() or b"")
            read_rows, read_bytes = read_rows + block.rows_read(), read_bytes + block.bytes_read()
    else:
        result = handle.query(statement.text, statement.format, params=parameters)
        body.write(result.bytes() or b"")
        read_rows, read_bytes = result.rows_read(), result.bytes_read()
    return _answer(body, format_, started, read_rows=read_rows, read_bytes=read_bytes)


def _blocks(handle: Any, stream: Any) -> Iterator[Any]:
    """The result's blocks to the last, which has no rows but may have the totals."""
    while True:
        block = handle.streaming_fetch_result(stream)
        yield block
        if not block.rows_read():
            return


def _answer(body: Any, format_: str | None, started: float, **counts: int) -> Answer:
    size = body.tell()
    body.seek(0)
    names = ("read_rows", "read_bytes", "written_rows", "written_bytes")
    summary = {name: str(counts.get(name, 0)) for name in names}
    summary |= {"total_rows_to_read": "0", "result_rows": summary["written_rows"], "result_bytes": str(size)}
    summary["elapsed_ns"] = str(int((time.monotonic() - started) * 1_000_000_000))
    return Answer(body, size, format_, summary)


def _set(handle: Any, settings: Mapping[str, str]) -> None:
    if not settings:
        return
    for name in settings:
        if not _SETTING_NAME.fullmatch(name):
            raise EngineError(f"Code: 115. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)")
    handle.query(
        "SET " + ", ".join(f"{name} = {_literal(value)}" for name, value in settings.items()), "Null"
    )


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _escaped(text: bytes) -> str:
    """A parameter's value as ClickHouse reads it: tab-separated escapes."""
    value = text.decode(errors="replace").replace("\\", "\\\\")
    return value.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace("\0", "\\0")


def _config_xml(users: Path) -> str:
    """A small engine: caches and pools for one machine, and rights taken seriously in `system` too. Uncompressed blocks
    are kept for small reads, which ask for a few rows of every month: a fifth of their time."""
    return (
        "<clickhouse><timezone>UTC</timezone>"
        "<mark_cache_size>134217728</mark_cache_size><uncompressed_cache_size>134217728</uncompressed_cache_size>"
        "<max_server_memory_usage>1700000000</max_server_memory_usage>"
        "<access_control_improvements>"
        "<select_from_system_db_requires_grant>true</select_from_system_db_requires_grant>"
        "<select_from_information_schema_requires_grant>true</select_from_information_schema_requires_grant>"
        "</access_control_improvements>"
        f"<user_directories><users_xml><path>{escape(str(users))}</path></users_xml></user_directories>"
        f"<users_config>{escape(str(users))}</users_config></clickhouse>"
    )


def summary_header(answer: Answer) -> str:
    """The counts as ClickHouse's `X-ClickHouse-Summary` has them: one JSON object of strings."""
    return json.dumps(answer.summary, separators=(",", ":"))
