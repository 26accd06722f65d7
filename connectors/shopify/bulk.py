"""Bulk operations: run a query on Shopify's side, wait, download the file, cut it into pages.

The file has one object a line; a child line names its parent and may stand anywhere. Lines are therefore
spread over part files by their parent's id, so that each page holds whole records and memory stays bounded.
Nothing is believed before the lines read are as many as the shop says: a file cut short is an error.
"""

import logging
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from connectors.client import Call, ChannelClient
from connectors.errors import AuthenticationError, ChannelUnavailableError, ConnectorError, ProtocolError
from connectors.shopify import queries
from connectors.shopify.ask import ask
from connectors.shopify.reader import DOWNLOAD, RATE

log = logging.getLogger(__name__)

PAGE_BYTES = 8 * 2**20  # of JSONL in one page
_STORAGE = ("storage.googleapis.com",)  # where the shops' result files lie
_FIRST_POLL, _LONGEST_POLL = 1.0, 30.0  # seconds
_PATIENCE = 6 * 3600.0  # seconds of Shopify's clock one operation may take
_PARENT = re.compile(rb'"__parentId"\s*:\s*"([^"]*)"')
_ID = re.compile(rb'^\{"id"\s*:\s*"([^"]*)"')


class Finished(msgspec.Struct, rename="camel"):
    """A bulk operation as its status query tells it."""

    id: str
    status: str
    object_count: str | int = 0
    root_object_count: str | int = 0
    error_code: str | None = None
    url: str | None = None
    partial_data_url: str | None = None


class _UserError(msgspec.Struct):
    message: str = ""
    code: str | None = None


class _Run(msgspec.Struct, rename="camel"):
    bulk_operation: Finished | None = None
    user_errors: list[_UserError] = []


def bulk(client: ChannelClient, query: str) -> Iterator[tuple[bytes, int | None]]:
    """Bodies of JSONL, whole records each, and with the first one how many root objects there are in all.

    Raises ConnectorError when the operation fails or its file is not complete: the window is not read then.
    """
    operation = _run(client, query)
    finished = False
    try:
        done = _wait(client, operation)
        finished = True
    finally:
        if not finished:
            with suppress(ConnectorError):
                ask(client, "BulkCancel", queries.BULK_CANCEL, {"id": operation})
    roots = int(done.root_object_count)
    if done.url is None:
        if int(done.object_count):
            raise ProtocolError(
                f"{client.account.name} bulk: {done.object_count} objects announced and no file to read them from"
            )
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wharf-bulk-")))
        whole = stack.enter_context((folder / "all.jsonl").open("w+b"))
        client.download(_download(done.url), whole)
        expected: int | None = roots
        for body in _pages(client, whole, folder, int(done.object_count)):
            yield body, expected
            expected = None


def _run(client: ChannelClient, query: str) -> str:
    """Starts the operation; waits for one of the five places when all are taken."""
    waited, pause = 0.0, 5.0
    while True:
        data = ask(client, "BulkRun", queries.BULK_RUN, {"query": query})
        run = msgspec.json.decode(data["bulkOperationRunQuery"], type=_Run)
        if run.bulk_operation is not None and not run.user_errors:
            return run.bulk_operation.id
        problem = run.user_errors[0] if run.user_errors else _UserError("no operation was started")
        busy = (
            problem.code in {"OPERATION_IN_PROGRESS", "LIMIT_REACHED"}
            or "already in progress" in problem.message
        )
        if not busy:
            raise ProtocolError(
                f"{client.account.name} bulk: {problem.code or 'refused'}: {problem.message[:200]}"
            )
        if waited >= _PATIENCE / 12:
            raise ChannelUnavailableError(
                f"{client.account.name} bulk: all places for bulk operations have been taken for half an hour"
            )
        client.pause(pause)
        waited += pause
        pause = min(pause * 1.5, _LONGEST_POLL)


def _wait(client: ChannelClient, operation: str) -> Finished:
    waited, pause = 0.0, _FIRST_POLL
    where = f"{client.account.name} bulk operation {operation.rpartition('/')[2]}"
    while waited < _PATIENCE:
        client.pause(pause)
        waited += pause
        pause = min(pause * 1.5, _LONGEST_POLL)
        raw = ask(client, "BulkStatus", queries.BULK_STATUS, {"id": operation})["bulkOperation"]
        if bytes(raw) == b"null":
            raise ProtocolError(f"{where} is unknown to the shop")
        state = msgspec.json.decode(raw, type=Finished)
        if state.status == "COMPLETED":
            return state
        if state.status in {"FAILED", "CANCELED", "EXPIRED"}:
            if state.error_code == "ACCESS_DENIED":
                raise AuthenticationError(f"{where}: access denied; a scope is missing")
            # What a failed operation has written so far is not a window: the whole is asked for again.
            raise ChannelUnavailableError(f"{where}: {state.status} {state.error_code or ''}".rstrip())
    raise ChannelUnavailableError(f"{where} has not ended within {_PATIENCE / 3600:.0f} hours")


def _download(url: str) -> Call:
    return Call(
        operation=DOWNLOAD,
        rate=RATE,
        url=url,
        authorized=False,
        foreign_hosts=_STORAGE,
        deadline_seconds=3600,
    )


def _pages(client: ChannelClient, whole: BinaryIO, folder: Path, expected: int) -> Iterator[bytes]:
    size = whole.seek(0, 2)
    count = max(1, -(-size // PAGE_BYTES))
    whole.seek(0)
    with ExitStack() as stack:
        parts = (
            [stack.enter_context((folder / f"{n}.jsonl").open("w+b")) for n in range(count)]
            if count > 1
            else []
        )
        lines = 0
        for line in whole:
            if line.isspace():
                continue
            lines += 1
            if parts:
                parts[zlib.crc32(_root(line)) % count].write(line if line.endswith(b"\n") else line + b"\n")
        if lines != expected:
            raise ChannelUnavailableError(
                f"{client.account.name} bulk: the shop announced {expected} objects, the file holds {lines}"
            )
        files: list[BinaryIO] = [*parts] or [whole]
        for part in files:
            part.seek(0)
            body = part.read()
            if body:
                yield body


def _root(line: bytes) -> bytes:
    """The id of the record a line belongs to. Our queries ask for `id` first."""
    match = _PARENT.search(line) or _ID.match(line)
    if match is not None:
        return match[1]
    try:
        return str(msgspec.json.decode(line)["id"]).encode()
    except (msgspec.MsgspecError, KeyError, TypeError):
        raise ProtocolError(f"bulk: a line without an id: {line[:60]!r}") from None
