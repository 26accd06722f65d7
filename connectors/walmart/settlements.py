"""Walmart's reconciliation reports: what was paid out every two weeks, by purchase order line.

A report is a ZIP with one CSV and one row per amount: "Product Price", "Commission on Product" and so on, signed as
the seller sees it. The list of dates is Walmart's own; a date goes back to it as it came, because the two ways of
writing it in the documentation differ. The JSON variant ends after 1,000 rows and is not used.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

import msgspec

from connectors.base import Page, Window
from connectors.budget import Rate
from connectors.client import Call, ChannelClient
from connectors.errors import ProtocolError
from connectors.exports.sheet import fold
from connectors.walmart.reader import NotFoundError
from connectors.walmart.values import FieldError, money

RATE = Rate(100 / 60, 100)
PERIOD = timedelta(days=14)
MOST_BYTES = 512 * 2**20  # of one unpacked report
_REQUIRED = frozenset(["transactiontype", "amount", "amounttype", "transactionpostedtimestamp"])
# No other column is looked at, nor kept of a row that is refused: a report also says where the buyer lives.
_READ = _REQUIRED | frozenset(
    "transactionkey transactiondescription purchaseorder purchaseorderline partneritemid shipqty currency".split()
)

Row = dict[str, str]


class _Dates(msgspec.Struct):
    availableApReportDates: list[str | int] | None


def reports(client: ChannelClient, window: Window) -> Iterator[Page]:
    """The reports whose date lies in the window, oldest first."""
    first = window.since.date() if window.since else date.min
    for at, written in sorted(_dates(client)):
        if first <= at <= window.until.date():
            params = (("reportDate", written), ("reportVersion", "v1"))
            answer = client.send(
                Call("walmart.recon", RATE, "/v3/report/reconreport/reconFile", params=params)
            )
            yield Page(answer.body, kind="csv")


def _dates(client: ChannelClient) -> Iterator[tuple[date, str]]:
    path, params = "/v3/report/reconreport/availableReconFiles", (("reportVersion", "v1"),)
    try:
        answer = client.send(Call("walmart.recon_dates", RATE, path, params=params))
    except NotFoundError:
        return
    where = f"{client.account.name} fees"
    try:
        dates = msgspec.json.decode(answer.body, type=_Dates).availableApReportDates or []
    except msgspec.DecodeError as error:
        raise ProtocolError(f"{where}: the list of reports has an unknown shape: {error}") from None
    for written in map(str, dates):
        at = report_date(written)
        if at is None:
            raise ProtocolError(f"{where}: a report date that is none: {written[:40]!r}")
        yield at, written


def report_date(written: str) -> date | None:
    """MMDDYYYY, YYYYMMDD or YYYY-MM-DD."""
    for form in ("%m%d%Y", "%Y%m%d", "%Y-%m-%d"):
        try:
            at = datetime.strptime(written.strip(), form).date()  # noqa: DTZ007 a date
        except ValueError:
            continue
        if 2009 <= at.year < 2100:
            return at
    return None


def rows(body: bytes, where: str) -> list[Row]:
    """The rows of a report, packed or not: what is read of them, by folded column name ("Purchase Order #" →
    "purchaseorder").

    Raises ProtocolError when it is no such report.
    """
    text = _unpacked(body, where).decode("utf-8-sig", errors="replace")
    first = text.partition("\n")[0]
    table = csv.reader(io.StringIO(text, newline=""), delimiter=max(",\t", key=first.count))
    try:
        names = [fold(name) for name in next(table, [])]
        if not set(names) >= _REQUIRED:
            raise ProtocolError(f"{where}: no reconciliation report of version 1: {first[:80]!r}")
        places = [(place, name) for place, name in enumerate(names) if name in _READ]
        return [
            {name: cells[place].strip() for place, name in places if place < len(cells)}
            for cells in table
            if any(cells)
        ]
    except csv.Error as error:
        raise ProtocolError(f"{where}: not a readable table: {error}") from None


def _unpacked(body: bytes, where: str) -> bytes:
    if not body.startswith(b"PK\x03\x04"):
        return body
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            inside = archive.infolist()
            if len(inside) != 1 or inside[0].file_size > MOST_BYTES:
                raise ProtocolError(f"{where}: the archive does not hold one report of a usable size")
            return archive.read(inside[0])
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        # the last two are zipfile's for a compression it does not know and for an archive under a password
        raise ProtocolError(f"{where}: not a readable archive: {type(error).__name__}") from None


def amount(row: Row) -> Decimal:
    """The signed amount of a row. Raises FieldError."""
    written = row.get("amount", "").replace(",", "").replace("$", "")
    try:
        return money(Decimal(written), "Amount")
    except InvalidOperation:
        raise FieldError("Amount", f"no number: {written[:40]!r}" if written else "missing") from None


def posted_on(row: Row) -> date:
    """The day a row was booked. Raises FieldError."""
    written = row.get("transactionpostedtimestamp", "")
    day = written.replace("T", " ").partition(" ")[0]
    for form in ("%m/%d/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(day, form).date()  # noqa: DTZ007 a date
        except ValueError:
            continue
    raise FieldError("Transaction Posted Timestamp", f"no date: {written[:40]!r}" if written else "missing")
