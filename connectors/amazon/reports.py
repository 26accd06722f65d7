"""Amazon's reports: ask for one, wait for it, download it, hand it on in parts that hold whole records.

Source: model reports_2021-06-30. A report can be gigabytes: it goes to a temporary file, is unpacked while it
is read, and is dealt out by key into files of bounded size, so that one key's lines (one order) are never cut
apart wherever they stand in the report.
"""

import gzip
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import IO, BinaryIO, cast

import msgspec

from connectors.base import Page, Window
from connectors.budget import Rate
from connectors.client import MAX_DOWNLOAD, Call, ChannelClient
from connectors.errors import ChannelUnavailableError, DeferredError, ProtocolError, RequestRejectedError

ALL_ORDERS = "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL"
FBA_RETURNS = "GET_FBA_FULFILLMENT_CUSTOMER_RETURNS_DATA"
MERCHANT_RETURNS = "GET_FLAT_FILE_RETURNS_DATA_BY_RETURN_DATE"
FEEDBACK = "GET_SELLER_FEEDBACK_DATA"
LISTINGS = "GET_MERCHANT_LISTINGS_ALL_DATA"

_BASE = "reports/2021-06-30"
_CREATE, _GET, _DOCUMENT = Rate(0.0167, 15), Rate(2.0, 15), Rate(0.0167, 15)
_DOWNLOAD = Rate(10.0, 10)
_HOSTS = ("amazonaws.com", "amazonaws.com.cn", "cloudfront.net")
_PART = 8 * 2**20  # bytes of report text in one page, about
_POLLS = (
    5.0,
    5.0,
    10.0,
    15.0,
    30.0,
)  # seconds of the channel's clock between looks, the last one from then on
_PATIENCE = 4 * 3600.0  # seconds of the channel's clock until a report is given up
_FREQUENT = re.compile(r"too (many|often|frequent)|throttl|frequen|quota", re.IGNORECASE)


class _Created(msgspec.Struct):
    reportId: str


class _Report(msgspec.Struct):
    processingStatus: str
    reportDocumentId: str | None = None


class _DocumentAt(msgspec.Struct):
    url: str
    compressionAlgorithm: str | None = None


@dataclass(frozen=True)
class Wanted:
    """A report to ask for. `extra`: a column the report lacks, added to each of its lines.

    `key_column` names what holds lines together; None: each line stands for itself.
    """

    report_type: str
    marketplace_ids: tuple[str, ...]
    window: Window | None = None
    key_column: str | None = "amazon-order-id"
    extra: tuple[str, str] | None = None


def read_reports(client: ChannelClient, wanted: list[Wanted], *, abreast: int = 3) -> Iterator[Page]:
    """Pages of all of them, in order; `abreast` are being made at Amazon while one is read."""
    waiting: list[tuple[Wanted, str]] = []
    for position, report in enumerate(wanted):
        while len(waiting) < abreast and position + len(waiting) < len(wanted):
            following = wanted[position + len(waiting)]
            waiting.append((following, create(client, following)))
        _, report_id = waiting.pop(0)
        yield from _read(client, report, report_id)


def create(client: ChannelClient, wanted: Wanted) -> str:
    """Asks for a report; its id."""
    body: dict[str, object] = {
        "reportType": wanted.report_type,
        "marketplaceIds": list(wanted.marketplace_ids),
    }
    if wanted.window is not None:
        # Left out, the start would be "now".
        if wanted.window.since is not None:
            body["dataStartTime"] = stamp(wanted.window.since)
        body["dataEndTime"] = stamp(wanted.window.until)
    call = Call("createReport", _CREATE, f"{_BASE}/reports", method="POST", json=body)
    return msgspec.json.decode(client.send(call).body, type=_Created).reportId


def _read(client: ChannelClient, wanted: Wanted, report_id: str) -> Iterator[Page]:
    report = _finished(client, report_id)
    what = f"{client.account.name} report {wanted.report_type} {report_id}"
    if report.processingStatus == "CANCELLED":
        return  # Amazon's word for: there is no data
    if report.processingStatus == "FATAL":
        reason = _reason(client, report)
        if _FREQUENT.search(reason):
            until = datetime.now(UTC) + timedelta(minutes=30)
            raise DeferredError(
                f"{what}: asked for too often: {reason}; deferred until {until:%H:%M} UTC", until
            )
        raise RequestRejectedError(f"{what}: Amazon could not make it: {reason}")
    if report.reportDocumentId is None:
        raise ProtocolError(f"{what}: it is done and has no document")
    with tempfile.TemporaryFile(prefix="wharf-report-") as file:
        charset, packed = _download(client, report.reportDocumentId, file)
        yield from parts(file, charset, wanted, packed=packed)


