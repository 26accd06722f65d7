"""A page of bytes → records: JSON with exact decimals, XML without entities, and where in them the records are."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from connectors.canonical import Rejected
from connectors.errors import ProtocolError
from connectors.privacy import scrub
from connectors.walmart.shapes import fold
from connectors.walmart.values import shown

_RAW_LIMIT = 20_000  # characters of a refused record that are kept
_DECODER = msgspec.json.Decoder(float_hook=Decimal)

# What a typed decoder says to a page in another shape than documented: it is then read record by record.
UNUSUAL = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Raw = dict[str, Any]


def parse(body: bytes, where: str) -> Any:
    """`body` as plain Python: JSON (floats as Decimal) or XML (dicts without namespaces).

    Raises ProtocolError when it is neither.
    """
    stripped = body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if stripped.startswith(b"<"):
        return parse_xml(stripped, where)
    try:
        return _DECODER.decode(stripped)
    except UNUSUAL as first:
        try:
            # The standard parser accepts what msgspec refuses as a whole (lone surrogates, NaN), and damaged bytes
            # are marked: the record that carries them is then refused alone, if they matter.
            return json.loads(stripped.decode(errors="replace"), parse_float=Decimal, parse_constant=Decimal)
        except (ValueError, RecursionError):
            raise ProtocolError(f"{where}: the answer is neither JSON nor XML: {str(first)[:120]}") from None


def parse_xml(body: bytes, where: str) -> Any:
    """XML as nested dicts, {root name: …}. Entities, DTDs and external references are refused."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise ProtocolError(f"{where}: the answer is not readable XML: {type(error).__name__}") from None
    return {_local(root.tag): _element(root)}


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _element(element: Element) -> Any:
    """Children by name (a list where a name repeats), or the text of a leaf."""
    if len(element) == 0:
        return element.text
    children: Raw = {}
    for child in element:
        name, value = _local(child.tag), _element(child)
        if name not in children:
            children[name] = value
        elif isinstance(children[name], list):
            children[name].append(value)
        else:
            children[name] = [children[name], value]
    return children


def within(parsed: Any, *path: str) -> list[Any] | None:
    """What stands at a path of field names (any prefix and case), as a list; None when the path does not exist."""
    value = parsed
    for name in path:
        if not isinstance(value, Mapping):
            return None
        folded = {fold(str(key)): inner for key, inner in value.items()}
        if name.lower() not in folded:
            return None
        value = folded[name.lower()]
    return value if isinstance(value, list) else [] if value is None else [value]


def find(value: Any, is_record: Callable[[set[str]], bool], depth: int = 0) -> Iterator[Any]:
    """Every object in `value` whose folded field names satisfy `is_record`, however deep its wrapper.

    Where one entry of a list does, all its entries are records: one that lacks its id must not get lost.
    """
    if depth > 12:
        return
    if isinstance(value, Mapping):
        if _is(value, is_record):
            yield value
            return
        for inner in value.values():
            yield from find(inner, is_record, depth + 1)
    elif isinstance(value, list):
        if any(_is(entry, is_record) for entry in value):
            yield from value
            return
        for inner in value:
            yield from find(inner, is_record, depth + 1)


def _is(value: Any, is_record: Callable[[set[str]], bool]) -> bool:
    return isinstance(value, Mapping) and is_record({fold(str(key)) for key in value})


def member(record: Any, name: str) -> Any:
    """The field of `record` spelled `name` in any prefix and case; None when it has none or is no object."""
    if not isinstance(record, Mapping):
        return None
    wanted = name.lower()
    return next((value for key, value in record.items() if fold(str(key)) == wanted), None)


def plain_names(value: Any) -> Any:
    """`value` with namespace prefixes and stray space taken off its field names."""
    if isinstance(value, Mapping):
        return {
            str(key).strip().rpartition(":")[2].strip(): plain_names(inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [plain_names(inner) for inner in value]
    return value


def refuse(record: Any, key: Any, field: str, reason: str) -> Rejected:
    """The quarantine entry of a record whose id is `key`, personal data taken out."""
    raw = json.dumps(scrub(plain_names(record)), default=str, ensure_ascii=True)
    named = key is not None and not isinstance(key, Mapping | list)
    return Rejected((shown(key) if named else "") or "unknown", field, reason, raw[:_RAW_LIMIT])


def blame(error: msgspec.ValidationError) -> tuple[str, str]:
    """(field, reason) of a msgspec refusal: "Expected `str`, got `int` - at `$.item.sku`"."""
    reason, _, path = str(error).partition(" - at ")
    return path.strip("`").removeprefix("$.").removeprefix("$") or "record", reason
