"""Pages to typed records: the whole page in one step, and record by record when one of them is bad.

A bad record is refused with its key, field and reason, and its neighbours load. A page that is no page (not
JSON, or without its list) is an error: taking it for empty would lose what it held.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from connectors.amazon.normalize.values import BadValueError, rejected
from connectors.canonical import Rejected
from connectors.errors import ProtocolError
from connectors.kept import kept

Record = TypeVar("Record", bound=msgspec.Struct)
_WHERE = re.compile(r"^(?P<reason>.*?)(?: - at `\$?\.?(?P<field>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")


_plain = msgspec.json.Decoder(float_hook=Decimal)


def page_decoder(kind: type[Record]) -> msgspec.json.Decoder[Record]:
    """Decodes a whole page; numbers that have no type of their own become Decimal, never float."""
    return msgspec.json.Decoder(kind, strict=False, float_hook=Decimal)


def untyped(body: bytes, what: str) -> Any:
    """`body` as plain Python, numbers exact; reads the NaN and Infinity that are no JSON, as texts."""
    try:
        return _plain.decode(body)
    except msgspec.DecodeError:
        pass  # not strict JSON; the standard library reads a little more
    try:
        # `surrogatepass` and back: half a surrogate pair is legal in JSON and in no encoding.
        text = body.decode("utf-8-sig", "replace")
        return json.loads(text, parse_float=Decimal, parse_constant=str)
    except ValueError as error:
        raise ProtocolError(f"amazon {what}: the answer is not JSON: {error}") from error


@dataclass
class Decoded(Generic[Record]):
    """The readable records of a page, the refused ones, and the way back to what a record was."""

    records: list[Record]
    rejected: list[Rejected]
    _kind: type[Record]
    _originals: Callable[[], list[Any]]

    def original(self, position: int) -> Any:
        """What may be kept of the record at `position`, as it came."""
        return kept(self._originals()[position], self._kind)

    @property
    def seen(self) -> int:
        return len(self.records) + len(self.rejected)


def page(
    body: bytes,
    *,
    decode: Callable[[bytes], list[Record]],
    kind: type[Record],
    records_of: Callable[[Any], list[Any] | None],
    key_of: Callable[[Any], str],
    what: str,
) -> Decoded[Record]:
    """`body` decoded by `decode` in one step, or record by record from what `records_of` finds in it.

    Raises ProtocolError when it is not JSON or `records_of` finds no list in it.
    """

    def plain() -> list[Any]:
        found = records_of(untyped(body, what))
        if not isinstance(found, list):
            raise ProtocolError(f"amazon {what}: the answer does not hold the list it should")
        return found

    try:
        return Decoded(decode(body), [], kind, plain)
    except msgspec.MsgspecError:
        return each(plain(), kind, key_of)


def each(records: Iterable[Any], kind: type[Record], key_of: Callable[[Any], str]) -> Decoded[Record]:
    """Typed records, and those that do not fit their type."""
    good: list[Record] = []
    originals: list[Any] = []
    bad: list[Rejected] = []
    for record in records:
        try:
            good.append(msgspec.convert(storable(record), kind, strict=False))
            originals.append(record)
        except msgspec.ValidationError as error:
            bad.append(rejected(key_of(record), explained(error), kept(record, kind)))
    return Decoded(good, bad, kind, lambda: originals)


def explained(error: msgspec.ValidationError) -> BadValueError:
    """Field and reason of a type error: `orderItems[...].quantityOrdered`, `Expected int, got null`."""
    found = _WHERE.match(str(error))
    reason = found["reason"] if found else str(error)
    field = (found["field"] if found else None) or ""
    missing = _MISSING.search(reason)
    if missing:
        field = f"{field}.{missing['name']}".lstrip(".")
        return BadValueError(field, "is missing")
    return BadValueError(field or "(record)", reason)


def keyed(*names: str) -> Callable[[Any], str]:
    """Reads a record's natural key from the first of `names` it has."""

    def key_of(record: Any) -> str:
        if isinstance(record, dict):
            for name in names:
                if record.get(name) not in (None, ""):
                    return str(record[name])
        return "(unknown)"

    return key_of


def storable(value: Any) -> Any:
    """Texts with half a surrogate pair made storable; everything else as it is."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {name: storable(item) for name, item in value.items()}
    return value