def _finished(client: ChannelClient, report_id: str) -> _Report:
    waited = 0.0
    call = Call("getReport", _GET, f"{_BASE}/reports/{report_id}")
    for look in range(10_000):
        report = msgspec.json.decode(client.send(call).body, type=_Report)
        if report.processingStatus in {"DONE", "CANCELLED", "FATAL"}:
            return report
        if report.processingStatus not in {"IN_QUEUE", "IN_PROGRESS"}:
            raise ProtocolError(f"report {report_id}: unknown state {report.processingStatus[:40]}")
        if waited >= _PATIENCE:
            break
        pause = _POLLS[min(look, len(_POLLS) - 1)]
        waited += pause
        client.pause(pause)
    raise ChannelUnavailableError(f"report {report_id}: not ready after {waited / 3600:.1f} hours")


def _reason(client: ChannelClient, report: _Report) -> str:
    """What the document of a failed report says."""
    if report.reportDocumentId is None:
        return "no reason given"
    with tempfile.TemporaryFile(prefix="wharf-report-") as file:
        charset, packed = _download(client, report.reportDocumentId, file)
        text = _unpacked(file, packed).read(4000).decode(charset, "replace").strip()
    return re.sub(r"\s+", " ", text)[:500] or "no reason given"


def _download(client: ChannelClient, document_id: str, file: BinaryIO | IO[bytes]) -> tuple[str, bool]:
    """The document's bytes into `file`; its charset, and whether it is packed."""
    call = Call("getReportDocument", _DOCUMENT, f"{_BASE}/documents/{document_id}")
    document = msgspec.json.decode(client.send(call).body, type=_DocumentAt)
    if document.compressionAlgorithm not in {None, "GZIP"}:
        raise ProtocolError(f"report document: unknown compression {document.compressionAlgorithm}")
    # The link is good for five minutes and carries its own proof: it never gets the account's token.
    fetch = Call(
        "downloadReport",
        _DOWNLOAD,
        url=document.url,
        authorized=False,
        foreign_hosts=_HOSTS,
        deadline_seconds=3600,
    )
    headers = client.download(fetch, cast(BinaryIO, file))
    message = Message()
    message["content-type"] = headers.get("content-type", "text/plain")
    return str(message.get_content_charset("utf-8")), document.compressionAlgorithm == "GZIP"


def _unpacked(file: IO[bytes], packed: bool) -> IO[bytes]:
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file


def parts(
    file: IO[bytes], charset: str, wanted: Wanted, *, packed: bool, part_size: int = _PART
) -> Iterator[Page]:
    """A downloaded report as pages of some megabytes, all lines of one key on one page.

    Raises ProtocolError when it has no `key_column`, is broken, or is larger unpacked than any report may be.
    """
    file.seek(0, 2)
    size = file.tell() * (8 if packed else 1)  # a guess is enough: it decides only how many parts
    number = max(1, -(-size // part_size))
    try:
        source = _unpacked(file, packed)
        header = source.readline()
        if not header.strip():
            return
        header = _ended(header)
        column = _position(header, wanted.key_column) if wanted.key_column else 0
        if column is None:
            raise ProtocolError(
                f"report {wanted.report_type}: no column {wanted.key_column}; its header has changed"
            )
        name, value = wanted.extra or ("", "")
        tail = b"\t" + value.encode() if name else b""
        header = header.rstrip(b"\r\n") + (b"\t" + name.encode() if name else b"") + b"\n"
        with ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile(prefix="wharf-part-")) for _ in range(number)]
            _deal(source, files, column, tail)
            for part in files:
                part.seek(0)
                body = part.read()
                part.close()
                if body:
                    yield Page(header + body, "tsv", charset)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ChannelUnavailableError(
            f"report {wanted.report_type}: the download is broken: {error}"
        ) from error


def _deal(source: IO[bytes], files: Sequence[IO[bytes]], column: int, tail: bytes) -> None:
    """Each line into the part that its key belongs to."""
    total, number = 0, len(files)
    for line in source:
        total += len(line)
        if total > MAX_DOWNLOAD:
            raise ProtocolError(f"a report is larger than {MAX_DOWNLOAD} bytes unpacked; it was cut off")
        fields = line.split(b"\t", column + 1)
        key = fields[column] if len(fields) > column else b""
        ended = _ended(line)
        if tail:
            ended = ended.rstrip(b"\r\n") + tail + b"\n"
        files[zlib.crc32(key.strip()) % number].write(ended)


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"


def _position(header: bytes, column: str) -> int | None:
    names = header.removeprefix(b"\xef\xbb\xbf").strip(b"\r\n").lower().split(b"\t")
    folded = [name.strip().strip(b'"').replace(b" ", b"-") for name in names]
    return folded.index(column.encode()) if column.encode() in folded else None


def stamp(instant: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as the API writes it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"
