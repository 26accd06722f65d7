"""Pages as the three marketplaces send them with one value spoilt: rows or a refusal with its reason, never a crash.

The pages are the sandbox's, whose shapes the contract tests hold against the official models.
"""

import copy
import io
import json
import random
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from connectors.base import Account, Context, Page, Window
from connectors.canonical import KEYS, Normalized
from connectors.errors import ProtocolError
from connectors.privacy import pseudonymize
from connectors.registry import PLATFORMS, open_client, resources_of
from connectors.sandbox.app import serving
from connectors.sandbox.state import SandboxState
from tests import amazon_factories, shopify_factories, walmart_factories
from tests.sandbox_factories import NOON, small_world

PACE = 2000.0
CASES = 25
RECORDS = 4
POISON: list[Any] = [
    None, "", " ", "x", "\u0000", "\ud800", "☕" * 50, "NaN", "Infinity", "-0", "1e400", "99999999999999999999", 0, -1,
    1.5, 1e308, float("nan"), float("-inf"), 10**30, True, False, [], {}, [None], [[]], {"": ""}, "0001", "1,5",
    "2026-13-45", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00+14:00", -62135596800000, 253402300800000,
    "NO_SUCH_VALUE",
]  # fmt: skip
RESOURCES = [(platform, name) for platform in PLATFORMS for name in resources_of(platform)]


@pytest.fixture(scope="module")
def pages() -> Iterator[dict[tuple[str, str], tuple[list[Page], Account]]]:
    """The first pages of every resource of every platform, small ones."""
    state = SandboxState(small_world(), pace=PACE)
    state.clock.freeze(NOON)
    found: dict[tuple[str, str], tuple[list[Page], Account]] = {}
    with serving(state) as url:
        for platform, account in {
            "amazon": amazon_factories.account(f"{url}/amazon", PACE),
            "shopify": shopify_factories.account(f"{url}/shopify", pace=f"{PACE:g}"),
            "walmart": walmart_factories.account(f"{url}/walmart", PACE),
        }.items():
            with open_client(account) as client:
                for name, resource in resources_of(platform).items():
                    read = list(
                        resource.pages(client, Window(NOON - timedelta(days=30), NOON - timedelta(minutes=5)))
                    )
                    usable = [page for page in map(_unpacked, read) if _records(page)]
                    found[platform, name] = (usable[:3], account)
        yield found


@pytest.mark.parametrize(("platform", "name"), RESOURCES)
def test_one_spoilt_value_costs_at_most_its_record(pages, platform, name):
    usable, account = pages[platform, name]
    resource, context = resources_of(platform)[name], Context(account, NOON)
    assert usable
    chance = random.Random(f"{platform} {name}")
    for case in range(CASES):
        page = usable[case % len(usable)]
        whole, spoilt, where, is_container = _spoil(page, chance)
        try:
            good = resource.normalize(Page(whole, page.kind, page.charset), context)
            got = resource.normalize(Page(spoilt, page.kind, page.charset), context)
        except (ProtocolError, ValueError):
            continue  # bytes that are no JSON any more: the page says so as a whole
        lost = _count(good, resource.frames[0]) - _count(got, resource.frames[0])
        # A list that is not there may well have been empty: only a spoilt value is a loss that must be told.
        assert got.rejected or lost <= 0 or is_container, where
        for refused in got.rejected:
            assert refused.natural_key, where
            assert refused.field, where
            assert refused.reason, where
            assert "\n" not in refused.reason, where


def _unpacked(page: Page) -> Page:
    if not page.body.startswith(b"PK"):
        return page
    with zipfile.ZipFile(io.BytesIO(page.body)) as archive:
        return Page(archive.read(archive.namelist()[0]), page.kind, page.charset)


def _count(normalized: Normalized, name: str) -> int:
    return pseudonymize(normalized.frame(name), b"key").unique(KEYS[name]).height


def _records(page: Page) -> list[Any]:
    return _longest(json.loads(page.body)) if page.kind == "json" else page.body.splitlines()[1:]


def _longest(value: Any) -> list[Any]:
    """The list of a document that has most objects in it, the outermost of equals."""
    best: list[Any] = []
    waiting = [value]
    while waiting:
        inner = waiting.pop(0)
        if isinstance(inner, list):
            if len(inner) > len(best) and all(isinstance(entry, dict) for entry in inner):
                best = inner
            continue
        if isinstance(inner, dict):
            waiting += inner.values()
    return best


def _spoil(page: Page, chance: random.Random) -> tuple[bytes, bytes, object, bool]:
    """The page cut to a few records; the same with one value spoilt; where; whether that was a list or an object."""
    if page.kind == "json":
        document = json.loads(page.body)
        records = _longest(document)
        start = chance.randrange(max(len(records) - RECORDS, 0) + 1)
        records[:] = records[start : start + RECORDS]
        whole = json.dumps(document).encode()
        where, is_container = _spoil_value(chance.choice(records), chance)
        return whole, json.dumps(document).encode(), where, is_container
    lines = page.body.splitlines(keepends=True)
    kept = lines[:1] + lines[1:][:RECORDS]
    spoilt = list(kept)
    at = chance.randrange(1, len(kept))
    if page.kind == "jsonl":
        record = json.loads(kept[at])
        where, is_container = _spoil_value(record, chance)
        spoilt[at] = json.dumps(record).encode() + b"\n"
    else:
        sign = b"\t" if page.kind == "tsv" else b","
        cells = kept[at].rstrip(b"\r\n").split(sign)
        place, value = chance.randrange(len(cells)), chance.choice(POISON)
        cells[place] = str(value).encode(errors="replace")
        spoilt[at] = sign.join(cells) + b"\n"
        where, is_container = (place, value), False
    return b"".join(kept), b"".join(spoilt), (where, kept[at]), is_container


def _spoil_value(record: dict[str, Any], chance: random.Random) -> tuple[object, bool]:
    places = list(_places(record))
    path = chance.choice(places)
    at: Any = record
    for key in path[:-1]:
        at = at[key]
    is_container = isinstance(at[path[-1]], dict | list)
    if chance.random() < 0.2 and isinstance(at, dict):
        del at[path[-1]]
        return (path, "dropped"), is_container
    value = copy.deepcopy(chance.choice(POISON))
    at[path[-1]] = value
    return (path, value), is_container


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from _places(child, (*path, key))
