"""Where the records of a body are, told by its shape, and which lines of a bulk file belong together.

A body is a GraphQL answer, a connection, a list, one record (GraphQL or the REST Admin's, such as a webhook
body), or bulk-operation JSONL whose child lines name their parent.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

import msgspec

from connectors.shopify.shapes import Connection, Ref
from connectors.shopify.sheets import BadValueError

T = TypeVar("T")
Form = Literal["connection", "list", "one", "jsonl"]
_PARENT = re.compile(rb'"__parentId"\s*:\s*"([^"]*)"')
_GID = re.compile(rb'"id"\s*:\s*"(gid://shopify/[^"]*)"')
_ID_FIRST = re.compile(
    rb'\{\s*(?:"__typename"\s*:\s*"\w+"\s*,\s*)?(?:"__parentId"\s*:\s*"[^"]*"\s*,\s*)?"id"\s*:\s*"([^"]*)"'
)
_ESCAPED = re.compile(rb"(?<!\\)\\/")  # "gid:\/\/shopify\/Order\/1": legal JSON, and some tools write it so
_DEEPEST = 5  # levels of a bulk file, and of wrapping around records
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_raw_connection = msgspec.json.Decoder(Connection[msgspec.Raw])
_WRAPPERS = (
    "data", "payload", "body", "node", "shop", "object", "result", "results", "records", "items", "json", "detail"
)  # fmt: skip
_NULL = msgspec.Raw(b"null")  # what `nodes(ids: …)` gives for an id that is none


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
    rest_key: str = "id"  # what tells a REST record where it has no id
    rest_gid: str | None = None  # its type, where REST cuts things in another way
    never: frozenset[str] = frozenset()  # fields it has not: they tell records without a global id apart
    spare: frozenset[str] = frozenset()  # fields it can be read without: no figure depends on them
    place: Callable[[T, str], None] | None = None  # tells a record the id of the object its list stands in


@dataclass(frozen=True)
class Part:
    """A stretch of a body that holds records."""

    form: Form
    raw: bytes
    rest: bool = False
    holder: str | None = None  # id of the object around the list


def find(kind: Kind[T], body: bytes, *, deep: bool = True) -> list[Part]:
    """The parts of `body` that hold records of `kind`, `deep` inside other objects too.

    Raises ValueError when there are none.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return []
    if b"gid:\\/" in text:
        text = _ESCAPED.sub(b"/", text)
    try:
        found = [Part("jsonl", text)] if _is_jsonl(text) else list(_parts(kind, text))
        parts = [part for part in found if _may_be(kind, part)]
        if deep and not parts and text[:1] == b"{":
            parts = list(_below(kind, text))
    except msgspec.MsgspecError as error:
        raise ValueError(f"not readable as JSON: {error}") from error
    if not parts and not _is_empty(kind, text):
        raise ValueError(f"holds no {kind.plural[0]}")
    return parts


def _may_be(kind: Kind[T], part: Part) -> bool:
    """Whether the first record is of the kind: as its global id says, else by what it has."""
    if part.form == "jsonl":
        first = next(
            (line for line in part.raw.splitlines() if line.strip() and not _PARENT.search(line)), None
        )
    else:
        first = next((raw for raw, _ in records(part)), None)
    if first is None:
        return True
    try:
        fields = _objects.decode(first)
        # REST says it beside its number, in every version since 2018.
        gids = [
            msgspec.json.decode(fields[name]) for name in ("id", "admin_graphql_api_id") if name in fields
        ]
    except msgspec.MsgspecError:
        return True
    known = (gid.split("/")[3] for gid in gids if isinstance(gid, str) and gid.startswith("gid://shopify/"))
    named = next(known, None)
    return named in {kind.gid, kind.rest_gid} if named else not kind.never & fields.keys()


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


def _is_empty(kind: Kind[T], text: bytes) -> bool:
    """Whether the body is an answer without records, rather than one about something else."""
    if text in {b"{}", b"[]", b"null"}:
        return True
    try:
        fields = _objects.decode(text)
    except msgspec.MsgspecError:
        return False
    if "errors" in fields and "data" not in fields:
        return False
    inner = bytes(fields["data"]) if "data" in fields else text
    named = {} if inner == b"null" else _objects.decode(inner)
    return inner == b"null" or any(bytes(named.get(name, b"?")) in {b"[]", b"null"} for name in kind.plural)


