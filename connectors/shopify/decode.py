"""From bytes to records, whatever they were stored as; one bad record never takes its neighbours along.

Recognised by shape: a GraphQL answer, a connection, a list, one record (GraphQL or the REST Admin's, such as
a webhook body), or bulk-operation JSONL whose child lines name their parent. A page is first decoded as a
whole, straight into structs; only when that fails is it taken apart record by record.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec
import polars as pl

from connectors.canonical import CanonicalError, Normalized, Rejected
from connectors.privacy import scrub
from connectors.shopify.shapes import Connection
from connectors.shopify.sheets import BadValueError, Sheet

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)  # what a book takes
Form = Literal["connection", "list", "one", "jsonl"]
_PARENT = re.compile(rb'"__parentId"\s*:\s*"([^"]*)"')
_ID_FIRST = re.compile(
    rb'\{\s*(?:"__typename"\s*:\s*"\w+"\s*,\s*)?(?:"__parentId"\s*:\s*"[^"]*"\s*,\s*)?"id"\s*:\s*"([^"]*)"'
)
_DEEPEST = 5  # levels of a bulk file
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_raw_connection = msgspec.json.Decoder(Connection[msgspec.Raw])
_loose = msgspec.json.Decoder(float_hook=str)  # a number keeps its own text, so no amount passes a float
_WRAPPERS = ("data", "payload", "body", "node", "shop", "object", "result")

_UNREADABLE = (
    msgspec.MsgspecError,
    BadValueError,
    CanonicalError,
    pl.exceptions.PolarsError,
    ArithmeticError,
)


class Book(Protocol[T_contra]):
    """What a page's records are written into: the frames of one resource."""

    notes: dict[str, None]

    def add(self, record: T_contra, /) -> None:
        """Append the rows of one record. Raises BadValueError."""

    def sheets(self) -> tuple[Sheet, ...]:
        """The sheets behind the frames."""

    def frames(self) -> dict[str, pl.DataFrame]:
        """Canonical frames by name."""


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How one resource's records are found and read."""

    gid: str  # the type in its global id
    plural: tuple[str, ...]  # keys a list of them stands under
    singular: tuple[str, ...]
    shape: type[T]
    attach: Callable[[T, list[bytes]], None]  # child lines of a bulk file into their parent
    from_rest: Callable[[Any], T] | None = None
    rest_shape: Any = None


@dataclass(frozen=True)
class Part:
    """A stretch of a body that holds records."""

    form: Form
    raw: bytes
    rest: bool = False


def normalize(kind: Kind[T], body: bytes, book: Callable[[], Book[T]]) -> Normalized:
    """Everything `body` holds of `kind`, in canonical frames; what cannot be read is in `rejected`.

    Raises ValueError when the body is not JSON or JSONL at all, or holds nothing of the kind.
    """
    parts = find(kind, body)
    whole = book()
    records = 0
    try:
        for part in parts:
            found = _decode(kind, part)
            records += len(found)
            for record in found:
                whole.add(record)
        return Normalized(whole.frames(), (), tuple(whole.notes), records)
    except _UNREADABLE:
        return _one_by_one(kind, parts, book)


def _one_by_one(kind: Kind[T], parts: list[Part], book: Callable[[], Book[T]]) -> Normalized:
    whole = book()
    rejected: list[Rejected] = []
    records = 0
    for part in parts:
        for raw, children in _records(part):
            records += 1
            try:
                alone = book()
                alone.add(_decode_one(kind, raw, children))
                for sheet in alone.sheets():
                    sheet.tidy()
                alone.frames()
            except _UNREADABLE as error:
                rejected.append(_rejected(raw, error))
                continue
            whole.notes |= alone.notes
            for mine, its in zip(whole.sheets(), alone.sheets(), strict=True):
                mine.rows.extend(its.rows)
    return Normalized(whole.frames(), tuple(rejected), tuple(whole.notes), records)


# -- finding records ---------------------------------------------------------------------------------------


