"""What is kept of a record that could not be read: fields its normalizer reads, and of those none that are personal.

A field nobody decodes is not kept either: what a source adds tomorrow cannot slip in.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from connectors.privacy import scrub

Fold = Callable[[str], str]


def kept(record: Any, *shapes: type[msgspec.Struct], fold: Fold = str) -> Any:
    """A copy of a decoded record with only the fields that one of `shapes` names, at every depth, personal data out.

    `fold` brings field names into one spelling where a source writes them in several.
    """
    return scrub(_only(record, [_type_of(shape) for shape in shapes], fold))


@cache
def _type_of(shape: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(shape)


def _only(value: Any, types: Iterable[inspect.Type], fold: Fold) -> Any:
    options = [option for kind in types for option in _options(kind)]
    inside = [o for kind in options if isinstance(kind, inspect.ListType) for o in _options(kind.item_type)]
    if isinstance(value, list):
        # Where one object is expected, a list of one may come, and the other way round.
        return [_only(entry, inside or options, fold) for entry in value]
    if not isinstance(value, Mapping):
        return value
    structs = [kind for kind in (*options, *inside) if isinstance(kind, inspect.StructType)]
    if structs:
        fields: dict[str, list[inspect.Type]] = {}
        for field in (field for struct in structs for field in struct.fields):
            fields.setdefault(fold(field.encode_name), []).append(field.type)
        return {
            name: _only(inner, fields[fold(str(name))], fold)
            for name, inner in value.items()
            if fold(str(name)) in fields
        }
    if any(isinstance(kind, inspect.DictType | inspect.AnyType) for kind in options):
        return value
    # An object in the place of a plain value: a converter's wrapper of a text, or what made the record unreadable.
    return {name: inner for name, inner in value.items() if not isinstance(inner, Mapping | list)}


def _options(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return tuple(kind.types) if isinstance(kind, inspect.UnionType) else (kind,)
