"""Shopify's search syntax, as far as the sandbox needs it: `updated_at:>='…' AND created_at:<… id:5 NOT x:y`.

Terms are joined by AND or by a space. Fields the sandbox does not know are ignored, as Shopify ignores them.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_TERM = re.compile(
    r"""(?P<not>-|NOT\s+)?(?P<field>[a-z_]+):\s*(?P<op>>=|<=|>|<)?\s*
    (?P<value>'[^']*'|"[^"]*"|[^\s()]+)""",
    re.VERBOSE,
)


@dataclass
class Search:
    """A half-open span a clock and exact values a field."""

    updated_since: datetime | None = None
    updated_until: datetime | None = None
    created_since: datetime | None = None
    created_until: datetime | None = None
    equal: dict[str, str] | None = None
    unequal: dict[str, str] | None = None

    def holds(self, updated_at: datetime, created_at: datetime | None = None) -> bool:
        """Whether a record's clocks lie in the spans."""
        if self.updated_since and updated_at < self.updated_since:
            return False
        if self.updated_until and updated_at >= self.updated_until:
            return False
        if created_at is None:
            return True
        if self.created_since and created_at < self.created_since:
            return False
        return not (self.created_until and created_at >= self.created_until)


def parse_search(query: str | None) -> Search:
    """What a `query` argument asks for. An instant that cannot be read matches nothing, as at Shopify."""
    search = Search(equal={}, unequal={})
    for term in _TERM.finditer(query or ""):
        name, op, value = term["field"], term["op"], term["value"].strip("'\"")
        if name in {"updated_at", "created_at", "processed_at"}:
            _narrow(search, "updated" if name == "updated_at" else "created", op, value)
        elif term["not"]:
            search.unequal = {**(search.unequal or {}), name: value}
        else:
            search.equal = {**(search.equal or {}), name: value}
    return search


def _narrow(search: Search, clock: str, op: str | None, value: str) -> None:
    at, is_day = _instant(value)
    step = timedelta(days=1) if is_day else timedelta(seconds=1)
    if op in {">=", ">", None}:
        since = at + step if op == ">" else at
        setattr(search, f"{clock}_since", max(since, getattr(search, f"{clock}_since") or since))
    if op in {"<", "<=", None}:
        until = at if op == "<" else at + step
        setattr(search, f"{clock}_until", min(until, getattr(search, f"{clock}_until") or until))


def _instant(value: str) -> tuple[datetime, bool]:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return datetime(9999, 1, 1, tzinfo=UTC), False
    return (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)), len(value) == 10
