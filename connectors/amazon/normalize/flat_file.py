"""Amazon's flat files: text, one header, fields separated by tabs and not quoted, in whatever charset."""

import re
from collections.abc import Collection, Iterator

import polars as pl

from connectors.errors import ProtocolError

# Names that downloads use and Python does not.
_CODECS = {"windows-31j": "cp932", "x-sjis": "cp932", "shift-jis": "cp932", "cp-1252": "cp1252"}
_KANA = re.compile("[\u3041-\u30ff]")  # full width; the half-width ones are cp1252's accented capitals


def read_lines(body: bytes, charset: str, what: str, wanted: Collection[str] | None = None) -> pl.DataFrame:
    """Every line of a report as text columns named by its header ("Order ID" → "order-id"); empty fields are null.

    `wanted`: the columns to read of those there are, and so all that is ever kept of a refused line; None: all.
    """
    text = decode(body, charset)
    if not text.strip():
        return pl.DataFrame()
    head = text.split("\n", 1)[0]
    separator = "\t" if "\t" in head else ("," if "," in head else "\t")
    # Most reports quote nothing and their titles hold quotes; some quote every field, and so do spreadsheets' copies.
    quotes = separator == "," or head.lstrip().startswith('"')
    header = [_name(name) for name in head.rstrip("\r").split(separator)]
    places = None if wanted is None else [place for place, name in enumerate(header) if name in wanted]
    try:
        frame = pl.read_csv(
            text.encode(),
            columns=places or None,
            separator=separator,
            quote_char='"' if quotes else None,
            infer_schema=False,
            truncate_ragged_lines=True,
        )
    except pl.exceptions.PolarsError as error:
        raise ProtocolError(f"amazon {what}: the report is not a table: {error}") from error
    names = {name: _name(name) for name in frame.columns}
    if len(set(names.values())) < len(names):
        raise ProtocolError(f"amazon {what}: a column stands twice in the report's header")
    trimmed = pl.all().str.strip_chars()
    if "\x00" in text:
        trimmed = trimmed.str.replace_all("\x00", "", literal=True)
    return frame.rename(names).select(pl.when(trimmed != "").then(trimmed).name.keep())


def decode(body: bytes, charset: str) -> str:
    """Text of a report in the charset its download named; where that does not fit, what its bytes look like."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    for name in _charsets(body, charset):
        try:
            return body.decode(name).removeprefix("\ufeff")
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("latin-1")


def _name(column: str) -> str:
    return column.strip().strip('"').lower().replace("_", "-").replace(" ", "-")


def _charsets(body: bytes, charset: str) -> Iterator[str]:
    yield _CODECS.get(charset.lower(), charset)
    yield "utf-8-sig"
    yield from _guesses(body)  # which takes a look at all of it


def _guesses(body: bytes) -> tuple[str, ...]:
    """Reports of Japan are Shift-JIS, all others cp1252. Kana tell: their lead bytes are no letters in cp1252."""
    try:
        japanese = b"Amazon.co.jp" in body or _KANA.search(body.decode("cp932")) is not None
    except UnicodeDecodeError:
        japanese = False
    return ("cp932", "cp1252") if japanese else ("cp1252",)