def _parts(kind: Kind[T], raw: bytes, depth: int = 0) -> Iterator[Part]:
    raw = raw.strip()
    if raw[:1] == b"[":
        items = _raws.decode(raw)
        if not items:
            return
        keys = keys_of(bytes(items[0]))
        wrapped = keys & {*_WRAPPERS, *kind.plural, *kind.singular} and "id" not in keys
        if depth <= 1 and (wrapped or bytes(items[0])[:1] == b"["):
            for item in items:
                yield from _parts(kind, bytes(item), depth + 1)
            return
        yield Part("list", raw, is_rest(keys))
        return
    if raw[:1] != b"{":
        return
    fields = _objects.decode(raw)
    keys = set(fields)
    if "id" in keys or kind.rest_key in keys:
        yield Part("one", raw, is_rest(keys))
    elif keys & {"nodes", "edges"}:
        yield Part("connection", raw)
    else:
        known = {*kind.plural, *kind.singular, *_WRAPPERS}
        # Under other names, such as a mutation's, only what is named after the records is taken for them.
        aliased = {name for name in keys - known if _is_one(kind, bytes(fields[name]))}
        inner = known & keys | aliased or {name for name in keys if bytes(fields[name]).startswith(b"{")}
        for name in (name for name in fields if name in inner):
            yield from _named(kind, name, bytes(fields[name]), depth, sure=name in known)


def _named(kind: Kind[T], name: str, value: bytes, depth: int, *, sure: bool) -> Iterator[Part]:
    if value in {b"null", b"[]"} or depth > _DEEPEST:
        return
    if not sure and "id" in keys_of(value) and not _is_one(kind, value):
        return
    if name in _WRAPPERS and name not in kind.singular:
        yield from _parts(kind, value, depth + 1)
    elif name in kind.plural and value.lstrip()[:1] == b"{" and "id" not in keys_of(value):
        yield Part("connection", value)
    else:
        yield from _parts(kind, value, depth + 1)


def _is_one(kind: Kind[T], value: bytes) -> bool:
    """Whether an object is a record of the kind by its global id: under a name that a query chose for it."""
    own_id = _ID_FIRST.match(value)
    return own_id is not None and own_id[1].startswith(b"gid://shopify/%b/" % kind.gid.encode())


def _below(kind: Kind[T], raw: bytes, depth: int = 0) -> Iterator[Part]:
    """Lists of records inside other objects, such as the orders of a customer or the stock of a location."""
    fields = _objects.decode(raw)
    own = msgspec.json.decode(fields["id"]) if "id" in fields else None
    for name, value in fields.items():
        inner = bytes(value).strip()
        if name in kind.plural and inner[:1] in {b"[", b"{"} and inner != b"[]":
            if "id" not in keys_of(inner):
                for part in _parts(kind, inner):
                    yield replace(part, holder=own if isinstance(own, str) else None)
        elif depth < _DEEPEST and inner[:1] == b"{":
            yield from _below(kind, inner, depth + 1)
        elif depth < _DEEPEST and inner[:1] == b"[":
            for entry in _raws.decode(inner):
                if bytes(entry)[:1] == b"{":
                    yield from _below(kind, bytes(entry), depth + 1)


def keys_of(raw: bytes) -> set[str]:
    try:
        return set(_objects.decode(raw))
    except msgspec.MsgspecError:
        return set()


def is_rest(keys: set[str]) -> bool:
    """REST speaks snake case; GraphQL never does (but for `__typename` and `__parentId`)."""
    return any("_" in key.strip("_") for key in keys)


# -- lines of a bulk file ----------------------------------------------------------------------------------


def grouped(body: bytes) -> list[tuple[bytes, list[bytes]]]:
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
    inside: dict[bytes, list[bytes]] = {}  # id of an object inside a root, such as a variant's inventory item
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
        if root not in below and root not in parent_of and not inside:
            inside = {gid: own for line, own in roots for gid in _GID.findall(line)}
        if root in inside and root not in below and root not in parent_of:
            inside[root].append(line)
            continue
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


def only(children: list[bytes], kind: str, sign: bytes | None = None) -> bytes:
    """The child lines of one kind as a JSON list; others (media, metafields, …) are not read.

    A line that has no id of its own is of the kind when it has the field `sign`.
    """
    of = ((line, kind_of(line)) for line in children)
    return (
        b"["
        + b",".join(line for line, its in of if its == kind or (not its and sign and sign in line))
        + b"]"
    )


def records(part: Part) -> Iterator[tuple[bytes, list[bytes]]]:
    if part.form == "jsonl":
        # A file cut off: every root is still read, lines without a parent are reported.
        roots, lost = _families(part.raw)
        yield from roots
        yield from ((line, []) for line in lost)
        return
    if part.form == "one":
        yield part.raw, []
    elif part.form == "list":
        yield from ((bytes(raw), []) for raw in _raws.decode(part.raw) if raw != _NULL)
    else:
        yield from ((bytes(raw), []) for raw in _raw_connection.decode(part.raw).items() if raw != _NULL)


def no_children(_: object, __: list[bytes]) -> None:
    """The `attach` of a kind of which nothing below is read, such as the orders below a customer."""


def ref_number(ref: Ref | None) -> str | None:
    """The number of an object beside; null when it is not there or its id was not asked for."""
    return None if ref is None or ref.id is None else gid_number(ref.id)


def gid_number(gid: str | int) -> str:
    """The number in a global id: "gid://shopify/Order/123" → "123"; a plain id comes back as text."""
    text = str(gid)
    if not text.startswith("gid://"):
        return text
    return text.rpartition("/")[2].partition("?")[0]
