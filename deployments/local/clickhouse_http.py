"""The ClickHouse HTTP protocol on the loopback address, over an `Engine`.

What clickhouse-connect, @clickhouse/client, SQLAlchemy and curl send is understood: the query in the URL, the
body or both, `param_*`, settings, sessions, chunked and compressed bodies (several frames in one body: the
Python client sends one a block), multipart parameters, INSERT … FORMAT with data. Answers are not
compressed: on loopback that costs more than it saves. Not spoken: the native block format that JDBC and
clickhouse-go ask for with `compress=1` (switch compression off there), and the TCP protocol.
"""

import base64
import hmac
import os
import re
import shutil
import tempfile
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import parse_qsl, urlsplit

import zstandard

from deployments.local.clickhouse_body import CHUNK, Body, ProtocolError, multipart
from deployments.local.clickhouse_engine import Engine, EngineError, Principal, Statement, summary_header
from deployments.local.clickhouse_statements import split_insert, starts_insert

_HEAD_BYTES = 1024 * 1024
_MAX_STATEMENT_BYTES = 64 * 1024 * 1024
_DRAIN_BYTES = 256 * 1024 * 1024
_IDLE_SECONDS = 300
_ANALYSTS_AT_ONCE = 4
# What the protocol itself means by these names; every other one in the URL is a setting.
_PROTOCOL = frozenset(
    "query user password database default_format session_id session_timeout session_check query_id quota_key role "
    "compress decompress buffer_size wait_end_of_query client_protocol_version stacktrace close_session "
    "send_progress_in_http_headers http_headers_progress_interval_ms enable_http_compression "
    "http_zlib_compression_level add_http_cors_header cancel_http_readonly_queries_on_client_close "
    "http_write_exception_in_output_format http_wait_end_of_query http_response_buffer_size "
    "http_native_compression_disable_checksumming_on_decompress".split()
)
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Parquet": "application/octet-stream",
    "Native": "application/octet-stream",
}
# ClickHouse's own mapping (exceptionCodeToHTTPStatus); 500 for the rest.
_STATUS = {
    194: 401,
    **dict.fromkeys((192, 193, 516, 512, 497), 403),
    **dict.fromkeys(
        (
            36,
            427,
            6,
            25,
            26,
            27,
            38,
            41,
            72,
            441,
            676,
            675,
            376,
            15,
            44,
            117,
            53,
            8,
            70,
            167,
            168,
            32,
            62,
            69,
        ),
        400,
    ),
    **dict.fromkeys((60, 46, 47, 50, 56, 81, 115, 63, 73, 78, 336, 511), 404),
    307: 413,
    48: 501,
    159: 408,
    **dict.fromkeys((209, 439), 503),
}