def find(kind: Kind[T], body: bytes) -> list[Part]:
    """The parts of `body` that hold records of `kind`. Raises ValueError when there are none."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return []
    try:
        found = [Part("jsonl", text)] if _is_jsonl(text) else list(_parts(kind, text))
        parts = [part for part in found if _gid_type(part) in {kind.gid, None}]
    except msgspec.MsgspecError as error:
        raise ValueError(f"not readable as JSON: {error}") from error
    if not parts and not _is_empty(text):
        raise ValueError(f"holds no {kind.plural[0]}")
    return parts


def _gid_type(part: Part) -> str | None:
    """The type that the global id of the first record names; None without a record or a global id."""
    if part.form == "jsonl":
        first = next(
            (line for line in part.raw.splitlines() if line.strip() and not _PARENT.search(line)), None
        )
    else:
        first = next((raw for raw, _ in _records(part)), None)
    if first is None:
        return None
    try:
        gid = msgspec.json.decode(_objects.decode(first).get("id", msgspec.Raw(b"null")))
    except msgspec.MsgspecError:
        return None
    return gid.split("/")[3] if isinstance(gid, str) and gid.startswith("gid://shopify/") else None


def _is_jsonl(text: bytes) -> bool:
    """Several objects, one a line; a single line counts when it names a parent or is a bulk root (no newline)."""
    head, newline, rest = text.partition(b"\n")
    if not newline or not rest.lstrip().startswith(b"{") or not head.rstrip().endswith(b"}"):
        return False
    try:
        msgspec.json.decode(head, type=msgspec.Raw)
    except msgspec.MsgspecError:
        return False
    return True


def _is_empty(text: bytes) -> bool:
    return text in {b"{}", b"[]", b"null"} or b'"data":null' in text.replace(b" ", b"")


def _parts(kind: Kind[T], raw: bytes, depth: int = 0) -> Iterator[Part]:
    raw = raw.strip()
    if raw[:1] == b"[":
        items = _raws.decode(raw)
        if not items:
            return
        keys = _keys(bytes(items[0]))
        if depth == 0 and (keys & {"data", *kind.plural, *kind.singular}) and "id" not in keys:
            for item in items:
                yield from _parts(kind, bytes(item), depth + 1)
            return
        yield Part("list", raw, _is_rest(keys))
        return
    if raw[:1] != b"{":
        return
    fields = _objects.decode(raw)
    keys = set(fields)
    if "id" in keys:
        yield Part("one", raw, _is_rest(keys))
    elif keys & {"nodes", "edges"}:
        yield Part("connection", raw)
    else:
        known = {*kind.plural, *kind.singular, *_WRAPPERS}
        # Under other names, such as a mutation's, only what is named after the records is taken for them.
        inner = known & keys or {name for name in keys if bytes(fields[name]).startswith(b"{")}
        for name in (name for name in fields if name in inner):
            yield from _named(kind, name, bytes(fields[name]), depth, sure=name in known)


def _named(kind: Kind[T], name: str, value: bytes, depth: int, *, sure: bool) -> Iterator[Part]:
    if value in {b"null", b"[]"} or depth > _DEEPEST or (not sure and "id" in _keys(value)):
        return
    if name in _WRAPPERS and name not in kind.singular:
        yield from _parts(kind, value, depth + 1)
    elif name in kind.plural and value.lstrip()[:1] == b"{" and "id" not in _keys(value):
        yield Part("connection", value)
    else:
        yield from _parts(kind, value, depth + 1)


def _keys(raw: bytes) -> set[str]:
    try:
        return set(_objects.decode(raw))
    except msgspec.MsgspecError:
        return set()


def _is_rest(keys: set[str]) -> bool:
    """REST speaks snake case; GraphQL never does (but for `__typename` and `__parentId`)."""
    return any("_" in key.strip("_") for key in keys)


# -- decoding ----------------------------------------------------------------------------------------------


def _decode(kind: Kind[T], part: Part) -> list[T]:
    """All records of a part at once. Raises msgspec's errors."""
    if part.form == "jsonl":
        return _decode_lines(kind, part.raw)
    if part.form == "connection":
        page: Connection[T] = _decoder(kind.shape, "connection").decode(part.raw)
        return page.items()
    raw = part.raw if part.form == "list" else b"[" + part.raw + b"]"
    if part.rest and kind.from_rest is not None:
        return [kind.from_rest(record) for record in _decoder(kind.rest_shape, "list").decode(raw)]
    records: list[T] = _decoder(kind.shape, "list").decode(raw)
    return records


_decoders: dict[tuple[Any, str], msgspec.json.Decoder[Any]] = {}


def _decoder(shape: Any, form: Literal["connection", "list"]) -> msgspec.json.Decoder[Any]:
    """The decoder of a connection or list of `shape`, made once."""
    known = _decoders.get((shape, form))
    if known is None:
        known = msgspec.json.Decoder(Connection[shape] if form == "connection" else list[shape])
        _decoders[shape, form] = known
    return known


def _decode_lines(kind: Kind[T], body: bytes) -> list[T]:
    grouped = _grouped(body)
    if not grouped:
        return []
    raw = b"[" + b",".join(root for root, _ in grouped) + b"]"
    if _is_rest(_keys(grouped[0][0])) and kind.from_rest is not None:
        return [kind.from_rest(record) for record in _decoder(kind.rest_shape, "list").decode(raw)]
    records: list[T] = _decoder(kind.shape, "list").decode(raw)
    for record, (_, children) in zip(records, grouped, strict=True):
        if children:
            kind.attach(record, children)
    return records


