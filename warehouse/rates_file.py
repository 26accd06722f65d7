"""Files of exchange rates: the ECB's eurofxref (CSV or XML, zipped or not) and plain date,currency,rate."""

import csv
import io
import re
import xml.etree.ElementTree as ET
import zipfile
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import polars as pl

from warehouse.errors import WarehouseError

RATE = pl.Decimal(24, 12)
SCHEMA = pl.Schema({"currency": pl.String(), "date": pl.Date(), "rate": RATE})
_CURRENCY = re.compile(r"^[A-Z]{3}$")
_PLACES = Decimal(1).scaleb(-12)
_MAX_BYTES = 64 << 20  # the whole of the ECB's history is about 1 MB


class RatesError(WarehouseError):
    """A file of rates that cannot be read; says where and why."""


def parse(body: bytes, reporting: str, name: str = "rates") -> pl.DataFrame:
    """Rates to `reporting` from a file: the ECB's eurofxref CSV or XML (zipped or not), or date,currency,rate.

    The ECB says what one euro is worth, so its days need a rate of `reporting` itself; `date,currency,rate` says
    what one unit of `currency` is worth in `reporting`. Raises RatesError naming the line.
    """
    if len(body) > _MAX_BYTES:
        raise RatesError(f"{name} is larger than any file of rates")
    if body[:2] == b"PK":
        body = _unzip(body, name)
    try:
        content = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise RatesError(f"{name} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    if content.startswith("<"):
        return _crossed(_from_xml(content, name), reporting, name)
    rows = list(csv.reader(io.StringIO(content), skipinitialspace=True))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    if header[:1] != ["date"]:
        raise RatesError(f"{name}: the first column must be Date (the ECB's file) or date,currency,rate")
    if set(header) >= {"date", "currency", "rate"}:
        return _long(header, rows[1:], name)
    return _crossed(_wide(rows, name), reporting, name)


def read_file(path: Path, reporting: str) -> pl.DataFrame:
    """`parse` of a file on disk."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise RatesError(f"{path}: {error.strerror}") from error
    return parse(body, reporting, path.name)


def _from_xml(content: str, name: str) -> list[tuple[date, str, Decimal]]:
    if (
        "<!DOCTYPE" in content or "<!ENTITY" in content
    ):  # nothing of ours has them; entities can grow without end
        raise RatesError(f"{name}: XML with a document type is not read")
    try:
        root = ET.fromstring(content)  # noqa: S314 (no entities, see above; the size is bounded)
    except ET.ParseError as error:
        raise RatesError(f"{name} is not XML: {error}") from error
    found = []
    for day in root.iter():
        stamp = day.get("time")
        for cube in day if stamp else ():
            currency, value = cube.get("currency"), cube.get("rate")
            if stamp and currency and value:
                found.append(
                    (_day(stamp, name), _code(currency, name), _value(value, f"{name}, {stamp} {currency}"))
                )
    if not found:
        raise RatesError(f"{name} has no rates in the ECB's form (Cube time=… / Cube currency=… rate=…)")
    return found


def _wide(rows: list[list[str]], name: str) -> list[tuple[date, str, Decimal]]:
    codes = [cell.strip() for cell in rows[0][1:]]
    found = []
    for number, row in enumerate(rows[1:], 2):
        if not row or not row[0].strip():
            continue
        day = _day(row[0], f"{name}, line {number}")
        for currency, value in zip(codes, row[1:], strict=False):
            if currency and value.strip() not in ("", "N/A"):
                found.append(
                    (day, _code(currency, name), _value(value, f"{name}, line {number}, {currency}"))
                )
    return found


def _long(header: list[str], rows: list[list[str]], name: str) -> pl.DataFrame:
    place = {column: header.index(column) for column in ("date", "currency", "rate")}
    found = []
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < len(header):
            raise RatesError(f"{name}, line {number}: {len(row)} columns instead of {len(header)}")
        where = f"{name}, line {number}"
        found.append(
            (
                _code(row[place["currency"]], where),
                _day(row[place["date"]], where),
                _value(row[place["rate"]], where),
            )
        )
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


def _crossed(quoted: list[tuple[date, str, Decimal]], reporting: str, name: str) -> pl.DataFrame:
    """What one euro is worth, as what one unit of each currency is worth in `reporting`."""
    ours = {day: value for day, currency, value in quoted if currency == reporting}
    if reporting == "EUR":
        ours = {day: Decimal(1) for day, _, _ in quoted}
    if not ours:
        raise RatesError(
            f"{name} has no rate of {reporting} (WHARF_CURRENCY), so nothing can be converted to it"
        )
    rows = [
        (currency, day, (ours[day] / value).quantize(_PLACES))
        for day, currency, value in quoted
        if day in ours and currency != reporting
    ]
    if reporting != "EUR":
        rows += [("EUR", day, value) for day, value in ours.items()]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _unzip(body: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            (member,) = [entry for entry in archive.infolist() if not entry.is_dir()]
            if member.file_size > _MAX_BYTES:
                raise RatesError(f"{name}: {member.filename} is larger than any file of rates")
            return archive.read(member)
    except (zipfile.BadZipFile, ValueError) as error:
        raise RatesError(f"{name}: a zip file with one file of rates in it was expected") from error


def _day(value: str, where: str) -> date:
    try:
        return date.fromisoformat(value.strip())
    except ValueError as error:
        raise RatesError(f"{where}: {value.strip()!r} is no date (YYYY-MM-DD)") from error


def _code(value: str, where: str) -> str:
    code = value.strip().upper()
    if not _CURRENCY.match(code):
        raise RatesError(f"{where}: {value.strip()!r} is no ISO 4217 currency")
    return code


def _value(value: str, where: str) -> Decimal:
    try:
        rate = Decimal(value.strip())
    except InvalidOperation as error:
        raise RatesError(f"{where}: {value.strip()!r} is no number") from error
    if not rate.is_finite() or not Decimal("1e-9") < rate < Decimal("1e9"):
        raise RatesError(f"{where}: {value.strip()} is no exchange rate")
    return rate