class ClickHouseServer(ThreadingHTTPServer):
    """A thread a connection. Requests in progress are counted, so that stopping can wait for them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], engine: Engine, password: str, listen: Callable[[int], None]
    ) -> None:
        super().__init__(address, _Handler)
        self.engine, self.password, self.listen = engine, password, listen
        self.analysts = threading.BoundedSemaphore(_ANALYSTS_AT_ONCE)
        self._busy = 0
        self._change = threading.Condition()
        self.stopping = False

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count a request in progress, or refuse it once the server stops."""
        with self._change:
            if self.stopping:
                raise ProtocolError(503, "The server is stopping")
            self._busy += 1
        try:
            yield
        finally:
            with self._change:
                self._busy -= 1
                self._change.notify_all()

    def finish(self, seconds: float) -> bool:
        """Take no more requests and wait for those in progress; whether all ended in time."""
        with self._change:
            self.stopping = True
            return self._change.wait_for(lambda: self._busy == 0, seconds)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in mid-request is not worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    server: ClickHouseServer
    protocol_version = "HTTP/1.1"
    server_version = "Wharf"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    timeout = _IDLE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """No access log: queries hold customers' data."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.body = Body(
            cast(IO[bytes], self.rfile), {name.lower(): value for name, value in self.headers.items()}
        )
        self.query_id = str(uuid.uuid4())
        try:
            self._check_origin()
            self._route()
        except EngineError as error:
            self._fail(_STATUS.get(error.code, 500), f"{error}\n", error.code)
        except ProtocolError as error:
            self._fail(error.status, f"{error}\n", error.code)
        except (ValueError, zlib.error, zstandard.ZstdError, RuntimeError, EOFError, OSError) as error:
            if isinstance(error, ConnectionError | TimeoutError):
                self.close_connection = True
                return
            self._fail(
                400,
                f"Code: 1001. DB::Exception: the request cannot be read: {error}. (STD_EXCEPTION)\n",
                1001,
            )

    def _route(self) -> None:
        path = urlsplit(self.path)
        fields = dict(parse_qsl(path.query, keep_blank_values=True, max_num_fields=5000))
        self.query_id = fields.get("query_id") or self.query_id
        bare = path.path == "/" and not path.query and self.command in ("GET", "HEAD")
        if bare or path.path in ("/ping", "/replicas_status"):
            self._reply(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        elif path.path in ("/", "/query"):
            with self.server.working():
                self._query(fields)
        elif path.path == "/_wharf/listen" and self.command == "POST":
            self._listen(fields)
        else:
            raise ProtocolError(404, f"There is no handle {path.path}\n\nUse / or /ping for health checks.")

    def _check_origin(self) -> None:
        """Only programs of this machine: a web page must reach us neither by a name that resolves to 127.0.0.1
        nor by a form or fetch from another site."""
        host = self.headers.get("Host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if name.lower() not in _LOOPBACK_NAMES:
            raise ProtocolError(403, f"Host {host or '(none)'} is not this machine's loopback name")
        origin = self.headers.get("Origin")
        if origin and (urlsplit(origin).hostname or "") not in _LOOPBACK_NAMES:
            raise ProtocolError(403, "Requests from other sites are not answered")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise ProtocolError(403, "Requests from other sites are not answered")

    def _principal(self, fields: Mapping[str, str]) -> Principal:
        user, password = self._credentials(fields)
        # compared in constant time, also for a user that does not exist
        right = hmac.compare_digest(password.encode(), self.server.password.encode())
        if user == Principal.OWNER.value and right:
            return Principal.OWNER
        if user in ("default", "analyst") and not password:
            return Principal.ANALYST
        raise ProtocolError(
            403,
            f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user with "
            "such name. (AUTHENTICATION_FAILED)",
            516,
        )

    def _credentials(self, fields: Mapping[str, str]) -> tuple[str, str]:
        authorization = self.headers.get("Authorization", "")
        if authorization.lower().startswith("basic "):
            user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
            return user or "default", password
        if authorization:
            raise ProtocolError(
                403, "Code: 516. DB::Exception: only passwords are known here. (AUTHENTICATION_FAILED)", 516
            )
        user = self.headers.get("X-ClickHouse-User") or fields.get("user") or "default"
        return user, self.headers.get("X-ClickHouse-Key") or fields.get("password") or ""

    def _listen(self, fields: Mapping[str, str]) -> None:
        """Not ClickHouse's: the owner asks a front that runs already to answer on one more port."""
        if self._principal(fields) is not Principal.OWNER:
            raise ProtocolError(403, "Only the owner may do that")
        try:
            self.server.listen(int(fields.get("port", "")))
        except OSError as error:
            raise ProtocolError(409, f"cannot listen there: {error.strerror}") from None
        self._reply(200, b"Ok.\n", {"Content-Type": "text/plain; charset=UTF-8"})

    def _query(self, fields: dict[str, str]) -> None:
        principal = self._principal(fields)
        if fields.get("compress") == "1" or fields.get("decompress") == "1":
            raise ProtocolError(
                501,
                "Code: 48. DB::Exception: the native compressed format is not spoken here: switch off the "
                "client's compression (compress=0). (NOT_IMPLEMENTED)",
                48,
            )
        incoming = Path(f"{uuid.uuid4().hex}.data")  # in the working folder: see `scratch_folder`
        try:
            statement = self._statement(fields, principal, incoming)
            with self.server.analysts if principal is Principal.ANALYST else nullcontext():
                answer = self.server.engine.run(statement)
        finally:
            incoming.unlink(missing_ok=True)
        headers = {"X-ClickHouse-Summary": summary_header(answer)}
        if answer.format:
            headers["X-ClickHouse-Format"] = answer.format
            headers["Content-Type"] = _CONTENT_TYPES.get(answer.format, "text/plain; charset=UTF-8")
        with answer.body:
            self._reply(200, answer.body, headers, size=answer.size)

    def _statement(self, fields: dict[str, str], principal: Principal, incoming: Path) -> Statement:
        """The statement a request carries; an INSERT's data goes to the file `incoming`."""
        if self.headers.get("Content-Type", "").startswith("multipart/form-data"):
            fields = fields | multipart(
                self.headers["Content-Type"], self.body.read_all(_MAX_STATEMENT_BYTES)
            )
        text = fields.get("query", "").encode()
        # the two parts of a query may come apart: a line feed goes between them
        text += (b"\n" if text else b"") + self.body.read(_HEAD_BYTES)
        insert = data = None
        if starts_insert(text):
            insert = split_insert(text)
        if insert is not None and not (insert.format == "Values" and self.body.at_end):
            data = incoming
            with data.open("wb") as file:
                file.write(text[insert.data_at :])
                shutil.copyfileobj(cast(IO[bytes], self.body), file, CHUNK)
            text = insert.head
        else:
            text += self.body.read_all(_MAX_STATEMENT_BYTES)
        if not text.strip():
            raise ProtocolError(400, "Code: 62. DB::Exception: Syntax error: Empty query. (SYNTAX_ERROR)", 62)
        return Statement(
            text=text,
            principal=principal,
            database=fields.get("database") or self.headers.get("X-ClickHouse-Database"),
            settings={k: v for k, v in fields.items() if k not in _PROTOCOL and not k.startswith("param_")},
            parameters={k[6:]: v for k, v in fields.items() if k.startswith("param_")},
            format=fields.get("default_format") or self.headers.get("X-ClickHouse-Format") or "TabSeparated",
            session=fields.get("session_id"),
            session_seconds=min(float(fields.get("session_timeout") or 60), 3600.0),
            read_only=self.command in ("GET", "HEAD"),
            insert=insert,
            data=data,
        )

    # answering

    def _fail(self, status: int, message: str, code: int | None) -> None:
        headers = {"Content-Type": "text/plain; charset=UTF-8"}
        if code is not None:
            headers["X-ClickHouse-Exception-Code"] = str(code)
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        self._reply(status, message.encode(), headers)

    def _reply(
        self, status: int, body: bytes | IO[bytes], headers: dict[str, str], *, size: int | None = None
    ) -> None:
        """Headers and body in one write where they fit, after what is left of the request has been read:
        a client that is still sending would otherwise never see the answer."""
        if not self.body.drain(_DRAIN_BYTES) or self.server.stopping:
            self.close_connection = True
        self.send_response(status)
        engine = self.server.engine
        headers = {
            "Content-Length": str(len(cast(bytes, body)) if size is None else size),
            "X-ClickHouse-Query-Id": self.query_id,
            "X-ClickHouse-Server-Display-Name": "wharf",
            "X-ClickHouse-Timezone": engine.timezone,
            "Connection": "close" if self.close_connection else "keep-alive",
            **headers,
        }
        for name, value in headers.items():
            self.send_header(name, re.sub(r"[\r\n]", " ", value))
        self.end_headers()
        if self.command == "HEAD":
            return
        if isinstance(body, bytes):
            self.wfile.write(body)
        else:
            shutil.copyfileobj(body, self.wfile, CHUNK)
        self.wfile.flush()


def enter_scratch_folder(home: Path) -> Path:
    """Work in an empty folder for data on its way into the engine. What a killed front left in it goes.

    Usually under `home`. `FROM INFILE` reads some signs as patterns, finds nothing, and says nothing: with such a
    sign in the path the data takes the way over the system's temporary folder.
    """
    folder = home / "run" / "clickhouse-incoming"
    shutil.rmtree(folder, ignore_errors=True)
    if set("*?{}[]") & set(str(folder)):
        folder = Path(tempfile.mkdtemp(prefix="wharf-clickhouse-"))
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    os.chdir(folder)
    return folder
