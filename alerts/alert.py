"""What deserves a message: an `Alert` is one finding of one rule about one subject, at one moment.

Alerts are candidates. Whether one opens an episode, escalates it or says nothing new is decided in
`alerts.episodes`; who hears of it, in `alerts.plan`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from alerts.text import one_line

Facts = dict[str, Any]  # JSON-able: numbers, strings, ISO dates, and lists or dicts of them

_LONGEST_KEY = 180


class Severity(StrEnum):
    """How soon somebody has to do something."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 2 for critical; higher is worse."""
        return ("info", "warning", "critical").index(self.value)


@dataclass(frozen=True)
class Alert:
    """One finding. `fingerprint` is what it is about and stays the same while the trouble lasts.

    `holding` marks a subject that is inside the hysteresis band: not bad enough to open an episode, not
    good enough to close one. `channel_id` is set only when the alert concerns a single channel.
    """

    alert_type: str
    severity: Severity
    fingerprint: str
    title: str
    message: str
    action_url: str | None = None
    product_id: int | None = None
    channel_id: int | None = None
    facts: Facts = field(default_factory=dict)
    holding: bool = False

    @property
    def sku(self) -> str | None:
        """The SKU it is about, if it is about one."""
        return self.facts.get("sku")

    @property
    def channels(self) -> tuple[str, ...]:
        """The sales channels it concerns, sorted; empty for an alert about a whole account."""
        return tuple(self.facts.get("channels", ()))


@dataclass(frozen=True)
class Withheld:
    """A judgement that was not made, and why: never an alert from stale, partial or unconfirmed data."""

    subject: str
    reason: str


@dataclass(frozen=True)
class Findings:
    """Everything one evaluation of the rules came to.

    `judged` holds the fingerprints that could be decided this time: an open episode ends only when its
    fingerprint was judged and did not fire, so missing data never reads as "all clear".
    """

    alerts: tuple[Alert, ...] = ()
    judged: frozenset[str] = frozenset()
    withheld: tuple[Withheld, ...] = ()

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(
            self.alerts + other.alerts, self.judged | other.judged, self.withheld + other.withheld
        )


def fingerprint(alert_type: str, subject: str) -> str:
    """`type:subject`, printable and at most about 200 characters; long subjects end in their hash."""
    subject = one_line(subject)
    if len(subject) > _LONGEST_KEY:
        subject = subject[:_LONGEST_KEY] + "~" + hashlib.sha256(subject.encode()).hexdigest()[:16]
    return f"{alert_type}:{subject}"


def account_of(channel: str) -> str:
    """The account a channel belongs to when the frame does not say: `amazon-us` is sold by `amazon`."""
    return channel.split("-", 1)[0]


def accounts_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Accounts behind the rows of a frame, sorted."""
    return sorted({row.get("account") or account_of(row["channel"]) for row in rows})


def seller_page(channel: str, sku: str) -> str | None:
    """Where the merchant can act on a SKU: the marketplace's own inventory page, searched for the SKU."""
    platform, _, rest = channel.partition("-")
    term = quote(sku, safe="")
    pages = {
        "amazon": f"https://sellercentral.amazon.com/myinventory/inventory?searchTerm={term}",
        "shopify": f"https://admin.shopify.com/store/{quote(rest, safe='')}/products?query={term}",
        "walmart": f"https://seller.walmart.com/items-and-inventory/manage-items?search={term}",
    }
    return pages.get(platform)
