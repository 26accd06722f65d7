"""Rows of a downloaded table, CSV or XLSX, as text by column name. No row is dropped, none is interpreted."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connectors.errors import ProtocolError
from connectors.files import MOST_BYTES

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"

Row = dict[str, str]


def rows(body: bytes, where: str) -> list[Row]:
    """The rows below the first line, by that line's names folded to letters and digits ("PO#" → "po").

    Raises ProtocolError when the file is neither CSV nor XLSX.
    """
    table = _xlsx(body, where) if body.startswith(b"PK\x03\x04") else _csv(body, where)
    header = next(table, None)
    if not header:
        return []
    names = [fold(name) for name in header]
    return [
        dict(zip(names, [cell.strip() for cell in cells], strict=False))
        for cells in table
        if any(map(str.strip, cells))
    ]


def fold(name: str) -> str:
    """A column name without case, space and signs."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _csv(body: bytes, where: str) -> Iterator[list[str]]:
    if b"\x00" in body[:4096]:
        raise ProtocolError(f"{where}: not a text table")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252", errors="replace")
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text.partition("\n")[0]))


def delimiter(header: str) -> str:
    """What parts the names of a header line."""
    return max(",\t;|", key=header.count)


def _xlsx(body: bytes, where: str) -> Iterator[list[str]]:
    """Cells of the first sheet as text. Dates stay the day numbers they are stored as."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            shared = [_text(entry) for entry in _part(archive, "xl/sharedStrings.xml", f"{_MAIN}si")]
            sheets = sorted(
                name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)
            )
            if not sheets:
                raise ProtocolError(f"{where}: the workbook has no sheet")
            found = _part(archive, sheets[0], f"{_MAIN}row")
    except (zipfile.BadZipFile, ParseError, DefusedXmlException, KeyError) as error:
        raise ProtocolError(f"{where}: not a readable workbook: {type(error).__name__}") from None
    return (_cells(row, shared) for row in found)


def _part(archive: zipfile.ZipFile, name: str, tag: str) -> list[Element]:
    if name not in archive.namelist():
        return []
    if archive.getinfo(name).file_size > MOST_BYTES:
        raise ProtocolError(f"{name} of the workbook is larger than {MOST_BYTES} bytes")
    return list(fromstring(archive.read(name), forbid_dtd=True).iter(tag))


def _cells(row: Element, shared: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{_MAIN}c"):
        at = _column(cell.get("r", ""))
        if at is not None:
            cells += [""] * (at - len(cells))
        value = cell.findtext(f"{_MAIN}v") or ""
        kind = cell.get("t")
        if kind == "s" and value.isdigit() and int(value) < len(shared):
            value = shared[int(value)]
        elif kind == "inlineStr":
            value = _text(cell)
        cells.append(value)
    return cells


def _column(reference: str) -> int | None:
    """0 for "A1", 26 for "AA7"; None when a cell does not say where it is."""
    letters = reference.rstrip("0123456789")
    if not letters.isalpha():
        return None
    position = 0
    for letter in letters.upper():
        position = position * 26 + ord(letter) - 64
    return position - 1


def _text(element: Element) -> str:
    return "".join(part.text or "" for part in element.iter(f"{_MAIN}t"))