def _grouped(body: bytes) -> list[tuple[bytes, list[bytes]]]:
    """Root lines with all lines below them, in the order of the roots; the others may stand anywhere.

    Raises BadValueError for a line whose parent is not in the file: something was cut off.
    """
    roots, lost = _families(body)
    if lost:
        parent = _PARENT.search(lost[0])
        raise BadValueError("__parentId", f"{parent[1].decode()[:80] if parent else '?'} is not in the file")
    return roots


def _families(body: bytes) -> tuple[list[tuple[bytes, list[bytes]]], list[bytes]]:
    """Root lines with the lines below them, and lines whose parent is not there."""
    roots: list[tuple[bytes, list[bytes]]] = []
    below: dict[bytes, list[bytes]] = {}  # id of a root: the lines below it
    parent_of: dict[bytes, bytes] = {}
    children: list[tuple[bytes, bytes]] = []
    for line in body.splitlines():
        if not line.strip():
            continue
        parent = _PARENT.search(line)
        own_id = _own_id(line)
        if parent is not None:
            children.append((parent[1], line))
            if own_id is not None:
                parent_of[own_id] = parent[1]
            continue
        own: list[bytes] = []
        roots.append((line, own))
        if own_id is not None:
            below.setdefault(own_id, own)
    lost: list[bytes] = []
    for parent_id, line in children:
        root, steps = parent_id, 0
        while root not in below and root in parent_of and steps < _DEEPEST:
            root, steps = parent_of[root], steps + 1
        below.get(root, lost).append(line)
    return roots, lost


def _own_id(line: bytes) -> bytes | None:
    """A line's own id, not one of an object inside it. Queries of ours ask for `id` first."""
    first = _ID_FIRST.match(line)
    if first is not None:
        return first[1]
    try:
        return str(msgspec.json.decode(line)["id"]).encode()
    except (msgspec.MsgspecError, KeyError, TypeError):
        return None


def kind_of(line: bytes) -> str:
    """What a child line is: "LineItem", "Refund", …; "" when it has no id."""
    own = _own_id(line)
    return "" if own is None else own.decode().removeprefix("gid://shopify/").partition("/")[0]


def _records(part: Part) -> Iterator[tuple[bytes, list[bytes]]]:
    if part.form == "jsonl":
        # A file cut off: every root is still read, lines without a parent are reported.
        roots, lost = _families(part.raw)
        yield from roots
        yield from ((line, []) for line in lost)
        return
    if part.form == "one":
        yield part.raw, []
    elif part.form == "list":
        yield from ((bytes(raw), []) for raw in _raws.decode(part.raw))
    else:
        yield from ((bytes(raw), []) for raw in _raw_connection.decode(part.raw).items())


def _decode_one(kind: Kind[T], raw: bytes, children: list[bytes]) -> T:
    """One record, leniently: numbers where text is expected and text where numbers are."""
    loose = _loose.decode(raw)
    if isinstance(loose, dict) and "__parentId" in loose:
        raise BadValueError("__parentId", f"its parent {str(loose['__parentId'])[:80]} is not in the file")
    if isinstance(loose, dict) and _is_rest(set(loose)) and kind.from_rest is not None:
        return kind.from_rest(msgspec.convert(loose, kind.rest_shape, strict=False))
    record = msgspec.convert(loose, kind.shape, strict=False)
    if children:
        kind.attach(record, children)
    return record


# -- refusing ----------------------------------------------------------------------------------------------


def _rejected(raw: bytes, error: BaseException) -> Rejected:
    field, reason = _field_of(error)
    try:
        record = msgspec.json.decode(raw)
        text = msgspec.json.encode(scrub(record)).decode()
    except (msgspec.MsgspecError, RecursionError):
        record, text = None, "(not readable as JSON)"
    return Rejected(_key_of(record), field, reason, text)


def _field_of(error: BaseException) -> tuple[str, str]:
    """Which field of the record, and why. msgspec says it as "… - at `$.lineItems.nodes[0].quantity`"."""
    if isinstance(error, BadValueError):
        return error.field, error.reason
    text = str(error)
    reason, _, path = text.partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    if (missing := re.search(r"missing required field `(\w+)`", reason)) is not None:
        field = f"{field}.{missing[1]}".lstrip(".")
    return field or "record", reason


def _key_of(record: Any) -> str:
    if not isinstance(record, dict):
        return "unknown"
    key = record.get("legacyResourceId") or record.get("id") or record.get("name")
    return gid_number(str(key)) if key is not None else "unknown"


def gid_number(gid: str | int) -> str:
    """The number in a global id: "gid://shopify/Order/123" → "123"; a plain id comes back as text."""
    text = str(gid)
    if not text.startswith("gid://"):
        return text
    return text.rpartition("/")[2].partition("?")[0]
